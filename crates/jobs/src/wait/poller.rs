//! Asks for one job, again and again, as `docs/clients.md` says.
//!
//! It asks by GET, and says which status it knows already. A deployment from before GET knows only
//! POST: its gateway answers a GET as if there were no such route. Then the poller goes on by POST.

use std::time::Duration;

use job_status::{JobId, chain};
use reqwest::{Method, header::HeaderValue};
use serde_json::json;

use super::status::Status;
use crate::{
    endpoint::{Endpoint, LARGEST_ANSWER, Question, Reply},
    failure::Failure,
    output::line,
};

/// Asks for one job.
pub struct Poller {
    endpoint: Endpoint,
    job_id: JobId,
    method: Method,
    /// The newest status and its `etag`.
    known: Option<(HeaderValue, Status)>,
}

/// What one poll says.
pub enum Answer {
    Status(Status),
    /// Nothing: busy, or a fault that may pass.
    None {
        why: String,
        retry_after: Option<Duration>,
    },
    /// The same request would get the same answer, as far as that can be known.
    Refused(Refusal),
}

/// An answer that another poll would get as well.
pub struct Refusal {
    pub kind: Kind,
    /// How a wait ends that ends with it.
    pub failure: Failure,
    pub retry_after: Option<Duration>,
}

/// What is refused, or who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such job, or none that this key may see.
    NoSuchJob,
    /// Any other answer with this HTTP status.
    Status(u16),
}

impl Poller {
    /// For a job at an endpoint.
    pub fn new(endpoint: Endpoint, job_id: JobId) -> Self {
        Self { endpoint, job_id, method: Method::GET, known: None }
    }

    /// Polls once, for `limit` at most.
    pub async fn poll(&mut self, limit: Duration) -> Answer {
        let reply = match self.ask(&self.method, limit).await {
            Ok(reply) if self.method == Method::GET && has_no_route(&reply) => {
                let again = self.ask(&Method::POST, limit).await;
                // If GET has brought a status before, it is somebody else's odd answer.
                if self.known.is_none() && again.as_ref().is_ok_and(|reply| !has_no_route(reply)) {
                    self.method = Method::POST;
                }
                again
            }
            result => result,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Answer::None { why: line(&chain(&error)), retry_after: None },
        };
        let (status, retry_after) = (reply.status.as_u16(), reply.retry_after());
        if matches!(status, 200 | 304)
            && let Some(status) = self.status(&reply)
        {
            return Answer::Status(status);
        }
        let said = format!("HTTP {status}: {}", reply.error().unwrap_or_default());
        if matches!(status, 408 | 425 | 429 | 500..) {
            return Answer::None { why: said, retry_after };
        }
        let is_unknown = status == 404 && reply.has("job_id");
        let kind = if is_unknown { Kind::NoSuchJob } else { Kind::Status(status) };
        let failure = match status {
            _ if is_unknown => Failure::not_found("there is no such job, or this key may not see it")
                .advise("check the job's id; a key with a prefix sees only the jobs below it"),
            200 if reply.body.len() > LARGEST_ANSWER => self.no_endpoint("the answer is larger than any status"),
            200 | 304 => self.no_endpoint("something else answers"),
            300..=399 => self.no_endpoint(&format!("the answer leads to {}", line(reply.header("location").unwrap_or("elsewhere")))),
            401 => Failure::refused("the API key is not accepted").advise(
                "see that JOBS_API_KEY or --api-key-file has the whole key, and ask whoever gave it to you whether it is still valid",
            ),
            _ if has_no_route(&reply) => self.no_endpoint(&said),
            403 => Failure::refused(said).advise("ask whoever runs the API: its gateway refuses this key or address"),
            _ => Failure::usage(said).advise("see docs/clients.md: the same request gets the same answer again"),
        };
        Answer::Refused(Refusal { kind, failure, retry_after })
    }

    async fn ask(&self, method: &Method, limit: Duration) -> reqwest::Result<Reply> {
        let route = self.endpoint.route;
        let question = if method == Method::GET {
            Question::get(route).with("job_id", &self.job_id.to_string())
        } else {
            Question::post(route, json!({ "job_id": self.job_id.to_string() }).to_string())
        };
        let if_none_match = self.known.as_ref().map(|(etag, _)| etag.clone());
        self.endpoint.ask(Question { if_none_match, timeout: limit, ..question }).await
    }

    /// The status that a 200 brings, or a 304 brings up to date.
    fn status(&mut self, reply: &Reply) -> Option<Status> {
        let status = match &self.known {
            Some((_, known)) if reply.status == 304 => known.clone().at(reply),
            _ => Status::of(reply)?,
        };
        self.known = reply.headers.get("etag").map(|etag| (etag.clone(), status.clone()));
        Some(status)
    }

    fn no_endpoint(&self, why: &str) -> Failure {
        let url = self.endpoint.url(self.endpoint.route);
        Failure::usage(format!("{url} is no job-status endpoint ({why})"))
            .advise("give --url the API's base, with its stage if it has one, such as https://api.example.com/prod")
    }
}

/// Whether the gateway, or the function itself, knows no such path or method. API Gateway's REST APIs
/// say it with a 403.
fn has_no_route(reply: &Reply) -> bool {
    match reply.status.as_u16() {
        404 => !reply.has("job_id"),
        405 => true,
        403 => reply.error().is_some_and(|error| error.starts_with("Missing Authentication Token")),
        _ => false,
    }
}
