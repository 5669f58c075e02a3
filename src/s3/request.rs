//! The requests for an object and for a session: signed GETs.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::BoxError;

use crate::s3::{bucket::Bucket, object::Get};

/// What a key may have in a URL as it is: RFC 3986's unreserved characters, and slashes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const SESSION_MODE: HeaderName = HeaderName::from_static("x-amz-create-session-mode");

type Unsent = Request<Empty<Bytes>>;

/// The request for an object. A directory bucket takes a session's credentials.
pub(super) fn for_object(get: &Get<'_>, credentials: Credentials, time: SystemTime) -> Result<Unsent, BoxError> {
    let url = format!("{}/{}", get.bucket.url(), utf8_percent_encode(&get.key, ESCAPED));
    let mut request = Request::get(url);
    if get.bucket.checksums {
        request = request.header(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
    }
    if let Some(etag) = get.unless {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let token = get.bucket.is_directory.then_some("x-amz-s3session-token");
    signed(request.body(Empty::new())?, get.bucket, credentials, token, time)
}

/// The request for a session, signed by the role.
pub(super) fn for_session(bucket: &Bucket, credentials: Credentials, time: SystemTime) -> Result<Unsent, BoxError> {
    let url = format!("{}/?session", bucket.url());
    let request = Request::get(url).header(SESSION_MODE, HeaderValue::from_static("ReadOnly"));
    signed(request.body(Empty::new())?, bucket, credentials, None, time)
}

/// Signs a request. `token` is the header for the credentials' token if it is not the usual one.
fn signed(
    mut request: Unsent,
    bucket: &Bucket,
    credentials: Credentials,
    token: Option<&'static str>,
    time: SystemTime,
) -> Result<Unsent, BoxError> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.session_token_name_override = token;
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
    let url = request.uri().to_string();
    let signable = SignableRequest::new("GET", url, headers, SignableBody::empty())?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}
