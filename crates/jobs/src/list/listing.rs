//! Which status files there are, as S3 lists them.
//!
//! S3 lists by key, so the newest are known only when all keys have been seen. Of these, as many stay in
//! memory as are wanted. Keys with a further slash are not listed one by one.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use aws_sdk_s3::{
    Client,
    primitives::DateTime,
    types::{EncodingType, Object},
};
use job_status::JobId;
use percent_encoding::percent_decode_str;

use crate::{
    failure::Failure,
    s3::{self, Store},
};

/// What the name of every directory bucket ends with. S3 lists them below whole prefixes only.
const DIRECTORY_BUCKET: &str = "--x-s3";

/// The status file of a job. One with the same members is the same version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub written: DateTime,
    pub id: JobId,
    /// In bytes.
    pub size: u64,
    etag: Option<String>,
}

/// What S3 has.
#[derive(Default)]
pub struct Listing {
    /// The newest first.
    pub newest: Vec<Rc<Listed>>,
    /// Status files, all in all.
    pub jobs: usize,
    /// Keys that are no status file's.
    pub others: usize,
    /// Prefixes below this one, and the last of them.
    pub below: usize,
    pub last_below: Option<String>,
    /// Requests that it took.
    pub requests: usize,
}

/// Lists the jobs whose ids begin with `begin`, of which the `most` newest are wanted. `seen` is told how
/// many there are so far.
pub async fn list(
    client: &Client,
    store: &Store,
    begin: &str,
    most: usize,
    mut seen: impl FnMut(usize),
) -> Result<Listing, Failure> {
    let prefix = if store.bucket.ends_with(DIRECTORY_BUCKET) { "" } else { begin };
    let request = client.list_objects_v2().bucket(&store.bucket).prefix(format!("{}{prefix}", store.prefix));
    // Without the encoding one key with a character that XML can't have would make the whole answer invalid.
    let mut pages = request.delimiter("/").encoding_type(EncodingType::Url).into_paginator().send();
    let (mut listing, mut newest) = (Listing::default(), BinaryHeap::new());
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            let failure = s3::failure(&format!("listing {store}"), &error);
            if s3::status(&error) == Some(403) && s3::scope(&error) == s3::Scope::Object {
                failure.advise("the credentials need s3:ListBucket on the bucket: see docs/operations.md#see-the-jobs")
            } else {
                failure
            }
        })?;
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        let decoded = |key: &str| if is_encoded { decoded(key) } else { key.into() };
        for object in page.contents() {
            match object.key().and_then(|key| job(store, &decoded(key))) {
                Some(id) if !id.to_string().starts_with(begin) => {}
                Some(id) => {
                    listing.jobs += 1;
                    newest.extend(listed(id, object).map(Reverse));
                    if newest.len() > most {
                        newest.pop();
                    }
                }
                None => listing.others += 1,
            }
        }
        listing.below += page.common_prefixes().len();
        let last = page.common_prefixes().last().and_then(|last| last.prefix());
        listing.last_below = last.map(decoded).or(listing.last_below);
        listing.requests += 1;
        seen(listing.jobs);
    }
    listing.newest = newest.into_sorted_vec().into_iter().map(|Reverse(listed)| Rc::new(listed)).collect();
    Ok(listing)
}

/// The job whose status file has this key.
fn job(store: &Store, key: &str) -> Option<JobId> {
    let id = JobId::parse(key.strip_prefix(&store.prefix)?.strip_suffix(".json")?)?;
    (store.key(id) == key).then_some(id) // names are in lower case
}

fn listed(id: JobId, object: &Object) -> Option<Listed> {
    let size = object.size().and_then(|size| size.try_into().ok()).unwrap_or_default();
    Some(Listed { written: *object.last_modified()?, id, size, etag: object.e_tag().map(Into::into) })
}

/// A key as it is: S3 encodes it as browsers encode forms.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}
