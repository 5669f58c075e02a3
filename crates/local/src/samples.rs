//! Sample status files, one for each state a job can be in, and one large transcript.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::changing::{CHANGING, status_file};

/// Just queued.
pub const QUEUED: &str = "11111111-1111-4111-8111-111111111111";
/// Running for two minutes.
pub const RUNNING: &str = "22222222-2222-4222-8222-222222222222";
/// Finished, with a result.
pub const DONE: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";
/// Given up by its worker.
pub const FAILED: &str = "33333333-3333-4333-8333-333333333333";
/// Handed to another service ten minutes ago.
pub const SUBMITTED: &str = "44444444-4444-4444-8444-444444444444";
/// Finished, with a transcript of about 200 KB.
pub const LARGE: &str = "55555555-5555-4555-8555-555555555555";
/// No such job.
pub const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

const FILES: [(&str, &str, Duration); 5] = [
    (QUEUED, include_str!("../jobs/queued.json"), Duration::ZERO),
    (RUNNING, include_str!("../jobs/running.json"), Duration::from_mins(2)),
    (DONE, include_str!("../jobs/done.json"), Duration::from_mins(1)),
    (FAILED, include_str!("../jobs/failed.json"), Duration::from_mins(1)),
    (SUBMITTED, include_str!("../jobs/submitted.json"), Duration::from_mins(10)),
];

/// Writes the samples into `directory`, aged as their descriptions say at the time `now`.
///
/// # Errors
/// The directory can't be written to.
pub fn write(directory: &Path, now: SystemTime) -> io::Result<()> {
    for (job_id, text, age) in FILES {
        put(directory, job_id, text.trim_end(), now - age)?;
    }
    put(directory, LARGE, &transcript(), now)?;
    // Its worker starts later, and the first poll finds it already.
    put(directory, CHANGING, &status_file(0), now)
}

fn put(directory: &Path, job_id: &str, text: &str, written: SystemTime) -> io::Result<()> {
    let path = directory.join(format!("{job_id}.json"));
    fs::write(&path, text)?;
    File::options().write(true).open(&path)?.set_modified(written)
}

fn transcript() -> String {
    let mut segments = String::new();
    for index in 0..1500 {
        let separator = if index == 0 { "" } else { "," };
        let _ = write!(
            segments,
            r#"{separator}{{"start":{:.1},"end":{:.1},"text":"This is what was said in segment {index} of the recording, and it was \"well\" said."}}"#,
            f64::from(index) * 2.5,
            f64::from(index) * 2.5 + 2.4,
        );
    }
    format!(
        r#"{{"job_status":"done","job_id":"{LARGE}","queue_id":140368864456064,"process_id":123456,"response":{{"endpoint":"/v1/media/transcribe","code":200,"id":"keynote","job_id":"{LARGE}","response":{{"segments":[{segments}]}},"message":"success","pid":123456,"queue_id":140368864456064,"run_time":61.204,"queue_time":0.301,"total_time":61.505,"queue_length":0,"build_number":"1.0.0"}}}}"#
    )
}
