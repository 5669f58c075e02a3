//! What a caller gets instead of a status.
//!
//! Every failure has two messages. The caller's is part of the contract: it is safe, it is the same
//! for the same mistake, and it says what to do. The operator's is a [`Cause`]: as deep as it goes,
//! with a hint. It exists only where something went wrong on our side, and is only ever logged.
//!
//! The modules that fail know nothing of HTTP. Here, and nowhere else, each failure becomes a status,
//! headers, a body, and the outcome on the log line.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::{
    cause::Cause,
    encoding::DoesNotFit,
    keyring::live::Stale,
    limits::THROTTLED_RETRY_AFTER_SECONDS,
    request::{BadPayload, JobId},
    s3::{
        failure::{Failure, FailureKind},
        object::ReadStats,
    },
    status_file::Malformed,
};

/// An answer other than a status.
pub struct Error {
    /// 4xx or 5xx.
    pub status: StatusCode,
    /// The `outcome` on the request's log line.
    pub(crate) outcome: &'static str,
    /// The response's body: JSON.
    pub body: String,
    /// The `allow` header.
    pub(crate) allow: Option<&'static str>,
    /// The `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// What the operator reads.
    pub(crate) cause: Option<Cause>,
}

impl Error {
    /// 404: no route has this path.
    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_path", "Not found")
    }

    /// 405: a route's path, but neither GET nor POST.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "Method not allowed: use GET or POST";
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        Self { allow: Some("GET, POST"), ..error }
    }

    /// 401: no key, or none that is accepted. One answer for all, so that nothing can be learned.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Unauthorized: send a valid API key in the x-api-key header",
        )
    }

    /// S3 did not hand out the job's status file: 404, 429 or 500.
    #[must_use]
    pub fn not_read(job_id: &JobId, failure: Failure) -> Self {
        let message = match failure.kind {
            FailureKind::NoSuchKey => return Self::job_not_found(job_id),
            FailureKind::SlowDown => return Self::throttled(failure),
            FailureKind::NoSuchBucket => "the status store is not set up",
            FailureKind::AccessDenied | FailureKind::SessionDenied => "the status store refused access",
            FailureKind::KmsDenied => "the status could not be decrypted",
            FailureKind::Archived => "the status is archived",
            FailureKind::WrongRegion => "the status store is in another region",
            FailureKind::BadCredentials | FailureKind::SessionEnded => {
                "the status store refused this service's credentials"
            }
            FailureKind::ClockSkewed => "the status store refused this service's clock",
            FailureKind::Unavailable => "the status store is unavailable",
            FailureKind::Unreachable | FailureKind::NoSuchZone => "the status store could not be reached",
            FailureKind::Untrusted => "no trusted connection to the status store",
            FailureKind::TimedOut => "the status store timed out",
            FailureKind::CutOff => "the status arrived incomplete",
            FailureKind::Damaged => "the status arrived damaged",
            FailureKind::TooLarge => "the status is too large",
            FailureKind::Unexpected => "the status store gave an unexpected answer",
        };
        Self::failed(message, failure.into())
    }

    /// 404: no status file, or none that this key may see.
    fn job_not_found(job_id: &JobId) -> Self {
        let body = format!(r#"{{"error":"Job not found","job_id":"{job_id}"}}"#);
        Self { body, ..Self::new(StatusCode::NOT_FOUND, "not_found", "") }
    }

    /// 429: S3 asked us to slow down.
    fn throttled(failure: Failure) -> Self {
        let message = format!("Too many requests: try again in {THROTTLED_RETRY_AFTER_SECONDS} seconds");
        Self {
            retry_after: Some(THROTTLED_RETRY_AFTER_SECONDS),
            cause: Some(failure.into()),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", &message)
        }
    }

    /// 500: the request's time is used up. `read` is what reading the status file has taken of it. The log names
    /// what took most of it: S3, or this environment.
    pub(crate) fn timed_out(budget: Duration, read: &mut ReadStats) -> Self {
        #[derive(Debug, thiserror::Error)]
        #[error(
            "not answered within {budget:.1} s: {s3:.1} s for S3, {waited:.1} s waiting for a turn, {rest:.1} s for the rest"
        )]
        struct TimedOut {
            budget: f64,
            s3: f64,
            waited: f64,
            rest: f64,
            #[source]
            last: Option<Failure>,
        }
        let [budget, s3, waited] = [budget, read.time, read.turn.waited].map(|time| time.as_secs_f64());
        let rest = (budget - s3 - waited).max(0.0);
        let (kind, hint) = if s3 >= waited + rest {
            ("timed_out", "S3 was slow, or the function's own time was nearly used up: compare s3_time with run_time")
        } else {
            (
                "busy",
                "large status files took this environment's memory or CPU: raise its memory, send it fewer polls at once, or keep results elsewhere and link to them",
            )
        };
        let error = TimedOut { budget, s3, waited, rest, last: read.last_failure.take() }.into();
        Self::failed("the request timed out", Cause { kind, error, hint })
    }

    /// 500: a defect of this program. `message` is the panic's own.
    pub(crate) fn panicked(message: String) -> Self {
        Self::failed(
            "internal error",
            Cause {
                kind: "panic",
                error: message.into(),
                hint: "this is a defect: report it with the panic line logged just before",
            },
        )
    }

    fn failed(message: &str, cause: Cause) -> Self {
        let message = format!("Failed to retrieve job status: {message}");
        Self { cause: Some(cause), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", &message) }
    }

    fn new(status: StatusCode, outcome: &'static str, message: &str) -> Self {
        let body = format!(r#"{{"error":{},"code":{}}}"#, json!(message), status.as_u16());
        Self { status, outcome, body, allow: None, retry_after: None, cause: None }
    }
}

/// 413 or 400, in the payload's own words.
impl From<BadPayload> for Error {
    fn from(error: BadPayload) -> Self {
        let (status, outcome) = match error {
            BadPayload::TooLarge | BadPayload::QueryTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            _ => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        Self::new(status, outcome, &error.to_string())
    }
}

/// 500.
impl From<Stale> for Error {
    fn from(stale: Stale) -> Self {
        Self::failed(
            "API keys cannot be checked at the moment",
            Cause {
                kind: "keyring_stale",
                error: stale.into(),
                hint: "see the keyring_refresh_failed lines before this one, and docs/keys.md",
            },
        )
    }
}

/// 500.
impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        let message = match error {
            Malformed::Empty => "the status file is empty",
            Malformed::NotUtf8(_) => "the status file is not UTF-8",
            Malformed::NotAnObject(_) => "the status file is not a JSON object",
        };
        Self::failed(
            message,
            Cause {
                kind: "malformed_status_file",
                error: error.into(),
                hint: "a worker wrote a status file that is not one JSON object in UTF-8: look at the object and at its writer",
            },
        )
    }
}

/// 500.
impl From<DoesNotFit> for Error {
    fn from(DoesNotFit { size, limit, may_fit_compressed }: DoesNotFit) -> Self {
        let size = size.map_or("more than".into(), |size| format!("{size} bytes of"));
        Self::failed(
            if may_fit_compressed {
                "the status is too large to be sent uncompressed: send accept-encoding: gzip"
            } else {
                "the status is too large"
            },
            Cause {
                kind: "response_too_large",
                error: format!("the response takes {size} the {limit} that the front door passes on").into(),
                hint: "a worker wrote a status file too large to be answered: keep results elsewhere and link to them",
            },
        )
    }
}
