//! The request for an object: a signed GET.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningError, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use http_body_util::Empty;
use hyper::{
    Request,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};

use super::Get;

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the request is not valid HTTP")]
    Invalid(#[from] hyper::http::Error),
    #[error("the request cannot be signed")]
    Unsigned(#[from] SigningError),
    #[error("the request cannot be signed")]
    NoParams(#[from] aws_sigv4::sign::v4::signing_params::BuildError),
}

/// The signed request for an object.
pub(super) fn signed(
    get: &Get<'_>,
    credentials: Credentials,
    time: SystemTime,
) -> Result<Request<Empty<Bytes>>, Unsendable> {
    let url = get.bucket.url_of(&get.key);
    let mut request = Request::get(url.as_str()).header(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
    if let Some(etag) = get.etag {
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
        .region(&get.bucket.region)
        .name(&get.bucket.service)
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
