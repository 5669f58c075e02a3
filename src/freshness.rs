//! How fresh a status is: what its headers say, and whether a caller has it already.
//!
//! Entity tags are weak: two answers with the same tag have the same status file in them, but not the same bytes,
//! because an envelope has times and the caller's reference, and may be compressed.

use std::time::SystemTime;

/// What an answer's headers say about the status in it.
#[derive(Default)]
pub(crate) struct Freshness {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<SystemTime>,
    /// When S3 deletes the status file.
    pub(crate) sunset: Option<SystemTime>,
    /// The age of a stalled job's status file, in seconds.
    pub(crate) stalled: Option<u64>,
    /// When to poll again, in seconds from now, if the job is unfinished.
    pub(crate) retry_after: Option<u64>,
}

impl Freshness {
    /// Whether an `if-none-match` header names this status (RFC 9110, section 13.1.2): by its tag, compared weakly,
    /// or by `*`.
    pub(crate) fn is_known_to(&self, if_none_match: &str) -> bool {
        if_none_match.trim() == "*"
            || self.etag.as_deref().is_some_and(|etag| tags(if_none_match).any(|tag| tag == opaque(etag)))
    }
}

/// The weak tag for an object's version.
pub(crate) fn weak(etag: &str) -> String {
    format!("W/{}", opaque(etag))
}

/// A tag without its weakness, in its quotes.
fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// The tags of a list, each without its weakness, up to its first fault. A tag may have commas in it.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = opaque(rest.trim_start_matches([' ', '\t', ',']));
        let end = rest.strip_prefix('"')?.find('"')? + 2; // both quotes
        let (tag, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(tag)
    })
}
