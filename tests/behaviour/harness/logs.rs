//! Captures the log lines of one test.

use std::{
    fs,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

/// What this thread has logged since the capture began.
pub struct Logs {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Logs {
    pub fn capture() -> Self {
        let lines = Lines::default();
        let guard = tracing::subscriber::set_default(job_status::log::subscriber(LevelFilter::TRACE, lines.clone()));
        Self { lines, _guard: guard }
    }

    /// Everything, as it was printed.
    pub fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines whose `member` is `value`.
    pub fn with(&self, member: &str, value: &str) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line[member] == value)
            .collect()
    }

    /// The newest request line.
    pub fn request(&self) -> Value {
        self.with("message", "request").pop().expect("a request line")
    }
}

/// The `s3_attempts` on a line: none unless S3 was asked more than once.
pub fn logged_attempts(attempts: usize) -> Value {
    if attempts > 1 { attempts.into() } else { Value::Null }
}

/// Adds the lines to the file that `CAPTURED_LOG` names, if it is set: the template's tests check
/// metric filters and dashboard against what is really logged.
impl Drop for Logs {
    fn drop(&mut self) {
        capture(&self.text());
    }
}

/// Adds what the binary has logged, likewise.
pub fn capture(lines: &str) {
    if let Some(path) = std::env::var_os("CAPTURED_LOG") {
        let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
