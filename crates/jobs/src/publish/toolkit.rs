//! Polls of a toolkit, which are no jobs.
//!
//! The no-code-architects-toolkit writes a status file for each request to it, those about jobs among
//! them: `running` when the request comes, and at once `done`, with a copy of the answer. Nobody asks
//! for such a file, and it has somebody else's result in it.

use serde::Deserialize;

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

#[derive(Deserialize)]
struct Status<'s> {
    job_status: Option<&'s str>,
    process_id: Option<u64>,
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    endpoint: Option<String>,
}

impl Toolkit {
    /// What a checked status file is of.
    pub fn judge(text: &str) -> Self {
        match serde_json::from_str::<Status>(text) {
            Ok(Status { response: Some(response), .. }) => match response.endpoint {
                Some(endpoint) if endpoint.starts_with("/v1/toolkit/") => Self::Poll,
                _ => Self::Job,
            },
            Ok(Status { job_status: Some("running"), process_id: Some(_), response: None }) => Self::Unclear,
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
            ("{}", Toolkit::Job),
        ] {
            assert!(Toolkit::judge(text) == expected, "{text}");
        }
    }
}
