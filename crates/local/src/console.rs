//! What is printed about requests: a short line for a person, the function's own JSON line for a
//! program.
//!
//! Lines are held back until the console is opened, so that nothing comes before the banner.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use tracing::{level_filters::LevelFilter, subscriber::set_global_default};

/// Where the endpoint's log lines go.
pub struct Console {
    json: bool,
    /// `None` once the console is open.
    held: Mutex<Option<String>>,
}

/// What a person wants to know of a log line.
#[derive(Deserialize)]
struct Line {
    level: String,
    message: String,
    job_id: Option<String>,
    outcome: Option<String>,
    status: Option<u16>,
    run_time: Option<f64>,
    error: Option<String>,
    hint: Option<String>,
}

impl Console {
    /// Sends the process's log lines to a new console: as JSON, or as lines for a person.
    #[must_use]
    pub fn install(json: bool) -> Arc<Self> {
        let console = Arc::new(Self { json, held: Mutex::new(Some(String::new())) });
        // Only a second console of one process fails here, and the first goes on.
        let _ = set_global_default(job_status::log::subscriber(LevelFilter::INFO, Arc::clone(&console)));
        console
    }

    /// Prints what was held back. From now on lines are printed as they come.
    pub fn open(&self) {
        if let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take() {
            print!("{held}");
        }
    }
}

impl Write for &Console {
    /// Takes one whole line, as the logging library writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = if self.json { String::from_utf8_lossy(line).into_owned() } else { for_a_person(line) };
        match &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(held) => held.push_str(&text),
            None => io::stdout().write_all(text.as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// A log line in words: one for a request, and one for whatever else is a warning or worse. The cause
/// and the hint stand below.
fn for_a_person(line: &[u8]) -> String {
    let Ok(line) = serde_json::from_slice::<Line>(line) else { return String::from_utf8_lossy(line).into_owned() };
    let mut text = match (line.status, line.outcome, line.run_time) {
        (Some(status), Some(outcome), Some(seconds)) => {
            let job = line.job_id.map(|job| format!("  job {job}")).unwrap_or_default();
            format!("{status} {outcome}{job}  {:.1} ms\n", seconds * 1000.0)
        }
        _ if ["WARN", "ERROR"].contains(&line.level.as_str()) => format!("{}: {}\n", line.level, line.message),
        _ => return String::new(),
    };
    for detail in [line.error, line.hint].into_iter().flatten() {
        let _ = writeln!(text, "    {detail}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::for_a_person;

    #[test]
    fn a_request_is_one_short_line() {
        let line = br#"{"timestamp":"2026-11-25T04:00:00Z","level":"INFO","message":"request","request_id":"r","key":"local","job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","outcome":"done","status":200,"run_time":0.001234,"cold":true}"#;
        assert_eq!(for_a_person(line), "200 done  job e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7  1.2 ms\n");
        let line = br#"{"level":"INFO","message":"request","outcome":"unknown_path","status":404,"run_time":0.00004}"#;
        assert_eq!(for_a_person(line), "404 unknown_path  0.0 ms\n");
    }

    #[test]
    fn a_failure_has_its_cause_and_its_hint_below() {
        let line = br#"{"level":"ERROR","message":"request","outcome":"failed","status":500,"run_time":0.0021,"error":"access_denied: S3 answered 403","hint":"grant it"}"#;
        assert_eq!(for_a_person(line), "500 failed  2.1 ms\n    access_denied: S3 answered 403\n    grant it\n");
        let line = br#"{"level":"WARN","message":"status files cannot be read","event":"probe_failed","error":"e"}"#;
        assert_eq!(for_a_person(line), "WARN: status files cannot be read\n    e\n");
    }

    #[test]
    fn start_up_is_silent_and_what_is_no_json_is_not_lost() {
        assert_eq!(for_a_person(br#"{"level":"INFO","message":"started","event":"started"}"#), "");
        assert_eq!(for_a_person(b"what is this\n"), "what is this\n");
    }
}
