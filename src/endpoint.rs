//! One request, top to bottom: route → key → payload → status file → envelope → response.
//!
//! `Endpoint::serve` is that way; every step either goes on or ends it with an
//! [`Error`]. Nothing of the payload is looked at before the key is
//! accepted, and S3 is not asked for a job before both are. [`Endpoint::answer`] is what happens
//! to every request alike: the time budget, the last net under a panic, the headers, the log line.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use aws_smithy_async::time::SharedTimeSource;
use futures_util::FutureExt;
use lambda_http::{
    Body, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::{
    Settings,
    encoding::{DoesNotFit, encode},
    envelope::{self, Environment},
    error::{Error, chain},
    front_door::Call,
    keyring::{LiveKeyring, LoadError},
    limits::{DEADLINE_RESERVE, MAX_STATUS_FILE, PROBE_BUDGET, REQUEST_BUDGET},
    log::RequestLine,
    request::{JobId, Payload},
    s3::{Bucket, Effort, Failure, Get, Kind, S3},
    status_file::{State, StatusFile},
};

/// The routes. Each may have a stage name or a base path in front.
pub const ROUTES: [&str; 2] = ["/paid/get/job/status", "/v1/toolkit/job/status"];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The endpoint: what an environment keeps between requests.
pub struct Endpoint {
    s3: S3,
    keyring: LiveKeyring,
    jobs_bucket: Bucket,
    jobs_prefix: String,
    clock: SharedTimeSource,
    environment: Environment,
    has_served: AtomicBool,
}

impl Endpoint {
    /// Loads the keyring and opens the connection that the first request will use (which takes
    /// 0.15 ms instead of 0.9), while init has the whole CPU, with a read that shows whether status
    /// files can be read at all. That this fails is a warning: requests will say the same, and S3
    /// may recover.
    ///
    /// # Errors
    /// There is no keyring to judge requests by.
    pub async fn start(settings: Settings, s3: S3, clock: SharedTimeSource) -> Result<Self, LoadError> {
        let keyring = LiveKeyring::load(settings.api_keys, &s3, clock.now()).await?;
        let environment = Environment::new();
        info!(
            event = "started",
            version = env!("CARGO_PKG_VERSION"),
            queue_id = environment.queue_id,
            trust_store = settings.trust_store.name,
            "started"
        );
        let endpoint = Self {
            s3,
            keyring,
            jobs_bucket: settings.jobs_bucket,
            jobs_prefix: settings.jobs_prefix,
            clock,
            environment,
            has_served: AtomicBool::new(false),
        };
        endpoint.probe().await;
        Ok(endpoint)
    }

    /// Reads the status file of no job. The keyring's read would not do: its bucket may be another,
    /// which is another host and another connection.
    async fn probe(&self) {
        let (get, mut effort) = (self.status_file("", JobId::NIL), Effort::default());
        let read = timeout(PROBE_BUDGET, self.s3.get(&get, &mut effort)).await;
        if let Err(failure) = read.unwrap_or_else(|elapsed| Err(Failure::timed_out(elapsed)))
            && failure.kind != Kind::NoSuchKey
        {
            let hint = failure.hint();
            warn!(event = "probe_failed", error = chain(&failure), hint, "status files cannot be read");
        }
    }

    /// Answers a call, whatever happens.
    pub async fn answer(&self, call: &Call) -> Response<Body> {
        let started = Instant::now();
        let mut line = RequestLine {
            request_id: &call.request_id,
            cold: !self.has_served.swap(true, Ordering::Relaxed),
            route: None,
            key: None,
            job_id: None,
            s3: Effort::default(),
            bytes: None,
        };
        let budget = self.budget(call);
        let served = AssertUnwindSafe(timeout(budget, self.serve(call, started, &mut line))).catch_unwind().await;
        let answer = match served {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::timed_out(budget, line.s3.last_failure.take())),
            Err(panic) => Err(Error::panicked(panic_message(&*panic))),
        };
        let (outcome, cause, mut response) = match answer {
            Ok((state, response)) => (outcome(state), None, response),
            Err(error) => (error.outcome, error.cause, error_response(error.status, error.body, error.retry_after)),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(request_id) = HeaderValue::from_str(&call.request_id) {
            headers.insert(X_REQUEST_ID, request_id);
        }
        line.write(outcome, response.status().as_u16(), started.elapsed(), cause.as_ref());
        response
    }

    /// The way of a request.
    async fn serve(
        &self,
        call: &Call,
        started: Instant,
        line: &mut RequestLine<'_>,
    ) -> Result<(State, Response<Body>), Error> {
        let route = ROUTES.into_iter().find(|route| matches(&call.path, route));
        line.route = Some(route.ok_or_else(Error::unknown_path)?);
        if call.method != Method::POST {
            return Err(Error::method_not_allowed());
        }

        let now = self.clock.now();
        let keyring = self.keyring.current(now).await?;
        let presented = call.api_key.as_ref().filter(|key| !key.is_empty()).ok_or_else(Error::unauthorized)?;
        let key = keyring.find(presented.as_bytes(), now).ok_or_else(Error::unauthorized)?;
        line.key = Some(key.name.clone());

        let payload = Payload::parse(&call.body)?;
        line.job_id = Some(payload.job_id);

        let get = self.status_file(&key.folder, payload.job_id);
        let object =
            self.s3.get(&get, &mut line.s3).await.map_err(|failure| Error::not_read(&payload.job_id, failure))?;
        line.bytes = Some(object.bytes.len());
        let file = StatusFile::check(object.bytes, object.last_modified).map_err(Error::malformed)?;

        let head = envelope::head(&payload);
        let tail = envelope::tail(&self.environment, started.elapsed());
        let limit = call.front_door.max_payload();
        let encoded = encode(&[&head, &file.text, &tail], call.accepts_gzip, limit)
            .map_err(|DoesNotFit { size, fits_compressed }| Error::does_not_fit(size, limit, fits_compressed))?;

        let compressed = matches!(encoded.body, Body::Binary(_));
        let mut response = Response::new(encoded.body);
        if encoded.negotiated {
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if compressed {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(seconds) = file.retry_after(now) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        Ok((file.state, response))
    }

    fn status_file(&self, folder: &str, job_id: JobId) -> Get<'_> {
        Get {
            bucket: &self.jobs_bucket,
            key: format!("{}{folder}{job_id}.json", self.jobs_prefix),
            etag: None,
            max_bytes: MAX_STATUS_FILE,
        }
    }

    fn budget(&self, call: &Call) -> Duration {
        let left = call.deadline.duration_since(self.clock.now()).unwrap_or_default();
        REQUEST_BUDGET.min(left.saturating_sub(DEADLINE_RESERVE))
    }
}

/// Whether `path` is `route`, with or without segments in front and a slash at the end. Compared
/// as it arrived: a percent-encoded spelling is another path, `%2F` no slash.
fn matches(path: &str, route: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.ends_with(route) // a route begins with a slash, so the match begins at a segment
}

/// The log's word for a job's state; `failed` alone means that *we* failed.
fn outcome(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::Submitted => "submitted",
        State::Done => "done",
        State::Failed => "job_failed",
        State::Other => "other",
    }
}

fn error_response(status: StatusCode, body: String, retry_after: Option<u64>) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").into()
}
