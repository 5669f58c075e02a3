//! A job that a command does, and the status files that tell of it.

use std::{process, time::Instant};

use job_status::JobId;
use serde_json::{Value, value::RawValue};

use crate::{
    failure::Failure,
    status_document::{JobResult, StatusDocument, Worker, seconds},
};

/// What stands for a queue: nothing hands out jobs here.
const QUEUE: &str = "jobs-run";

/// A job.
pub struct Job {
    pub id: JobId,
    /// What does it.
    pub endpoint: String,
    /// The caller's own reference.
    pub reference: Option<String>,
    /// How often its status file is written at least.
    pub heartbeat: std::time::Duration,
    pub started: Instant,
    /// The command's process, or this one if there is none.
    pub pid: u32,
}

impl Job {
    /// A job that begins now.
    pub fn new(id: JobId, endpoint: String, reference: Option<String>, heartbeat: std::time::Duration) -> Self {
        Self { id, endpoint, reference, heartbeat, started: Instant::now(), pid: process::id() }
    }

    /// The status file while the command runs.
    pub fn running(&self, progress: Option<&Value>) -> Result<Vec<u8>, Failure> {
        let heartbeat_seconds = seconds(self.heartbeat);
        StatusDocument { progress, heartbeat_seconds, ..self.document("running", None) }.bytes()
    }

    /// The status file of a job that is done.
    pub fn done(&self, result: Option<&RawValue>) -> Result<Vec<u8>, Failure> {
        self.document("done", Some(self.response(200, result, "success"))).bytes()
    }

    /// The status file of one that failed.
    pub fn failed(&self, message: &str) -> Result<Vec<u8>, Failure> {
        self.document("failed", Some(self.response(500, None, message))).bytes()
    }

    fn document<'a>(&self, job_status: &'a str, response: Option<JobResult<'a>>) -> StatusDocument<'a> {
        StatusDocument {
            job_status,
            job_id: self.id,
            queue_id: Some(QUEUE),
            process_id: Some(self.pid),
            progress: None,
            retry_after_seconds: None,
            heartbeat_seconds: None,
            response,
        }
    }

    fn response<'a>(&'a self, code: u16, response: Option<&'a RawValue>, message: &'a str) -> JobResult<'a> {
        let run_time = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        JobResult {
            endpoint: Some(&self.endpoint),
            code: Some(code),
            id: self.reference.as_deref(),
            job_id: self.id,
            response,
            message: Some(message),
            worker: Some(Worker {
                pid: self.pid,
                queue_id: QUEUE,
                run_time,
                queue_time: 0.0,
                total_time: run_time,
                queue_length: 0,
                build_number: env!("CARGO_PKG_VERSION"),
            }),
        }
    }
}
