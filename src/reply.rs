//! Every answer: a constructor for each outcome, with its status, headers, body, and what the operator reads.
//!
//! A failure has two messages. The caller's is part of the contract: it is safe, it is the same for the same mistake,
//! and it says what to do. The operator's is a [`Cause`]: it exists only if something went wrong on our side.
//!
//! The modules that fail know nothing of HTTP. Their failures become replies here and nowhere else.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    cause::{Cause, chain},
    encoding::{Body, DoesNotFit, Encoded},
    freshness::Freshness,
    large_files::Permit,
    limits::{MAX_STATUS_FILE, SPREAD_FROM_SECONDS, THROTTLED_RETRY_AFTER_SECONDS},
    request::{BadPayload, JobId, Request},
    s3::{
        failure::{Failure, FailureKind},
        object::ReadStats,
    },
    status_file::{Malformed, progress::JobOutcome},
};

const SUNSET: HeaderName = HeaderName::from_static("sunset");
const X_JOB_OUTCOME: HeaderName = HeaderName::from_static("x-job-outcome");
const X_JOB_STALLED: HeaderName = HeaderName::from_static("x-job-stalled");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The answer to a request.
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers, all of them once the endpoint has answered.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    pub(crate) outcome: Outcome,
    /// What the operator reads, if something went wrong on our side.
    pub(crate) cause: Option<Cause>,
    pub(crate) permit: Option<Permit>,
}

/// How a request ended: the `outcome` on its log line.
#[derive(Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Outcome {
    /// The job is known.
    Job(JobOutcome),
    NotFound, UnknownPath, MethodNotAllowed, Unauthorized, BadRequest, TooLarge, Throttled, Failed,
}

impl Outcome {
    /// The log's word. `failed` alone means that *we* failed.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Job(JobOutcome::Failed) => "job_failed",
            Self::Job(outcome) => outcome.word(),
            Self::NotFound => "not_found",
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }
}

impl Reply {
    /// 200: the status, in its envelope.
    pub(crate) fn found(job: JobOutcome, encoded: Encoded, freshness: Freshness) -> Self {
        Self::job(StatusCode::OK, job, encoded, freshness)
    }

    /// 304: the caller has this status already.
    pub(crate) fn not_modified(job: JobOutcome, freshness: Freshness) -> Self {
        let nothing = Encoded { body: Body::Text(String::new()), negotiated: false };
        Self::job(StatusCode::NOT_MODIFIED, job, nothing, freshness)
    }

    fn job(status: StatusCode, job: JobOutcome, Encoded { body, negotiated }: Encoded, freshness: Freshness) -> Self {
        let Freshness { etag, last_modified, sunset, stalled, retry_after } = freshness;
        let is_compressed = matches!(body, Body::Gzip(_));
        Self::new(status, Outcome::Job(job), body)
            .with(header::CONTENT_ENCODING, fixed("gzip", is_compressed))
            .with(header::ETAG, etag.and_then(|etag| etag.try_into().ok()))
            .with(header::LAST_MODIFIED, last_modified.and_then(date))
            .with(header::RETRY_AFTER, retry_after.map(|seconds| spread(seconds).into()))
            .with(SUNSET, sunset.and_then(date))
            .with(header::VARY, fixed("accept-encoding", negotiated))
            .with(X_JOB_OUTCOME, fixed(job.word(), true))
            .with(X_JOB_STALLED, stalled.map(HeaderValue::from))
    }

    /// 404: no route has this path.
    pub(crate) fn unknown_path() -> Self {
        Self::error(StatusCode::NOT_FOUND, Outcome::UnknownPath, "Not found")
    }

    /// 405: a route's path, but neither GET nor POST.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "Method not allowed: use GET or POST";
        Self::error(StatusCode::METHOD_NOT_ALLOWED, Outcome::MethodNotAllowed, message)
            .with(header::ALLOW, fixed("GET, POST", true))
    }

    /// 401: no key, or none that is accepted. Both get the same answer, so that nothing can be learned.
    pub(crate) fn unauthorized() -> Self {
        let message = "Unauthorized: send a valid API key in the x-api-key header";
        Self::error(StatusCode::UNAUTHORIZED, Outcome::Unauthorized, message)
    }

    /// 500: no good keyring has been read for too long.
    pub(crate) fn keyring_stale() -> Self {
        let error = "the keyring could not be read again within its time of grace".into();
        let hint = "see the keyring_refresh_failed lines before this one, and docs/keys.md";
        Self::failed("API keys cannot be checked at the moment", Cause { kind: "keyring_stale", error, hint })
    }

    /// S3 did not hand out the job's status file: 404, 429 or 500.
    pub(crate) fn not_read(request: &Request, job_id: &JobId, failure: Failure) -> Self {
        let message = failure.kind.row().caller;
        match (failure.kind, failure.announced) {
            // Only the gateway's limit is in the way.
            (FailureKind::TooLarge, Some(size)) if size <= MAX_STATUS_FILE => {
                DoesNotFit::uncompressed(size, request.max_payload, request.gzip).into()
            }
            (FailureKind::NoSuchKey, _) => {
                let body = json!({ "error": message, "job_id": job_id.to_string() }).to_string();
                Self::new(StatusCode::NOT_FOUND, Outcome::NotFound, Body::Text(body))
            }
            (FailureKind::SlowDown, _) => {
                let message = format!("{message}: try again in {THROTTLED_RETRY_AFTER_SECONDS} seconds");
                let reply = Self::error(StatusCode::TOO_MANY_REQUESTS, Outcome::Throttled, &message)
                    .with(header::RETRY_AFTER, Some(THROTTLED_RETRY_AFTER_SECONDS.into()));
                Self { cause: Some(failure.into()), ..reply }
            }
            _ => Self::failed(message, failure.into()),
        }
    }

    /// 500: the request's time is used up. The log says where the time went, and the hint names what took most of it:
    /// S3, or this environment.
    pub(crate) fn timed_out(budget: Duration, read: &ReadStats) -> Self {
        let [budget, s3, waited] = [budget, read.time, read.waited].map(|time| time.as_secs_f64());
        let rest = (budget - s3 - waited).max(0.0);
        let mut error = format!(
            "not answered within {budget:.1} s: {s3:.1} s for S3, {waited:.1} s waiting for a permit, {rest:.1} s for the rest"
        );
        if let Some(failure) = &read.last_failure {
            error = error + ": " + &chain(failure);
        }
        let (kind, hint) = if s3 >= waited + rest {
            ("timed_out", "S3 was slow, or the function's own time was nearly used up: compare s3_time with run_time")
        } else {
            let hint = "large status files took this environment's memory or CPU: raise its memory, send it fewer polls at once, or keep results elsewhere and link to them";
            ("busy", hint)
        };
        Self::failed("the request timed out", Cause { kind, error: error.into(), hint })
    }

    /// 500: a defect of this program. `message` is the panic's own.
    pub(crate) fn panicked(message: String) -> Self {
        let hint = "this is a defect: report it with the panic line logged just before";
        Self::failed("internal error", Cause { kind: "panic", error: message.into(), hint })
    }

    /// 500, with a log line that says why.
    fn failed(message: &str, cause: Cause) -> Self {
        let message = format!("Failed to retrieve job status: {message}");
        let reply = Self::error(StatusCode::INTERNAL_SERVER_ERROR, Outcome::Failed, &message);
        Self { cause: Some(cause), ..reply }
    }

    fn error(status: StatusCode, outcome: Outcome, message: &str) -> Self {
        let body = format!(r#"{{"error":{},"code":{}}}"#, json!(message), status.as_u16());
        Self::new(status, outcome, Body::Text(body))
    }

    fn new(status: StatusCode, outcome: Outcome, body: Body) -> Self {
        let has_body = status != StatusCode::NOT_MODIFIED;
        Self { status, headers: HeaderMap::new(), body, outcome, cause: None, permit: None }
            .with(header::CONTENT_TYPE, fixed("application/json", has_body))
            .with(header::CACHE_CONTROL, fixed("no-store", true))
            .with(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff", has_body))
    }

    fn with(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        if let Some(value) = value {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds what depends on the request.
    pub(crate) fn answering(self, request: &Request, request_id: &str) -> Self {
        // A caller may keep the answer to a GET, but has to ask whether it is still good.
        self.with(header::CACHE_CONTROL, fixed("private, no-cache", request.is_get()))
            .with(X_REQUEST_ID, HeaderValue::from_str(request_id).ok())
    }
}

fn fixed(value: &'static str, applies: bool) -> Option<HeaderValue> {
    applies.then(|| HeaderValue::from_static(value))
}

/// 413 or 400.
impl From<BadPayload> for Reply {
    fn from(bad: BadPayload) -> Self {
        match bad {
            BadPayload::TooLarge(message) => Self::error(StatusCode::PAYLOAD_TOO_LARGE, Outcome::TooLarge, &message),
            BadPayload::Invalid(message) => Self::error(StatusCode::BAD_REQUEST, Outcome::BadRequest, &message),
        }
    }
}

/// 500.
impl From<Malformed> for Reply {
    fn from(error: Malformed) -> Self {
        let (message, hint) = match error {
            Malformed::Empty => ("the status file is empty", None),
            Malformed::NotUtf8(_, hint) => ("the status file is not UTF-8", hint),
            Malformed::NotAnObject(_, hint) => ("the status file is not a JSON object", hint),
        };
        let hint = hint.unwrap_or(
            "a worker wrote a status file that is not one JSON object in UTF-8: look at the object and at its writer",
        );
        Self::failed(message, Cause { kind: "malformed_status_file", error: error.into(), hint })
    }
}

/// 500.
impl From<DoesNotFit> for Reply {
    fn from(DoesNotFit { size, limit, may_fit_compressed }: DoesNotFit) -> Self {
        let message = if may_fit_compressed {
            "the status is too large to be sent uncompressed: send accept-encoding: gzip"
        } else {
            "the status is too large"
        };
        let size = size.map_or("more than".into(), |size| format!("{size} bytes of"));
        let error = format!("the response takes {size} the {limit} that the gateway passes on").into();
        let hint = "a worker wrote a status file too large to be answered: keep results elsewhere and link to them";
        Self::failed(message, Cause { kind: "response_too_large", error, hint })
    }
}

/// An HTTP date.
fn date(time: SystemTime) -> Option<HeaderValue> {
    DateTime::from(time).fmt(DateTimeFormat::HttpDate).ok()?.try_into().ok()
}

/// From [`SPREAD_FROM_SECONDS`] on, a random number up to a tenth away: callers who came together do not come back
/// together.
fn spread(seconds: u64) -> u64 {
    if seconds < SPREAD_FROM_SECONDS {
        return seconds;
    }
    let tenth = seconds / 10;
    fastrand::u64(seconds - tenth..=seconds + tenth)
}
