//! CORS for pages on localhost, with what `template.yaml` gives to the pages of `AllowedOrigins`.
//!
//! Like the gateway, it answers a preflight itself, whatever the path.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{self, HeaderMap, HeaderValue},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET,POST");
const HEADERS: HeaderValue = HeaderValue::from_static("content-type,if-none-match,x-api-key");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("etag,last-modified,retry-after,sunset,x-job-outcome,x-job-stalled,x-request-id");
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("3600");

/// The answer if a browser asks what a page may send; `None` if this is a request itself.
#[must_use]
pub fn preflight<B>(request: &Request<B>) -> Option<Response<Full<Bytes>>> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend([
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
    ]);
    Some(response)
}

/// Lets the page of this origin read the answer.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
