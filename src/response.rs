//! What a request is answered with: a [`Reply`], and the HTTP response made of it.

use std::time::SystemTime;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED, RETRY_AFTER, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    call::Call,
    cause::Cause,
    encoding::{Body, Encoded},
    error::Error,
    freshness::Freshness,
    limits::SPREAD_FROM_SECONDS,
};

const SUNSET: HeaderName = HeaderName::from_static("sunset");
const X_JOB_STALLED: HeaderName = HeaderName::from_static("x-job-stalled");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The answer to a request, for the caller and for the log.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The `outcome` on the request's log line.
    pub(crate) outcome: &'static str,
    pub(crate) body: Encoded,
    /// The `allow` header.
    pub(crate) allow: Option<&'static str>,
    /// The `retry-after` header, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// What a status says about itself.
    pub(crate) freshness: Option<Freshness>,
    /// What the operator reads, if something went wrong on our side.
    pub(crate) cause: Option<Cause>,
}

impl Reply {
    /// 200.
    pub(crate) fn found(outcome: &'static str, body: Encoded, freshness: Freshness) -> Self {
        let (status, retry_after) = (StatusCode::OK, freshness.retry_after);
        Self { status, outcome, body, allow: None, retry_after, freshness: Some(freshness), cause: None }
    }

    /// 304: the caller has this status already.
    pub(crate) fn not_modified(outcome: &'static str, freshness: Freshness) -> Self {
        let nothing = Encoded { body: Body::Text(String::new()), negotiated: false };
        Self { status: StatusCode::NOT_MODIFIED, ..Self::found(outcome, nothing, freshness) }
    }

    /// Status, headers, body.
    pub(crate) fn into_response(self, call: &Call) -> Response<Body> {
        let is_compressed = matches!(self.body.body, Body::Gzip(_));
        let has_body = self.status != StatusCode::NOT_MODIFIED;
        let freshness = self.freshness.unwrap_or_default();
        // A caller may keep the answer to a GET, but has to ask whether it is still good.
        let may_be_kept = call.method == Some(Method::GET);
        let cache_control = if may_be_kept { "private, no-cache" } else { "no-store" };
        let fixed = |value| Some(HeaderValue::from_static(value));
        let headers = [
            (CONTENT_TYPE, fixed("application/json").filter(|_| has_body)),
            (CACHE_CONTROL, fixed(cache_control)),
            (X_CONTENT_TYPE_OPTIONS, fixed("nosniff").filter(|_| has_body)),
            (ALLOW, self.allow.and_then(fixed)),
            (CONTENT_ENCODING, fixed("gzip").filter(|_| is_compressed)),
            (ETAG, freshness.etag.and_then(|etag| etag.try_into().ok())),
            (LAST_MODIFIED, freshness.last_modified.and_then(date)),
            (RETRY_AFTER, self.retry_after.map(|seconds| spread(seconds).into())),
            (SUNSET, freshness.sunset.and_then(date)),
            (VARY, fixed("accept-encoding").filter(|_| self.body.negotiated)),
            (X_JOB_STALLED, freshness.stalled.map(HeaderValue::from)),
            (X_REQUEST_ID, HeaderValue::from_str(&call.invocation.request_id).ok()),
        ];
        let mut response = Response::new(self.body.body);
        *response.status_mut() = self.status;
        response.headers_mut().extend(headers.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response
    }
}

impl From<Error> for Reply {
    fn from(Error { status, outcome, body, allow, retry_after, cause }: Error) -> Self {
        let body = Encoded { body: Body::Text(body), negotiated: false };
        Self { status, outcome, body, allow, retry_after, freshness: None, cause }
    }
}

/// An HTTP date.
fn date(time: SystemTime) -> Option<HeaderValue> {
    DateTime::from(time).fmt(DateTimeFormat::HttpDate).ok()?.try_into().ok()
}

/// From [`SPREAD_FROM_SECONDS`] on, any number up to a tenth away, so that callers who came together
/// do not come back together.
fn spread(seconds: u64) -> u64 {
    if seconds < SPREAD_FROM_SECONDS {
        return seconds;
    }
    let tenth = seconds / 10;
    fastrand::u64(seconds - tenth..=seconds + tenth)
}
