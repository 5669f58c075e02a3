//! What a caller gets instead of a status, and what the operator gets in the log.
//!
//! Every failure has two messages. The caller's is part of the contract: safe, the same for the
//! same mistake, saying what to do. The operator's is the cause, as deep as it goes, with a hint;
//! it exists only where something went wrong on our side and is only ever logged.
//!
//! Errors are made by constructors named for the outcome, so that status, body and log outcome
//! of each are decided here and nowhere else.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use lambda_http::http::StatusCode;
use serde_json::json;

use crate::{
    limits::{MAX_REQUEST_BODY, THROTTLED_RETRY_AFTER_SECONDS},
    request::JobId,
    s3,
    status_file::Malformed,
};

/// An answer other than a status.
pub struct Error {
    /// HTTP status: 4xx or 5xx.
    pub status: StatusCode,
    /// The `outcome` on the request's log line.
    pub outcome: &'static str,
    /// The response's body: JSON.
    pub body: String,
    /// The `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// What the operator reads.
    pub cause: Option<Cause>,
}

/// The operator's half of a failure.
pub struct Cause {
    /// A word for filters and alarms, such as `access_denied`.
    pub kind: &'static str,
    /// What happened, with everything that led to it.
    pub error: Box<dyn StdError + Send + Sync>,
    /// What to do about it.
    pub hint: &'static str,
}

impl Error {
    /// 404: no route has this path.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_path", "Not found")
    }

    /// 405: a route's path, but not POST.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed: use POST")
    }

    /// 401: no key, or none that is accepted. One answer for all, so that nothing can be learned.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Unauthorized: send a valid API key in the x-api-key header",
        )
    }

    /// 413: the request's body is over its limit.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("The request body is too large: at most {MAX_REQUEST_BODY} bytes are accepted"),
        )
    }

    /// 400: the request's body is not what it should be. `message` says what is wrong and what
    /// is expected.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404: no status file, or none that this key may see.
    #[must_use]
    pub fn job_not_found(job_id: &JobId) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            outcome: "not_found",
            body: format!(r#"{{"error":"Job not found","job_id":"{job_id}"}}"#),
            retry_after: None,
            cause: None,
        }
    }

    /// S3 did not hand out the status file: 404, 429 or 500 by its [`s3::Kind`].
    #[must_use]
    pub fn not_read(job_id: &JobId, failure: s3::Failure) -> Self {
        match failure.kind {
            s3::Kind::NoSuchKey => Self::job_not_found(job_id),
            s3::Kind::SlowDown => Self {
                retry_after: Some(THROTTLED_RETRY_AFTER_SECONDS),
                cause: Some(failure.into()),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "throttled",
                    format!("Too many requests: try again in {THROTTLED_RETRY_AFTER_SECONDS} seconds"),
                )
            },
            kind => Self::failed(kind.meaning().caller, failure.into()),
        }
    }

    /// 500: the status file is not one JSON object.
    #[must_use]
    pub fn malformed(error: Malformed) -> Self {
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

    /// 500: the envelope does not fit into what the front door passes on.
    #[must_use]
    pub fn does_not_fit(size: usize, limit: usize, fits_compressed: bool) -> Self {
        Self::failed(
            if fits_compressed {
                "the status is too large to be sent uncompressed: send accept-encoding: gzip"
            } else {
                "the status is too large"
            },
            Cause {
                kind: "response_too_large",
                error: format!("the response takes {size} bytes of the {limit} that the front door passes on").into(),
                hint: "a worker wrote a status file too large to be answered: keep results elsewhere and link to them",
            },
        )
    }

    /// 500: no good keyring has been read for too long to trust the last one.
    #[must_use]
    pub fn keyring_stale() -> Self {
        Self::failed(
            "API keys cannot be checked at the moment",
            Cause {
                kind: "keyring_stale",
                error: "the keyring could not be read again within its time of grace".into(),
                hint: "see the keyring_refresh_failed lines before this one, and docs/keys.md",
            },
        )
    }

    /// 500: the request's time is used up. `last` is what S3 had failed with until then.
    #[must_use]
    pub fn timed_out(budget: Duration, last: Option<s3::Failure>) -> Self {
        #[derive(Debug, thiserror::Error)]
        #[error("not answered within {budget:?}")]
        struct TimedOut {
            budget: Duration,
            #[source]
            last: Option<s3::Failure>,
        }
        Self::failed(
            "the request timed out",
            Cause {
                kind: "timed_out",
                error: TimedOut { budget, last }.into(),
                hint: "S3 was slow, or the function's own time was nearly used up: compare s3_time with run_time",
            },
        )
    }

    /// 500: a defect of this program. `message` is the panic's own.
    #[must_use]
    pub fn panicked(message: String) -> Self {
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
        Self {
            cause: Some(cause),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                format!("Failed to retrieve job status: {message}"),
            )
        }
    }

    fn new(status: StatusCode, outcome: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            outcome,
            body: format!(r#"{{"error":{},"code":{}}}"#, json!(message.into()), status.as_u16()),
            retry_after: None,
            cause: None,
        }
    }
}

impl From<s3::Failure> for Cause {
    fn from(failure: s3::Failure) -> Self {
        let meaning = failure.kind.meaning();
        Self { kind: meaning.name, hint: failure.hint(), error: failure.into() }
    }
}

/// An error with everything that led to it: `outer: middle: inner`.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // Some wrappers repeat what they wrap; once is enough.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
