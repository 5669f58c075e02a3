//! The keyring in force: where it comes from, and when it is read again.
//!
//! An inline document never changes. An object in S3 is read at start-up and again, with
//! `If-None-Match`, before the first request that finds it older than [`KEYRING_FRESH`] is
//! judged; so a revoked key stops working, and a new one starts, within that time in every
//! environment. While it can't be read, or reads as nonsense, the last good one stays in force
//! for [`KEYRING_GRACE`], every failure logged for an alarm; after that nobody gets in.
//!
//! Ages are told by the wall clock: the monotonic one may stand still while Lambda has the
//! environment frozen.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::Mutex, time::timeout};
use tracing::{error, info, warn};

use super::{Faults, Keyring};
use crate::{
    error::{Cause, Error, chain},
    limits::{KEYRING_FRESH, KEYRING_GRACE, KEYRING_REFRESH_BUDGET, KEYRING_RETRY, MAX_KEYRING},
    s3::{Bucket, Effort, Failure, Get, Kind, Object, S3},
};

/// Where the keyring is, as configured.
pub enum Source {
    /// In the setting itself.
    Inline(Keyring),
    /// In S3.
    Object {
        /// Its bucket.
        bucket: Bucket,
        /// Its key.
        key: String,
    },
}

/// The keyring in force.
pub enum LiveKeyring {
    /// For as long as the process lives.
    Inline(Arc<Keyring>),
    /// Until a newer one is read.
    Object(Box<ObjectKeyring>),
}

/// A keyring in S3, and what was last read of it.
pub struct ObjectKeyring {
    s3: S3,
    bucket: Bucket,
    key: String,
    last: Mutex<Loaded>,
}

struct Loaded {
    keyring: Arc<Keyring>,
    etag: Option<String>,
    /// When S3 last said that this is the current document.
    confirmed: SystemTime,
    /// When the last refresh failed, if it did.
    failed: Option<SystemTime>,
}

/// Why a keyring could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// S3 did not hand it out in time.
    #[error("the keyring cannot be read")]
    NotRead(#[from] Failure),
    /// S3 took longer than a refresh may.
    #[error("the keyring cannot be read in time")]
    TooSlow(#[from] tokio::time::error::Elapsed),
    /// It was read and is not a keyring.
    #[error("the object that API_KEYS names {0}")]
    Malformed(#[from] Faults),
}

impl Default for Source {
    fn default() -> Self {
        Self::Inline(Keyring::default())
    }
}

impl LiveKeyring {
    /// Loads the keyring for the first time.
    ///
    /// # Errors
    /// It can't be read or is malformed; there is nothing to fall back on.
    pub async fn load(source: Source, s3: &S3, now: SystemTime) -> Result<Self, LoadError> {
        let (keyring, live) = match source {
            Source::Inline(keyring) => {
                let keyring = Arc::new(keyring);
                (Arc::clone(&keyring), Self::Inline(keyring))
            }
            Source::Object { bucket, key } => {
                let object = read(s3, &bucket, &key, None).await?;
                let keyring = Arc::new(Keyring::parse(&object.bytes)?);
                let last = Loaded { keyring: Arc::clone(&keyring), etag: object.etag, confirmed: now, failed: None };
                let object = ObjectKeyring { s3: s3.clone(), bucket, key, last: Mutex::new(last) };
                (keyring, Self::Object(Box::new(object)))
            }
        };
        info!(event = "keyring_loaded", key_count = keyring.len(), "keyring loaded");
        warn_if_empty(&keyring);
        Ok(live)
    }

    /// The keyring to judge a request by, read again first if it is due.
    ///
    /// # Errors
    /// 500: it could not be read for so long that it may no longer be trusted.
    pub async fn current(&self, now: SystemTime) -> Result<Arc<Keyring>, Error> {
        match self {
            Self::Inline(keyring) => Ok(Arc::clone(keyring)),
            Self::Object(object) => object.current(now).await,
        }
    }
}

impl ObjectKeyring {
    async fn current(&self, now: SystemTime) -> Result<Arc<Keyring>, Error> {
        // Held over the refresh: who comes meanwhile is to be judged by its outcome as well.
        let mut last = self.last.lock().await;
        let waiting = last.failed.is_some_and(|failed| age(failed, now) < KEYRING_RETRY);
        if age(last.confirmed, now) >= KEYRING_FRESH && !waiting {
            match self.refresh(&mut last).await {
                Ok(()) => {
                    last.confirmed = now;
                    last.failed = None;
                }
                Err(error) => {
                    last.failed = Some(now);
                    report(error, age(last.confirmed, now));
                }
            }
        }
        if age(last.confirmed, now) < KEYRING_GRACE {
            Ok(Arc::clone(&last.keyring))
        } else {
            Err(Error::keyring_stale())
        }
    }

    async fn refresh(&self, last: &mut Loaded) -> Result<(), LoadError> {
        let reading = read(&self.s3, &self.bucket, &self.key, last.etag.as_deref());
        match timeout(KEYRING_REFRESH_BUDGET, reading).await? {
            Ok(object) => {
                last.keyring = Arc::new(Keyring::parse(&object.bytes)?);
                last.etag = object.etag;
                warn_if_empty(&last.keyring);
                Ok(())
            }
            Err(failure) if failure.kind == Kind::NotModified => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }
}

async fn read(s3: &S3, bucket: &Bucket, key: &str, etag: Option<&str>) -> Result<Object, Failure> {
    let get = Get { bucket, key: key.into(), etag, max_bytes: MAX_KEYRING };
    s3.get(&get, &mut Effort::default()).await
}

/// Time since `then`. A clock that was set back makes everything old: then it is read again.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}

fn warn_if_empty(keyring: &Keyring) {
    if keyring.is_empty() {
        warn!(event = "keyring_empty", "the keyring has no keys: every request will be answered 401");
    }
}

fn report(error: LoadError, age: Duration) {
    let message = "the keyring could not be refreshed; the last good one stays in force for a while";
    let (error, hint) = match error {
        LoadError::NotRead(failure) => {
            let cause = Cause::from(failure);
            (chain(&*cause.error), Some(cause.hint))
        }
        error => (chain(&error), None),
    };
    error!(event = "keyring_refresh_failed", error, hint, age = age.as_secs(), "{message}");
}
