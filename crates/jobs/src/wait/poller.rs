//! Asks for one job, again and again, as `docs/clients.md` says.
//!
//! It asks by GET, and says which status it knows already. A deployment from before GET knows only
//! POST: its gateway answers a GET as if there were no such route. Then the poller goes on by POST.

use std::time::Duration;

use job_status::chain;
use reqwest::{Method, header::HeaderValue};
use serde_json::json;

use super::status::Status;
use crate::{
    endpoint::{Endpoint, Question, Reply},
    failure::Failure,
};

/// Asks for one job.
pub struct Poller {
    endpoint: Endpoint,
    job_id: String,
    method: Method,
    /// The newest status and its `etag`.
    known: Option<(HeaderValue, Status)>,
}

/// What one poll says.
pub enum Answer {
    Status(Status),
    /// No such job, or none that this key may see.
    NoSuchJob {
        retry_after: Option<Duration>,
    },
    /// None: busy, or a fault that may pass.
    None {
        why: String,
        retry_after: Option<Duration>,
    },
}

impl Poller {
    /// For a job at an endpoint.
    pub fn new(endpoint: Endpoint, job_id: String) -> Self {
        Self { endpoint, job_id, method: Method::GET, known: None }
    }

    /// Polls once, for `limit` at most.
    ///
    /// # Errors
    /// The request is wrong: the same one would get the same answer.
    pub async fn poll(&mut self, limit: Duration) -> Result<Answer, Failure> {
        let reply = match self.ask(limit).await {
            Ok(reply) if self.method == Method::GET && has_no_route(&reply) => {
                self.method = Method::POST;
                self.ask(limit).await
            }
            result => result,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Ok(Answer::None { why: chain(&error), retry_after: None }),
        };
        let retry_after = reply.retry_after();
        let said = format!("HTTP {}: {}", reply.status.as_u16(), reply.error().unwrap_or_default());
        match reply.status.as_u16() {
            200 | 304 => self.status(&reply).map(Answer::Status).ok_or_else(|| self.no_endpoint("something else answers")),
            401 => Err(Failure::refused("the API key is not accepted").advise(
                "see that JOBS_API_KEY or --api-key-file has the whole key, and ask whoever gave it to you whether it is still valid",
            )),
            404 if reply.has("job_id") => Ok(Answer::NoSuchJob { retry_after }),
            _ if has_no_route(&reply) => Err(self.no_endpoint(&said)),
            403 => Err(Failure::refused(said).advise("ask whoever runs the API: its gateway refuses this key or address")),
            429 | 500.. => Ok(Answer::None { why: said, retry_after }),
            300..=399 => {
                let to = reply.header("location").unwrap_or("elsewhere");
                Err(self.no_endpoint(&format!("the answer leads to {to}")))
            }
            _ => Err(Failure::usage(said).advise("see docs/clients.md: the same request gets the same answer again")),
        }
    }

    async fn ask(&self, limit: Duration) -> reqwest::Result<Reply> {
        let route = self.endpoint.route;
        let question = if self.method == Method::GET {
            Question::get(route).with("job_id", &self.job_id)
        } else {
            Question::post(route, json!({ "job_id": self.job_id }).to_string())
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
