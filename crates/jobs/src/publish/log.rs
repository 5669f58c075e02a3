//! The log: JSON lines on stderr.
//!
//! Whoever reads them may be slow, or stop reading. Then lines are dropped and counted, and publishing
//! goes on.

use std::{
    io::{self, Write},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Lines that may wait to be read: some 3 MB.
const LINES: usize = 10_000;
/// How long the end waits until they are read.
const LAST: Duration = Duration::from_millis(500);

/// The log. What was logged before this is dropped is written, if somebody reads it.
pub struct Log {
    lines: Lines,
    written: Receiver<()>,
}

#[derive(Clone)]
struct Lines {
    /// An empty line asks whether all before it are written.
    sender: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts logging. The libraries underneath log warnings and errors only.
    pub fn start() -> Self {
        let (sender, receiver) = sync_channel::<Vec<u8>>(LINES);
        let (all_written, written) = sync_channel(1);
        let lines = Lines { sender, dropped: Arc::default() };
        let dropped = Arc::clone(&lines.dropped);
        thread::spawn(move || {
            for line in receiver {
                if line.is_empty() {
                    let _ = all_written.try_send(());
                } else if io::stderr().write_all(&line).is_err() {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let own = Targets::new().with_default(LevelFilter::WARN).with_target("jobs", LevelFilter::INFO);
        let writer = lines.clone();
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_writer(move || writer.clone());
        // It is the first: nothing else in this process logs.
        let _ = tracing_subscriber::registry().with(own).with(layer).try_init();
        Self { lines, written }
    }

    /// How many lines were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.lines.sender.try_send(Vec::new()).is_ok() {
            let _ = self.written.recv_timeout(LAST);
        }
    }
}

/// One line at a time, as the layer writes them.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(line.to_vec()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the process after a while with this code, if it has not ended by itself: a disk may hang, and
/// nobody may read what is written at the end.
pub fn end_after(span: Duration, code: i32) {
    thread::spawn(move || {
        thread::sleep(span);
        process::exit(code);
    });
}
