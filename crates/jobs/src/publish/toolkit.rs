//! Polls of a toolkit, which are no jobs.
//!
//! The no-code-architects-toolkit writes a status file for each request to it, those about jobs among
//! them: `running` when the request comes, and at once `done`, with a copy of the answer. Nobody asks
//! for such a file, and it has somebody else's result in it.

use serde_json::value::RawValue;

use crate::json::members;

/// Whether a status file is of a poll.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Toolkit {
    /// It is a job's.
    Job,
    /// It is a poll's.
    Poll,
    /// It is what both begin with.
    Unclear,
}

impl Toolkit {
    /// What a checked status file is of.
    pub fn judge(text: &str) -> Self {
        let Ok([state, process_id, response]) = members(text, ["job_status", "process_id", "response"]) else {
            return Self::Job;
        };
        let is_running = state.is_some_and(|state| state.get() == r#""running""#);
        match response.map(RawValue::get) {
            None | Some("null") if is_running && process_id.is_some() => Self::Unclear,
            Some(response) if response.starts_with('{') => match members(response, ["endpoint"]) {
                Ok([Some(endpoint)]) if endpoint.get().starts_with(r#""/v1/toolkit/"#) => Self::Poll,
                _ => Self::Job,
            },
            _ => Self::Job,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Toolkit;

    #[test]
    fn a_poll_is_told_by_its_endpoint() {
        for (text, expected) in [
            (r#"{"job_status":"done","response":{"endpoint":"/v1/toolkit/job/status","code":200}}"#, Toolkit::Poll),
            (r#"{"job_status":"done","response":{"endpoint":"/v1/toolkit/authenticate"}}"#, Toolkit::Poll),
            (r#"{"job_status":"done","response":{"endpoint":"/v1/video/caption"}}"#, Toolkit::Job),
            (r#"{"job_status":"done","response":{"response":{"endpoint":"/v1/toolkit/test"}}}"#, Toolkit::Job),
            (r#"{"job_status":"done","response":"/v1/toolkit/"}"#, Toolkit::Job),
            (r#"{"job_status":"running","process_id":7,"response":null}"#, Toolkit::Unclear),
            (r#"{"job_status":"queued","process_id":7,"response":null}"#, Toolkit::Job),
            (r#"{"job_status":"running"}"#, Toolkit::Job),
            (r#"{"\ud800":1,"response":{"\ud800":1,"endpoint":"/v1/toolkit/test"}}"#, Toolkit::Poll),
            ("{}", Toolkit::Job),
        ] {
            assert!(Toolkit::judge(text) == expected, "{text}");
        }
    }
}
