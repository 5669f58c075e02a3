//! What a request is answered with: a [`Reply`], and the HTTP response made of it.

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    cause::Cause,
    encoding::{Body, Encoded},
    error::Error,
    turns::Turn,
};

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
    /// What the operator reads, if something went wrong on our side.
    pub(crate) cause: Option<Cause>,
    /// The status file's right to be in memory, for as long as the answer is. It goes with the response.
    pub(crate) turn: Turn,
}

impl Reply {
    /// 200.
    pub(crate) fn found(outcome: &'static str, body: Encoded, retry_after: Option<u64>) -> Self {
        Self { status: StatusCode::OK, outcome, body, allow: None, retry_after, cause: None, turn: Turn::default() }
    }

    /// Status, headers, body.
    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let is_compressed = matches!(self.body.body, Body::Gzip(_));
        let mut response = Response::new(self.body.body);
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self.turn);
        let optional = [
            (ALLOW, self.allow.map(HeaderValue::from_static)),
            (CONTENT_ENCODING, is_compressed.then(|| HeaderValue::from_static("gzip"))),
            (RETRY_AFTER, self.retry_after.map(HeaderValue::from)),
            (VARY, self.body.negotiated.then(|| HeaderValue::from_static("accept-encoding"))),
            (X_REQUEST_ID, HeaderValue::from_str(request_id).ok()),
        ];
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response
    }
}

impl From<Error> for Reply {
    fn from(Error { status, outcome, body, allow, retry_after, cause }: Error) -> Self {
        let body = Encoded { body: Body::Text(body), negotiated: false };
        Self { status, outcome, body, allow, retry_after, cause, turn: Turn::default() }
    }
}
