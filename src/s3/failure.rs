//! What each answer of S3 means, and each way of not getting one.
//!
//! [`Kind::of`] reads the answer, [`Kind::meaning`] is the table: whether another attempt is worth
//! it, what the caller reads, what the operator should do. The caller's words name the kind of
//! failure and nothing else: no bucket, host, key, ARN or type.

use std::error::Error as StdError;

use hyper::StatusCode;
use hyper_util::client::legacy;

use super::{checksum::Mismatch, refusal::Refusal, request::Unsendable};
use crate::error::chain;

/// A failed read: its [`Kind`] for us, its cause for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.meaning().name)]
pub struct Failure {
    /// What it means.
    pub kind: Kind,
    #[source]
    cause: Box<dyn StdError + Send + Sync>,
}

/// The kinds of failure that are treated differently, or that an operator acts on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 404 `NoSuchKey`.
    NoSuchKey,
    /// 304: the version at hand is current.
    NotModified,
    /// 404 `NoSuchBucket`.
    NoSuchBucket,
    /// 403.
    AccessDenied,
    /// 403 `InvalidObjectState`: in an archive class, not restored.
    Archived,
    /// 301, 307, or 400 with a complaint about the region.
    WrongRegion,
    /// 400 `ExpiredToken` and its like, or no credentials at all.
    BadCredentials,
    /// A `KMS.` error, or a 403 that names KMS.
    KmsDenied,
    /// 503 `SlowDown`, 429.
    SlowDown,
    /// 500, 502, 503, 504.
    Unavailable,
    /// Connection refused, reset or closed, no such host, not HTTP.
    Unreachable,
    /// The server's certificate is not trusted.
    Untrusted,
    /// No connection, answer or complete body in time.
    TimedOut,
    /// The body ended before its announced length.
    CutOff,
    /// The body does not match its checksum.
    Damaged,
    /// Larger than what is read.
    TooLarge,
    /// Any other answer.
    Unexpected,
}

/// A row of the table.
pub struct Meaning {
    /// The `kind` on log lines.
    pub name: &'static str,
    /// Whether another attempt may help.
    pub retried: bool,
    /// What the caller reads after "Failed to retrieve job status: ".
    pub caller: &'static str,
    /// What the operator should do.
    pub hint: &'static str,
}

impl Kind {
    /// The table of what each failure means.
    #[must_use]
    #[rustfmt::skip]
    pub const fn meaning(self) -> Meaning {
        const fn row(name: &'static str, retried: bool, caller: &'static str, hint: &'static str) -> Meaning {
            Meaning { name, retried, caller, hint }
        }
        match self {
            Self::NoSuchKey => row("no_such_key", false, "there is no such status", "the object does not exist"),
            Self::NotModified => row("not_modified", false, "the status has not changed", "nothing: the version at hand is current"),
            Self::NoSuchBucket => row("no_such_bucket", false, "the status store is not set up", "the bucket does not exist: check JOBS_BUCKET (or API_KEYS) and the region"),
            Self::AccessDenied => row("access_denied", false, "the status store refused access", "grant the function's role s3:GetObject on the objects and s3:ListBucket on the bucket: without s3:ListBucket S3 answers 403 for an object that does not exist"),
            Self::Archived => row("archived", false, "the status is archived", "the object is in an archive storage class: restore it, and exempt status files from that lifecycle rule"),
            Self::WrongRegion => row("wrong_region", false, "the status store is in another region", "the bucket is not in the function's region: deploy the function there"),
            Self::BadCredentials => row("bad_credentials", false, "the status store refused this service's credentials", "credentials are missing, malformed or expired: on Lambda they come with the role; elsewhere set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"),
            Self::KmsDenied => row("kms_denied", false, "the status could not be decrypted", "grant the function's role kms:Decrypt on the key that encrypts the bucket, and check that the key is enabled"),
            Self::SlowDown => row("slow_down", true, "the status store is busy", "S3 limits the request rate of this prefix; it raises the limit by itself under steady load: see docs/failure-modes.md"),
            Self::Unavailable => row("unavailable", true, "the status store is unavailable", "S3 failed: see the AWS Health Dashboard"),
            Self::Unreachable => row("unreachable", true, "the status store could not be reached", "no HTTP connection to S3: in a VPC, check its S3 gateway endpoint, routes and DNS; elsewhere, AWS_ENDPOINT_URL_S3"),
            Self::Untrusted => row("untrusted", true, "no trusted connection to the status store", "S3's certificate is not accepted: check the endpoint's name and validity, and the function's trust store (AWS_CA_BUNDLE)"),
            Self::TimedOut => row("timed_out", true, "the status store timed out", "S3 did not answer in time: see the AWS Health Dashboard, and for a function in a VPC its routes to S3"),
            Self::CutOff => row("cut_off", true, "the status arrived incomplete", "S3's answer ended early: see the AWS Health Dashboard"),
            Self::Damaged => row("damaged", true, "the status arrived damaged", "the content does not match its checksum: have the worker write it again"),
            Self::TooLarge => row("too_large", false, "the status is too large", "the object is larger than this function reads: keep results elsewhere and link to them"),
            Self::Unexpected => row("unexpected", false, "the status store gave an unexpected answer", "S3, or whatever answers at its address, said something this function does not know: see the error"),
        }
    }

    fn of(status: u16, code: &str, message: &str) -> Self {
        match (status, code) {
            (_, "NoSuchBucket") => Self::NoSuchBucket,
            (404, "NoSuchKey") => Self::NoSuchKey,
            (304, _) => Self::NotModified,
            (_, "InvalidObjectState") => Self::Archived,
            (_, code) if code.starts_with("KMS.") => Self::KmsDenied,
            (403, _) if message.contains("kms:") => Self::KmsDenied,
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken")
            | (403, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => Self::BadCredentials,
            (301 | 307, _)
            | (
                _,
                "PermanentRedirect"
                | "TemporaryRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ) => Self::WrongRegion,
            (403, _) => Self::AccessDenied,
            (429, _) | (503, "SlowDown") => Self::SlowDown,
            (500..=599, _) if message.to_ascii_lowercase().contains("reduce your request rate") => Self::SlowDown,
            (500 | 502 | 503 | 504, _) => Self::Unavailable,
            _ => Self::Unexpected,
        }
    }
}

impl Failure {
    pub(crate) fn timed_out(elapsed: tokio::time::error::Elapsed) -> Self {
        Self { kind: Kind::TimedOut, cause: elapsed.into() }
    }

    pub(super) fn no_credentials(error: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: Kind::BadCredentials, cause: error.into() }
    }

    /// S3 answered, but not with the object.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let refusal = Refusal::read(status, body);
        Self { kind: Kind::of(status.as_u16(), &refusal.code, &refusal.message), cause: refusal.into() }
    }

    pub(super) fn cut_off(error: hyper::Error) -> Self {
        Self { kind: Kind::CutOff, cause: error.into() }
    }

    pub(super) fn damaged(mismatch: Mismatch) -> Self {
        Self { kind: Kind::Damaged, cause: mismatch.into() }
    }

    pub(super) fn too_large(size: u64, limit: u64) -> Self {
        Self { kind: Kind::TooLarge, cause: format!("the object has at least {size} bytes, {limit} are read").into() }
    }

    /// What the operator should do, told from the cause where it says more than the kind.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        if self.kind == Kind::Untrusted && chain(self).contains("UnknownIssuer") {
            "the server's certificate comes from an authority that is not in the trust store: set AWS_CA_BUNDLE to a PEM file that has it"
        } else {
            self.kind.meaning().hint
        }
    }
}

impl From<Unsendable> for Failure {
    fn from(error: Unsendable) -> Self {
        Self { kind: Kind::Unexpected, cause: error.into() }
    }
}

impl From<legacy::Error> for Failure {
    fn from(error: legacy::Error) -> Self {
        let kind = if chain(&error).contains("invalid peer certificate") {
            Kind::Untrusted
        } else if error.source().is_some_and(<dyn StdError>::is::<tower::timeout::error::Elapsed>) {
            Kind::TimedOut
        } else {
            Kind::Unreachable
        };
        Self { kind, cause: error.into() }
    }
}
