//! What each answer of S3 means, and each way of not getting one.
//!
//! [`FailureKind::row`] is the table.

use std::error::Error;

use http::StatusCode;
use hyper_util::client::legacy;
use tower::BoxError;

use crate::{
    cause::{Cause, chain},
    s3::xml,
};

/// A failed read.
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.row().name)]
pub struct Failure {
    pub(crate) kind: FailureKind,
    /// What led to it, for the operator.
    #[source]
    pub(crate) cause: BoxError,
    /// The object's size, in bytes, if S3 has said it before the read failed.
    pub(crate) announced: Option<u64>,
}

/// The failures that are treated differently, or that an operator acts on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // their rows describe them
#[rustfmt::skip]
pub enum FailureKind {
    NoSuchKey, NoSuchBucket, AccessDenied, KmsDenied, Archived, WrongRegion, BadCredentials, SessionDenied,
    SessionEnded, NoSuchZone, ClockSkewed, SlowDown, Unavailable, Unreachable, Untrusted, TimedOut, CutOff, Damaged,
    Undecodable, TooLarge, Unexpected,
}

/// A row of the table of failures.
pub struct FailureRow {
    /// The `kind` on log lines.
    pub name: &'static str,
    /// What happens, in Markdown.
    pub when: &'static str,
    /// Whether another attempt may help.
    pub retried: bool,
    /// What the caller reads.
    pub caller: &'static str,
    /// What the operator should do.
    pub hint: &'static str,
}

/// What S3 calls it if the bucket is in another region.
const OTHER_REGION: [&str; 4] =
    ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];

impl FailureKind {
    /// All of them, in the order of the table.
    #[rustfmt::skip]
    pub const ALL: [Self; 21] = [
        Self::NoSuchKey, Self::NoSuchBucket, Self::AccessDenied, Self::KmsDenied, Self::Archived, Self::WrongRegion,
        Self::BadCredentials, Self::ClockSkewed, Self::SlowDown, Self::Unavailable, Self::Unreachable, Self::Untrusted,
        Self::TimedOut, Self::CutOff, Self::Damaged, Self::Undecodable, Self::TooLarge, Self::SessionDenied, Self::SessionEnded,
        Self::NoSuchZone, Self::Unexpected,
    ];

    /// Its row in the table.
    #[must_use]
    #[rustfmt::skip]
    pub const fn row(self) -> FailureRow {
        const FINAL: bool = false;
        const RETRIED: bool = true;
        const fn row(name: &'static str, retried: bool, when: &'static str, caller: &'static str, hint: &'static str) -> FailureRow {
            FailureRow { name, when, retried, caller, hint }
        }
        match self {
            Self::NoSuchKey => row("no_such_key", FINAL, "404, but for a missing bucket's", "Job not found", "the object does not exist"),
            Self::NoSuchBucket => row("no_such_bucket", FINAL, "404 `NoSuchBucket`", "the status store is not set up", "the bucket does not exist: check JOBS_BUCKET (or API_KEYS) and the region"),
            Self::AccessDenied => row("access_denied", FINAL, "403", "the status store refused access", "grant the function's role s3:GetObject on the objects and s3:ListBucket on the bucket: without s3:ListBucket S3 answers 403 for an object that does not exist"),
            Self::KmsDenied => row("kms_denied", FINAL, "403 for KMS, a `KMS.` error", "the status could not be decrypted", "grant the function's role kms:Decrypt (for a directory bucket kms:GenerateDataKey too) on the key that encrypts the bucket, and check that the key is enabled"),
            Self::Archived => row("archived", FINAL, "403 `InvalidObjectState`", "the status is archived", "the object is in an archive storage class: restore it, and exempt status files from that lifecycle rule"),
            Self::WrongRegion => row("wrong_region", FINAL, "301, 307, or 400 with a complaint about the region", "the status store is in another region", "the bucket is not in the function's region: deploy the function there"),
            Self::BadCredentials => row("bad_credentials", FINAL, "credentials missing, expired or refused", "the status store refused this service's credentials", "credentials are missing, malformed or expired: on Lambda they come with the role; elsewhere set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"),
            Self::ClockSkewed => row("clock_skewed", FINAL, "403 `RequestTimeTooSkewed`", "the status store refused this service's clock", "this environment's clock and S3's differ by more than 15 minutes: on Lambda, tell AWS Support; elsewhere, set the clock"),
            Self::SlowDown => row("slow_down", RETRIED, "503 `SlowDown`, 429, \"reduce your request rate\", a throttle of KMS", "Too many requests", "S3 limits the request rate of this prefix, and raises the limit by itself under steady load: if that takes too long, give groups of customers a prefix of their own"),
            Self::Unavailable => row("unavailable", RETRIED, "500, 502, 503, 504", "the status store is unavailable", "S3 failed: see the AWS Health Dashboard"),
            Self::Unreachable => row("unreachable", RETRIED, "a connection refused, reset or closed, no such host, not HTTP", "the status store could not be reached", "no HTTP connection to S3: in a VPC, check its S3 gateway endpoint, routes and DNS; elsewhere, AWS_ENDPOINT_URL_S3"),
            Self::Untrusted => row("untrusted", RETRIED, "a certificate that is not trusted", "no trusted connection to the status store", "S3's certificate is not accepted: check the endpoint's name and validity, and the function's trust store (AWS_CA_BUNDLE)"),
            Self::TimedOut => row("timed_out", RETRIED, "no connection, no answer, a stalled or dripping body, 400 `RequestTimeout`", "the status store timed out", "S3 did not answer in time: see the AWS Health Dashboard, and for a function in a VPC its routes to S3"),
            Self::CutOff => row("cut_off", RETRIED, "a body that ends early", "the status arrived incomplete", "S3's answer ended early: see the AWS Health Dashboard"),
            Self::Damaged => row("damaged", RETRIED, "a body that does not match its checksum", "the status arrived damaged", "the content does not match its checksum: have the worker write it again"),
            Self::Undecodable => row("undecodable", FINAL, "a `content-encoding` other than `gzip`, or damaged gzip", "the status could not be decompressed", "the object is stored with a content-encoding that is not gzip, or is not whole: have the worker write it again, as plain JSON or with gzip"),
            Self::TooLarge => row("too_large", FINAL, "an object over its limit, refused before it is downloaded if S3 tells its size", "the status is too large", "the object is larger than this function reads: keep results elsewhere and link to them"),
            Self::SessionDenied => row("session_denied", FINAL, "403 to a directory bucket's `CreateSession`", "the status store refused access", "grant the function's role s3express:CreateSession on the directory bucket, in session mode ReadOnly, and check the bucket's policy"),
            Self::SessionEnded => row("session_ended", FINAL, "a directory bucket refuses a session, and a new one as well", "the status store refused this service's credentials", "S3 does not accept the session that it has just made: see the AWS Health Dashboard"),
            Self::NoSuchZone => row("no_such_zone", RETRIED, "no such host for a directory bucket", "the status store could not be reached", "the zone in the directory bucket's name is not in the function's region, or has no S3 Express One Zone: check JOBS_BUCKET (or API_KEYS); in a VPC, check DNS"),
            Self::Unexpected => row("unexpected", FINAL, "any other answer", "the status store gave an unexpected answer", "S3, or whatever answers at its address, said something this function does not know: see the error"),
        }
    }

    fn from_answer(status: u16, code: &str, message: &str) -> Self {
        match (status, code) {
            (_, "NoSuchBucket") => Self::NoSuchBucket,
            (404, _) => Self::NoSuchKey,
            (_, "InvalidObjectState") => Self::Archived,
            (_, "ThrottlingException" | "KMS.ThrottlingException" | "Throttling" | "TooManyRequestsException") => {
                Self::SlowDown
            }
            (_, code) if code.starts_with("KMS.") => Self::KmsDenied,
            (403, _) if ["kms:", "ciphertext", "customer master key"].iter().any(|word| message.contains(word)) => {
                Self::KmsDenied
            }
            (_, "RequestTimeTooSkewed") => Self::ClockSkewed,
            (_, "RequestTimeout") => Self::TimedOut,
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken")
            | (403, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => Self::BadCredentials,
            (status, code) if matches!(status, 301 | 307) || OTHER_REGION.contains(&code) => Self::WrongRegion,
            (403, _) => Self::AccessDenied,
            (429, _) | (503, "SlowDown") => Self::SlowDown,
            (500..=599, _) if message.to_ascii_lowercase().contains("reduce your request rate") => Self::SlowDown,
            (500 | 502 | 503 | 504, _) => Self::Unavailable,
            _ => Self::Unexpected,
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, cause: impl Into<BoxError>) -> Self {
        Self { kind, cause: cause.into(), announced: None }
    }

    /// S3 answered, but not with the object. AWS Support asks for the two ids.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let [code, message, request_id, host_id] = xml::texts(body, ["Code", "Message", "RequestId", "HostId"]);
        let mut answer = format!("S3 answered {}", status.as_u16());
        if !code.is_empty() {
            answer = answer + " " + &code + ": " + &message;
        }
        for (name, id) in [(", request id ", request_id), (", host id ", host_id)] {
            if !id.is_empty() {
                answer = answer + name + &id;
            }
        }
        Self::new(FailureKind::from_answer(status.as_u16(), &code, &message), answer)
    }

    /// An object of at least `size` bytes.
    pub(super) fn too_large(size: u64, limit: u64) -> Self {
        Self::new(FailureKind::TooLarge, format!("the object has at least {size} bytes, {limit} are read"))
    }

    pub(crate) fn unexpected(cause: impl Into<BoxError>) -> Self {
        Self::new(FailureKind::Unexpected, cause)
    }

    /// S3 refused to make a session.
    pub(super) fn of_session(self) -> Self {
        match self.kind {
            FailureKind::AccessDenied => Self { kind: FailureKind::SessionDenied, ..self },
            _ => self,
        }
    }

    /// A directory bucket could not be read. Its zone's name is a part of its host's.
    pub(super) fn of_directory_bucket(self) -> Self {
        let is_no_such_host = self.kind == FailureKind::Unreachable && chain(&self).contains("dns error");
        if is_no_such_host { Self { kind: FailureKind::NoSuchZone, ..self } } else { self }
    }

    /// What the operator should do. If the cause says more than the kind, it decides.
    pub(crate) fn hint(&self) -> &'static str {
        let cause = chain(self);
        match self.kind {
            FailureKind::Untrusted if cause.contains("UnknownIssuer") => {
                "the server's certificate comes from an authority that is not in the trust store: set AWS_CA_BUNDLE to a PEM file that has it"
            }
            FailureKind::SlowDown if cause.to_ascii_lowercase().contains("kms") => {
                "KMS limits the requests for the key that encrypts the bucket: switch S3 Bucket Keys on for the bucket and rewrite its objects, or ask AWS for a higher KMS quota"
            }
            FailureKind::Unexpected if cause.contains("x-amz-checksum-mode") => {
                "this S3 server knows no checksums: set AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"
            }
            FailureKind::Unexpected if cause.contains("form of Server Side Encryption") => {
                "the object is encrypted with a key of its writer's (SSE-C), which this function does not have: let the worker use the bucket's own encryption"
            }
            kind => kind.row().hint,
        }
    }
}

impl From<legacy::Error> for Failure {
    fn from(error: legacy::Error) -> Self {
        let kind = if chain(&error).contains("invalid peer certificate") {
            FailureKind::Untrusted
        } else if error.source().is_some_and(<dyn Error>::is::<tower::timeout::error::Elapsed>) {
            FailureKind::TimedOut
        } else {
            FailureKind::Unreachable
        };
        Self::new(kind, error)
    }
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        Self { kind: failure.kind.row().name, hint: failure.hint(), error: failure.into() }
    }
}
