//! The request for an object: a signed GET.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningError, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::{SigningParams, signing_params::BuildError},
};
use http::{
    Request,
    header::{self, HeaderName, HeaderValue},
};
use http_body_util::Empty;
use hyper::body::Bytes;

use crate::s3::bucket::Bucket;

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningFailed {
    #[error("the request is not valid HTTP")]
    Http(#[from] http::Error),
    #[error("the request cannot be signed")]
    Signature(#[from] SigningError),
    #[error("the request cannot be signed")]
    Parameters(#[from] BuildError),
}

/// The signed request for an object; with an `etag`, for another version than that one.
pub(super) fn signed(
    bucket: &Bucket,
    key: &str,
    etag: Option<&str>,
    credentials: Credentials,
    time: SystemTime,
) -> Result<Request<Empty<Bytes>>, SigningFailed> {
    let url = bucket.url_of(key);
    let mut request = Request::get(url.as_str()).header(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let mut request = request.body(Empty::new())?;

    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&bucket.region)
        .name(&bucket.service)
        .time(time)
        .settings(settings)
        .build()?
        .into();
    let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new("GET", url, headers, SignableBody::empty())?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}
