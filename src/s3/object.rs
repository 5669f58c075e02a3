//! An object: which one to read and how, what S3 says of it, and what the read took.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use http::{HeaderMap, HeaderName, header};

use crate::{
    large_files::{LargeFiles, Permit},
    s3::{bucket::Bucket, failure::Failure},
};

const EXPIRATION: HeaderName = HeaderName::from_static("x-amz-expiration");

/// One object to read.
pub(crate) struct Get<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: String,
    /// The entity tag of the version that is known already. It is not read again.
    pub(crate) unless: Option<&'a str>,
    /// Larger objects are refused, before their download if S3 announces their size.
    pub(crate) max_bytes: u64,
    /// What gives a large object its permit before its body is read; `None` if none needs one.
    pub(crate) large_files: Option<&'a LargeFiles>,
    /// Limit of one attempt, from the request to the last byte of the body, without the wait for a permit.
    pub(crate) attempt_timeout: Duration,
}

/// What a read comes to.
pub(crate) enum Fetched {
    Object(Object),
    /// The object's version is [`Get::unless`].
    Unchanged,
}

/// An object, read whole.
pub(crate) struct Object {
    /// Its content, checked against S3's checksum where it has one.
    pub(crate) bytes: Vec<u8>,
    /// Its version's entity tag.
    pub(crate) etag: Option<String>,
    /// When it was written.
    pub(crate) last_modified: Option<SystemTime>,
    /// When a rule of the bucket deletes it.
    pub(crate) expires: Option<SystemTime>,
    /// The permit of a large one.
    pub(crate) permit: Option<Permit>,
}

impl Fetched {
    /// The object that was read without [`Get::unless`].
    pub(crate) fn object(self) -> Result<Object, Failure> {
        match self {
            Self::Object(object) => Ok(object),
            Self::Unchanged => Err(Failure::unexpected("S3 says that nothing has changed, but was not asked that")),
        }
    }
}

impl Object {
    /// An object with the headers of S3's answer.
    pub(super) fn from_headers(headers: &HeaderMap, bytes: Vec<u8>, permit: Option<Permit>) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            bytes,
            etag: text(header::ETAG).map(Into::into),
            last_modified: text(header::LAST_MODIFIED).and_then(date),
            expires: text(EXPIRATION).and_then(expiry_date).and_then(date),
            permit,
        }
    }
}

fn date(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, DateTimeFormat::HttpDate).ok()?.try_into().ok()
}

/// The date in `expiry-date="Fri, 23 Dec 2026 00:00:00 GMT", rule-id="…"`.
fn expiry_date(expiration: &str) -> Option<&str> {
    Some(expiration.split_once("expiry-date=\"")?.1.split_once('"')?.0)
}

/// What a read has taken so far. It is filled in on the way, so it is there even if the request's time runs out.
#[derive(Default)]
pub(crate) struct ReadStats {
    /// Attempts begun.
    pub(crate) attempts: u32,
    /// Time that the attempts and the backoffs between them took, without waiting for a permit. If S3's answer waited
    /// for our CPU, that is in it.
    pub(crate) time: Duration,
    /// Time that a large file waited for a permit and for a core.
    pub(crate) waited: Duration,
    /// Why the last failed attempt failed.
    pub(crate) last_failure: Option<Failure>,
}
