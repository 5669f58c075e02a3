//! One request, top to bottom: route → key → payload → status file → envelope → reply.
//!
//! `Endpoint::handle` is that way. Every step either goes on or ends it with a [`Reply`]. Nothing of the payload is
//! looked at before the key is accepted, and S3 is not asked for a job before both are. [`Endpoint::answer`] does what
//! every request needs: the time budget, the last net under a panic, the headers, the log line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use aws_sdk_s3::config::ProvideCredentials;
use aws_smithy_async::time::SharedTimeSource;
use futures_util::FutureExt;
use http::Method;
use tokio::time::{Instant, timeout};
use tower::BoxError;
use tracing::{info, warn};

use crate::{
    cause::chain,
    encoding::{encode, largest},
    envelope,
    freshness::{Freshness, weak},
    keyring::live::LiveKeyring,
    large_files::{LargeFiles, work},
    limits::{ATTEMPT_TIMEOUT, DEADLINE_RESERVE, MAX_STATUS_FILE, PROBE_BUDGET, REQUEST_BUDGET},
    log::RequestLine,
    reply::Reply,
    request::{Invocation, JobId, Payload, Request},
    s3::{
        S3,
        bucket::Bucket,
        connector,
        failure::{Failure, FailureKind},
        object::{Fetched, Get, Object, ReadStats},
    },
    settings::Settings,
    status_file::StatusFile,
};

/// The routes. Each may have a stage name or a base path in front, and a slash at the end.
pub const ROUTES: [&str; 2] = ["/v1/toolkit/job/status", "/paid/get/job/status"];

/// What an environment keeps between requests.
pub struct Endpoint {
    s3: S3,
    keyring: LiveKeyring,
    jobs_bucket: Bucket,
    jobs_prefix: String,
    stalled_after: Option<Duration>,
    unfinished_states: Arc<[String]>,
    clock: SharedTimeSource,
    pid: u32,
    queue_id: u64,
    large_files: Option<LargeFiles>,
    has_served: AtomicBool,
}

impl Endpoint {
    /// Starts with an S3 client of its own, as [`start_over`](Self::start_over) does with any.
    ///
    /// # Errors
    /// TLS cannot be set up, or there is no keyring to judge requests by.
    pub async fn start(
        settings: Settings,
        credentials: impl ProvideCredentials + 'static,
        clock: SharedTimeSource,
    ) -> Result<Self, BoxError> {
        let connector = connector(settings.trust_store.roots.clone())?;
        let s3 = S3::over(connector, settings.concurrency.get(), credentials, clock.clone());
        Self::start_over(s3, settings, clock).await
    }

    /// Loads the keyring, then reads a status file that does not exist, while init has the whole CPU. The read shows
    /// whether status files can be read at all. It also opens the connection for the first request, which then takes
    /// 0.15 ms instead of 0.9. If the read fails, that is only a warning: S3 may recover.
    ///
    /// # Errors
    /// There is no keyring to judge requests by.
    pub async fn start_over(s3: S3, settings: Settings, clock: SharedTimeSource) -> Result<Self, BoxError> {
        settings.warn();
        let keyring = LiveKeyring::load(settings.api_keys, &s3, clock.now()).await?;
        let queue_id = envelope::new_queue_id();
        info!(
            event = "started",
            version = env!("CARGO_PKG_VERSION"),
            queue_id,
            trust_store = settings.trust_store.name,
            "started"
        );
        let endpoint = Self {
            s3,
            keyring,
            jobs_bucket: settings.jobs_bucket,
            jobs_prefix: settings.jobs_prefix,
            stalled_after: settings.stalled_after,
            unfinished_states: settings.unfinished_states.into(),
            clock,
            pid: std::process::id(),
            queue_id,
            large_files: LargeFiles::new(settings.concurrency, settings.memory),
            has_served: AtomicBool::new(false),
        };
        endpoint.probe().await;
        Ok(endpoint)
    }

    /// Reads the status file of no job. The keyring's read does not show the same: its bucket may be another.
    async fn probe(&self) {
        let (get, mut read) = (self.status_file("", JobId::NIL, MAX_STATUS_FILE), ReadStats::default());
        let read = timeout(PROBE_BUDGET, self.s3.get(&get, &mut read)).await;
        if let Err(failure) = read.unwrap_or_else(|elapsed| Err(Failure::new(FailureKind::TimedOut, elapsed)))
            && failure.kind != FailureKind::NoSuchKey
        {
            let hint = failure.hint();
            warn!(event = "probe_failed", error = chain(&failure), hint, "status files cannot be read");
        }
    }

    /// Answers a request, whatever happens.
    pub async fn answer(&self, request: &Request, invocation: &Invocation) -> Reply {
        let started = Instant::now();
        let mut line = RequestLine {
            request_id: &invocation.request_id,
            trace_id: invocation.trace_id.as_deref(),
            cold: !self.has_served.swap(true, Ordering::Relaxed),
            ..RequestLine::default()
        };
        let mut read = ReadStats::default();
        // A deadline that has passed already does not count: emulators send such.
        let left = invocation.deadline.duration_since(self.clock.now()).ok().filter(|left| !left.is_zero());
        let budget = left.map_or(REQUEST_BUDGET, |left| REQUEST_BUDGET.min(left.saturating_sub(DEADLINE_RESERVE)));
        let handled = timeout(budget, self.handle(request, started, &mut line, &mut read));
        let reply = match AssertUnwindSafe(handled).catch_unwind().await {
            Ok(Ok(Ok(reply) | Err(reply))) => reply,
            Ok(Err(_elapsed)) => Reply::timed_out(budget, &read),
            Err(panic) => Reply::panicked(panic_message(&*panic)),
        };
        line.write(&reply, started.elapsed(), &read);
        reply.answering(request, &invocation.request_id)
    }

    /// The way of a request. It fills in `line` and `read` for the log.
    async fn handle(
        &self,
        request: &Request,
        started: Instant,
        line: &mut RequestLine<'_>,
        read: &mut ReadStats,
    ) -> Result<Reply, Reply> {
        // Compared as it arrived: a percent-encoded spelling is another path, and `%2F` is no slash. A route begins
        // with a slash, so only whole segments can be in front of it.
        let path = request.path.strip_suffix('/').unwrap_or(&request.path);
        if !ROUTES.iter().any(|route| path.ends_with(route)) {
            return Err(Reply::unknown_path());
        }
        if !matches!(request.method, Some(Method::GET | Method::POST)) {
            return Err(Reply::method_not_allowed());
        }

        let presented = request.api_key.as_ref().filter(|key| !key.is_empty()).ok_or_else(Reply::unauthorized)?;
        let now = self.clock.now();
        let keyring = self.keyring.current(now).await.ok_or_else(Reply::keyring_stale)?;
        let key = keyring.find(presented.as_bytes(), now).ok_or_else(Reply::unauthorized)?;
        line.key = Some(key.name.clone());

        let payload = Payload::parse(request)?;
        line.job_id = Some(payload.job_id);

        let max_bytes = MAX_STATUS_FILE.min(largest(request.gzip, request.max_payload) as u64);
        let get = self.status_file(&key.prefix, payload.job_id, max_bytes);
        let object = self.s3.get(&get, read).await.and_then(Fetched::object);
        let object = object.map_err(|failure| Reply::not_read(request, &payload.job_id, failure))?;
        let Object { bytes, etag, last_modified, expires, permit } = object;
        line.bytes = Some(bytes.len());

        let unfinished = Arc::clone(&self.unfinished_states);
        let file = work(permit.as_ref(), &mut read.waited, move || StatusFile::check(bytes, &unfinished)).await?;
        let age = last_modified.and_then(|written| now.duration_since(written).ok()).unwrap_or_default();
        let stalled = file.progress.is_stalled(age, self.stalled_after);
        let freshness = Freshness {
            etag: etag.as_deref().map(weak),
            last_modified,
            sunset: expires,
            stalled: stalled.then_some(age.as_secs()),
            retry_after: file.progress.retry_after(age, stalled),
        };
        line.stalled = freshness.stalled;
        (line.invalid_hints, line.repaired) = (file.progress.invalid_hints, file.repaired);
        if request.is_get() && request.if_none_match.as_deref().is_some_and(|header| freshness.is_known_to(header)) {
            return Ok(Reply::not_modified(file.progress.outcome, freshness));
        }

        let (job, gzip, max_payload) = (file.progress.outcome, request.gzip, request.max_payload);
        let (head, tail) = (envelope::head(&payload), envelope::tail(self.pid, self.queue_id, started.elapsed()));
        let encoded = move || encode(&[&head, &file.text, &tail], gzip, max_payload);
        let encoded = work(permit.as_ref(), &mut read.waited, encoded).await?;
        Ok(Reply { permit, ..Reply::found(job, encoded, freshness) })
    }

    fn status_file(&self, prefix: &str, job_id: JobId, max_bytes: u64) -> Get<'_> {
        Get {
            bucket: &self.jobs_bucket,
            key: format!("{}{prefix}{job_id}.json", self.jobs_prefix),
            unless: None,
            max_bytes,
            large_files: self.large_files.as_ref(),
            attempt_timeout: ATTEMPT_TIMEOUT,
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").into()
}
