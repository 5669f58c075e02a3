//! What a request that S3 did not do means to a person.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use job_status::chain;

/// The status of S3's answer, if there was one.
pub fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What happened: S3's own words if it answered, or all causes down to the first.
pub fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let (SdkError::ServiceError(_), Some(status)) = (error, status(error)) else { return chain(error) };
    let words = [error.code(), error.message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    format!("S3 answered {status} {words}").trim_end().to_owned()
}

/// What to do about a failed request.
pub fn advice<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &'static str {
    match (status(error), error.code()) {
        (_, Some("NoSuchBucket")) => "check the bucket's name",
        (Some(301 | 307), _) | (_, Some("AuthorizationHeaderMalformed")) => "set AWS_REGION to the bucket's region",
        (_, Some("ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken")) => {
            "log in again (aws sso login), or renew the credentials in the environment or profile"
        }
        (Some(403), _) => "the credentials lack a permission: see what docs/keys.md and docs/workers.md ask for",
        (Some(_), _) => "try again later; S3's answer is above",
        (None, _) => {
            "check credentials (AWS_PROFILE, aws sso login), AWS_REGION, AWS_ENDPOINT_URL_S3 and the network, in this order"
        }
    }
}
