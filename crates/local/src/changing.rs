//! The sample that changes: a worker in this process takes its job from queued through running to
//! done, over and over.
//!
//! The worker writes the status file into the served directory itself. It writes a new file and
//! renames it, so a poll sees the old file or the new one, and never half of one.
//!
//! What the file says depends on a number of seconds alone. So tests can ask for each of them and
//! need not wait.

use std::{
    convert::Infallible,
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use tempfile::NamedTempFile;
use tokio::time::{Instant, interval_at};
use tracing::warn;

/// The job's id.
pub const CHANGING: &str = "77777777-7777-4777-8777-777777777777";
/// Seconds from one beginning of the job to the next.
pub const PERIOD: u64 = DONE + 10; // who waits `retry-after` seconds between two polls still sees the end

const SECOND: Duration = Duration::from_secs(1);
const RUNNING: u64 = 5;
const DONE: u64 = 29;
/// Seconds between two reports of progress.
const STEP: u64 = 2;
/// A busy machine may be late with a report.
const HEARTBEAT: u64 = 10;

/// The status file of the job so many seconds after it was queued.
#[must_use]
pub fn status_file(seconds: u64) -> String {
    if seconds < RUNNING {
        file("queued", "", "null")
    } else if seconds < DONE {
        let percent = (seconds - RUNNING) / STEP * STEP * 100 / (DONE - RUNNING);
        let members =
            format!(r#""progress":"{percent} %","retry_after_seconds":{STEP},"heartbeat_seconds":{HEARTBEAT},"#);
        file("running", &members, "null")
    } else {
        let run_time = DONE - RUNNING;
        let result = format!(
            r#"{{"endpoint":"/v1/video/caption","code":200,"id":"watched","job_id":"{CHANGING}","response":"https://results.example.com/captioned.mp4","message":"success","pid":123456,"queue_id":140368864456064,"run_time":{run_time},"queue_time":{RUNNING},"total_time":{DONE},"queue_length":0,"build_number":"1.0.0"}}"#
        );
        file("done", "", &result)
    }
}

fn file(state: &str, more: &str, response: &str) -> String {
    format!(
        r#"{{"job_status":"{state}","job_id":"{CHANGING}",{more}"queue_id":140368864456064,"process_id":123456,"response":{response}}}"#
    )
}

/// Works on the job for ever. Its status file is in `directory`; a new one is written into `beside`, which
/// is in the same file system and is not served.
pub async fn work(directory: &Path, beside: &Path) -> Infallible {
    let path = directory.join(format!("{CHANGING}.json"));
    let mut every_second = interval_at(Instant::now() + SECOND, SECOND);
    let mut written = String::new();
    loop {
        for second in 0..PERIOD {
            let file = status_file(second);
            if file != written {
                match replace(&path, beside, &file) {
                    Ok(()) => written = file,
                    Err(error) => warn!("the sample that changes is not written: {error}"),
                }
            }
            every_second.tick().await;
        }
    }
}

/// Puts a file with this content in the place of the one at `path`.
fn replace(path: &Path, beside: &Path, content: &str) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(beside)?;
    file.write_all(content.as_bytes())?;
    fs::rename(file.path(), path)?; // unlike `persist`, on Windows too while somebody reads the old one
    file.disable_cleanup(true);
    Ok(())
}
