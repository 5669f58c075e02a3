//! An object: which one to read and how, what is known of it then, and what reading it took.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use http::{
    HeaderMap,
    header::{self, HeaderName},
};

use crate::{
    s3::{bucket::Bucket, failure::Failure},
    turns::{Turn, Turns},
};

const EXPIRATION: HeaderName = HeaderName::from_static("x-amz-expiration");

/// One object to read.
pub(crate) struct Get<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: String,
    /// Larger objects are refused. If S3 says how large an object is, it is not even downloaded.
    pub(crate) max_bytes: u64,
    /// Where a large object waits for its turn before its body is read.
    pub(crate) turns: Option<&'a Turns>,
    /// What one attempt may take, from the request to the last byte of the body, without such a wait.
    pub(crate) attempt_timeout: Duration,
}

/// An object, read whole.
pub(crate) struct Object {
    /// Its content, checked against S3's checksum where it has one.
    pub(crate) bytes: Vec<u8>,
    /// Its version.
    pub(crate) etag: Option<String>,
    /// When it was written.
    pub(crate) last_modified: Option<SystemTime>,
    /// When a rule of the bucket deletes it.
    pub(crate) expires: Option<SystemTime>,
}

impl Object {
    /// An object of which S3 says `headers`.
    pub(super) fn of(bytes: Vec<u8>, headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            bytes,
            etag: text(header::ETAG).map(Into::into),
            last_modified: text(header::LAST_MODIFIED).and_then(date),
            expires: text(EXPIRATION).and_then(expiry_date).and_then(date),
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

/// What a read took so far. It is filled in as things happen, so that it is there even when the
/// request's time runs out in between.
#[derive(Default)]
pub(crate) struct ReadStats {
    /// Attempts begun.
    pub(crate) attempts: u32,
    /// Time that S3 took: in them, without waiting for a turn, and between them. What the environment lacked
    /// CPU to read at once is in it.
    pub(crate) time: Duration,
    /// The object's size, once S3 has said it.
    pub(crate) announced: Option<u64>,
    /// The object's turn. It lasts as long as this does.
    pub(crate) turn: Turn,
    /// Why the last failed attempt failed.
    pub(crate) last_failure: Option<Failure>,
}
