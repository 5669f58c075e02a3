//! One request, top to bottom: route → key → payload → status file → envelope → reply.
//!
//! `Endpoint::handle` is that way. Every step either goes on or ends it with an [`Error`]. Nothing
//! of the payload is looked at before the key is accepted, and S3 is not asked for a job before both
//! are. [`Endpoint::answer`] is what happens to every request alike: the time budget, the last net
//! under a panic, the headers, the log line.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aws_smithy_async::time::SharedTimeSource;
use futures_util::{FutureExt, TryFutureExt};
use http::{Method, Response};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::{
    call::Call,
    cause::chain,
    encoding::{Body, DoesNotFit, encode, largest},
    envelope::{self, Identity},
    error::Error,
    freshness::{Freshness, weak},
    keyring::live::{LiveKeyring, LoadError},
    limits::{ATTEMPT_TIMEOUT, DEADLINE_RESERVE, MAX_STATUS_FILE, PROBE_BUDGET, REQUEST_BUDGET},
    log::RequestLine,
    request::{JobId, Payload},
    response::Reply,
    s3::{
        S3,
        bucket::Bucket,
        failure::FailureKind,
        object::{Get, ReadStats},
    },
    settings::Settings,
    status_file::{State, StatusFile},
    turns::{Turn, Turns},
};

/// The routes. Each may have a stage name or a base path in front.
pub const ROUTES: [&str; 2] = ["/v1/toolkit/job/status", "/paid/get/job/status"];

/// The endpoint: what an environment keeps between requests.
pub struct Endpoint {
    s3: S3,
    keyring: LiveKeyring,
    jobs_bucket: Bucket,
    jobs_prefix: String,
    stalled_after: Option<Duration>,
    clock: SharedTimeSource,
    identity: Identity,
    turns: Turns,
    has_served: AtomicBool,
}

impl Endpoint {
    /// Loads the keyring, then reads a status file that does not exist, while init has the whole
    /// CPU. The read shows whether status files can be read at all. It also opens the connection
    /// that the first request will use, which then takes 0.15 ms instead of 0.9. If the read fails,
    /// that is only a warning: requests will say the same, and S3 may recover.
    ///
    /// # Errors
    /// There is no keyring to judge requests by.
    pub async fn start(settings: Settings, s3: S3, clock: SharedTimeSource) -> Result<Self, LoadError> {
        let keyring = LiveKeyring::load(settings.api_keys, &s3, clock.now()).await?;
        let identity = Identity::default();
        info!(
            event = "started",
            version = env!("CARGO_PKG_VERSION"),
            queue_id = identity.queue_id,
            trust_store = settings.trust_store.name,
            "started"
        );
        let endpoint = Self {
            s3,
            keyring,
            jobs_bucket: settings.jobs_bucket,
            jobs_prefix: settings.jobs_prefix,
            stalled_after: settings.stalled_after,
            clock,
            identity,
            turns: Turns::new(settings.memory),
            has_served: AtomicBool::new(false),
        };
        endpoint.probe().await;
        Ok(endpoint)
    }

    /// Reads the status file of no job. The keyring's read does not show the same: its bucket may be
    /// another, and so another host and another connection.
    async fn probe(&self) {
        let (get, mut stats) = (self.status_file("", JobId::NIL, MAX_STATUS_FILE), ReadStats::default());
        let read = timeout(PROBE_BUDGET, self.s3.get(&get, &mut stats)).await;
        if let Err(failure) = read.unwrap_or_else(|elapsed| Err(elapsed.into()))
            && failure.kind != FailureKind::NoSuchKey
        {
            let hint = failure.hint();
            warn!(event = "probe_failed", error = chain(&failure), hint, "status files cannot be read");
        }
    }

    /// Answers a call, whatever happens. The turn is to be kept until the answer is sent.
    pub async fn answer(&self, call: &Call) -> (Response<Body>, Turn) {
        let started = Instant::now();
        let mut line = RequestLine {
            request_id: &call.invocation.request_id,
            trace_id: call.invocation.trace_id.as_deref(),
            cold: !self.has_served.swap(true, Ordering::Relaxed),
            method: call.method.as_ref().map(Method::as_str),
            route: None,
            key: None,
            job_id: None,
            s3: ReadStats::default(),
            bytes: None,
            stalled: None,
            nonsense: 0,
        };
        let budget = self.budget(call);
        let handled = timeout(budget, self.handle(call, started, &mut line).unwrap_or_else(Reply::from));
        let reply = match AssertUnwindSafe(handled).catch_unwind().await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_elapsed)) => Error::timed_out(budget, &mut line.s3).into(),
            Err(panic) => Error::panicked(panic_message(&*panic)).into(),
        };
        line.write(reply.outcome, reply.status.as_u16(), started.elapsed(), reply.cause.as_ref());
        (reply.into_response(call), line.s3.turn)
    }

    /// The way of a request.
    async fn handle(&self, call: &Call, started: Instant, line: &mut RequestLine<'_>) -> Result<Reply, Error> {
        let route = ROUTES.into_iter().find(|route| matches(&call.path, route));
        line.route = Some(route.ok_or_else(Error::unknown_path)?);
        let is_get = match call.method {
            Some(Method::GET) => true,
            Some(Method::POST) => false,
            _ => return Err(Error::method_not_allowed()),
        };

        let now = self.clock.now();
        let keyring = self.keyring.current(now).await?;
        let presented = call.api_key.as_ref().filter(|key| !key.is_empty()).ok_or_else(Error::unauthorized)?;
        let key = keyring.find(presented.as_bytes(), now).ok_or_else(Error::unauthorized)?;
        line.key = Some(key.name.clone());

        let payload = if is_get { Payload::from_query(&call.query)? } else { Payload::from_body(&call.body)? };
        line.job_id = Some(payload.job_id);

        let (gzip, max_payload) = (call.gzip, call.max_payload);
        let max_bytes = MAX_STATUS_FILE.min(largest(gzip, max_payload) as u64);
        let get = self.status_file(&key.folder, payload.job_id, max_bytes);
        let read = self.s3.get(&get, &mut line.s3).await;
        let object = read.map_err(|failure| match line.s3.announced {
            // Compressed, it might have been read.
            Some(size) if failure.kind == FailureKind::TooLarge && size <= MAX_STATUS_FILE => {
                DoesNotFit::uncompressed(size, max_payload, gzip).into()
            }
            _ => Error::not_read(&payload.job_id, failure),
        })?;
        line.bytes = Some(object.bytes.len());
        let file = line.s3.turn.work(move || StatusFile::check(object.bytes)).await?;
        let outcome = outcome(file.progress.state);
        let age = object.last_modified.and_then(|written| now.duration_since(written).ok()).unwrap_or_default();
        let stalled = file.progress.is_stalled(age, self.stalled_after);
        let freshness = Freshness {
            etag: object.etag.as_deref().map(weak),
            last_modified: object.last_modified,
            sunset: object.expires,
            stalled: stalled.then_some(age.as_secs()),
            retry_after: file.progress.retry_after(age, stalled),
        };
        line.stalled = freshness.stalled;
        line.nonsense = file.progress.nonsense;
        if is_get && call.if_none_match.as_deref().is_some_and(|header| freshness.is_known_to(header)) {
            return Ok(Reply::not_modified(outcome, freshness));
        }

        let head = envelope::head(&payload);
        let tail = envelope::tail(&self.identity, started.elapsed());
        let encoded = move || encode(&[&head, &file.text, &tail], gzip, max_payload);
        let body = line.s3.turn.work(encoded).await?;
        Ok(Reply::found(outcome, body, freshness))
    }

    fn status_file(&self, folder: &str, job_id: JobId, max_bytes: u64) -> Get<'_> {
        Get {
            bucket: &self.jobs_bucket,
            key: format!("{}{folder}{job_id}.json", self.jobs_prefix),
            max_bytes,
            turns: Some(&self.turns),
            attempt_timeout: ATTEMPT_TIMEOUT,
        }
    }

    fn budget(&self, call: &Call) -> Duration {
        let left = call.invocation.deadline.duration_since(self.clock.now()).unwrap_or_default();
        REQUEST_BUDGET.min(left.saturating_sub(DEADLINE_RESERVE))
    }
}

/// Whether `path` is `route`. Segments in front and a slash at the end are allowed. The path is
/// compared as it arrived: a percent-encoded spelling is another path, and `%2F` is no slash.
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

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").into()
}
