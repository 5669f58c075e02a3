//! What a request that S3 did not do means to a person.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use job_status::chain;

use crate::output::{is_control, line};

/// Which requests a failure counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those for the same object.
    Object,
    /// Those with the same credentials.
    Credentials,
    /// All.
    All,
}

/// Which requests a failure counts for.
pub fn scope<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Scope {
    match (status(error), error.code()) {
        (Some(401), _)
        | (_, Some("ExpiredToken" | "InvalidAccessKeyId" | "InvalidToken" | "SignatureDoesNotMatch")) => {
            Scope::Credentials
        }
        (_, Some("NoSuchBucket" | "AuthorizationHeaderMalformed" | "RequestTimeTooSkewed")) => Scope::All,
        (Some(400..500), _) => Scope::Object,
        (Some(_), _) => Scope::All,
        (None, _) => match error {
            // It was connected, or there would be another error.
            SdkError::TimeoutError(_) => Scope::Object,
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => Scope::All,
            _ => Scope::Credentials,
        },
    }
}

/// The status of S3's answer, if there was one.
pub fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What happened: S3's own words if it answered, or all causes down to the first.
pub fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let (SdkError::ServiceError(_), Some(status)) = (error, status(error)) else {
        return chain(error).replace(is_control, " ");
    };
    let words = [error.code(), error.message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    format!("S3 answered {status} {}", line(&words)).trim_end().to_owned()
}

/// What to do about a failed request.
pub fn advice<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &'static str {
    match (status(error), error.code()) {
        (_, Some("NoSuchBucket")) => "check the bucket's name",
        (Some(301 | 307), _) | (_, Some("AuthorizationHeaderMalformed")) => "set AWS_REGION to the bucket's region",
        (_, Some("ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken")) => {
            "log in again (aws sso login), or renew the credentials in the environment or profile"
        }
        (_, Some("RequestTimeTooSkewed")) => "set this machine's clock: S3's differs by more than 15 minutes",
        (Some(400 | 501), code) if code == Some("NotImplemented") || says_checksum(error) => {
            "this S3 does not take the checksums of uploads: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
        }
        (Some(403), _) => "the credentials lack a permission: see what docs/keys.md and docs/workers.md ask for",
        (Some(_), _) => "try again later; S3's answer is above",
        (None, _) => {
            "check credentials (AWS_PROFILE, aws sso login), AWS_REGION, AWS_ENDPOINT_URL_S3 and the network, in this order"
        }
    }
}

/// Whether S3's words name checksums, or the header with that of a body.
fn says_checksum<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let words = error.message().unwrap_or_default().to_ascii_lowercase();
    ["checksum", "x-amz-sdk", "x-amz-content-sha256", "trailer"].iter().any(|word| words.contains(word))
}
