//! The keyring in force: where it comes from, and when it is read again.
//!
//! An inline document never changes. An object in S3 is read at start-up. A request that finds it older than
//! [`KEYRING_FRESH`] has it read again, with `If-None-Match`, and waits for that. So if S3 answers in time, a revoked
//! key stops working, and a new one starts, within a minute in every environment.
//!
//! **A slow S3 does not slow polls.** The refresh is a task of its own, one at a time. Requests wait for it until
//! [`KEYRING_PATIENCE`] after its start. Then the last good keyring judges them, which stays in force for
//! [`KEYRING_GRACE`]. The task goes on while requests are answered. On classic Lambda nothing runs between
//! invocations: there the task goes on with the next one. Once the grace is over nobody gets in, and requests wait
//! longer for what may let them in again.
//!
//! Ages come from the wall clock: the monotonic one may stand still while Lambda has the environment frozen.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use crate::{
    cause::chain,
    keyring::{Keyring, document::InvalidKeyring},
    limits::{
        ATTEMPT_TIMEOUT, KEYRING_ATTEMPT_TIMEOUT, KEYRING_FRESH, KEYRING_GRACE, KEYRING_PATIENCE,
        KEYRING_REPORT_INTERVAL, KEYRING_RETRY, KEYRING_STALE_PATIENCE, MAX_KEYRING,
    },
    s3::{
        S3,
        bucket::Bucket,
        failure::Failure,
        object::{Fetched, Get, ReadStats},
    },
};

/// Where the keyring is: in the setting itself, or in S3.
pub(crate) enum Source {
    Inline(Keyring),
    Object { bucket: Bucket, key: String },
}

/// The keyring in force: for as long as the process lives, or until a newer one is read.
pub(crate) enum LiveKeyring {
    Inline(Arc<Keyring>),
    Object(Arc<ObjectKeyring>),
}

/// A keyring in S3, and what was last read of it.
pub(crate) struct ObjectKeyring {
    s3: S3,
    bucket: Bucket,
    key: String,
    state: Mutex<State>,
}

struct State {
    keyring: Arc<Keyring>,
    etag: Option<String>,
    /// When a request found out from S3 that this is the current document.
    confirmed: SystemTime,
    /// When the last refresh started, the load at start-up included.
    refresh_started: SystemTime,
    /// Until when requests wait for it.
    patience_ends: Instant,
    /// The sender is dropped when it is over.
    refresh: watch::Receiver<()>,
    /// When a failed refresh was last logged.
    reported: Option<SystemTime>,
}

/// Why a keyring could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the keyring cannot be read")]
    NotRead(#[from] Failure),
    #[error("the object that API_KEYS names {0}")]
    Malformed(#[from] InvalidKeyring),
}

/// No good keyring has been read for too long to trust the last one.
#[derive(Debug, thiserror::Error)]
#[error("the keyring could not be read again within its time of grace")]
pub(crate) struct Stale;

impl Default for Source {
    fn default() -> Self {
        Self::Inline(Keyring::default())
    }
}

impl LiveKeyring {
    /// Loads the keyring for the first time.
    ///
    /// # Errors
    /// It can't be read or is malformed, and there is none to fall back on.
    pub(crate) async fn load(source: Source, s3: &S3, now: SystemTime) -> Result<Self, LoadError> {
        let (keyring, live) = match source {
            Source::Inline(keyring) => {
                let keyring = Arc::new(keyring);
                (Arc::clone(&keyring), Self::Inline(keyring))
            }
            Source::Object { bucket, key } => {
                let get = get(&bucket, &key, None, ATTEMPT_TIMEOUT);
                let object = s3.get(&get, &mut ReadStats::default()).await?.object()?;
                let keyring = Arc::new(Keyring::parse(&object.bytes)?);
                let state = State {
                    keyring: Arc::clone(&keyring),
                    etag: object.etag,
                    confirmed: now,
                    refresh_started: now,
                    patience_ends: Instant::now(),
                    refresh: watch::channel(()).1,
                    reported: None,
                };
                let object = ObjectKeyring { s3: s3.clone(), bucket, key, state: Mutex::new(state) };
                (keyring, Self::Object(Arc::new(object)))
            }
        };
        info!(event = "keyring_loaded", key_count = keyring.len(), "keyring loaded");
        warn_if_empty(&keyring);
        Ok(live)
    }

    /// The keyring to judge a request by. If it is due, it is read again first.
    pub(crate) async fn current(&self, now: SystemTime) -> Result<Arc<Keyring>, Stale> {
        let object = match self {
            Self::Inline(keyring) => return Ok(Arc::clone(keyring)),
            Self::Object(object) => object,
        };
        if let Some((mut refresh, until)) = object.refresh_if_due(now) {
            let _ = timeout_at(until, refresh.changed()).await;
        }
        let state = object.state();
        if age(state.confirmed, now) < KEYRING_GRACE { Ok(Arc::clone(&state.keyring)) } else { Err(Stale) }
    }
}

impl ObjectKeyring {
    /// Starts a refresh if it is time for one. If one is due or under way: the receiver that tells its end, and until
    /// when a request waits for that.
    fn refresh_if_due(self: &Arc<Self>, now: SystemTime) -> Option<(watch::Receiver<()>, Instant)> {
        let mut state = self.state();
        if state.confirmed > now {
            // The clock was set back. How old the keyring is can't be told any more: it is due.
            state.confirmed = now - KEYRING_FRESH;
        }
        let age_of_keyring = age(state.confirmed, now);
        if age_of_keyring < KEYRING_FRESH {
            return None;
        }
        let last_is_over = state.refresh.has_changed().is_err();
        if last_is_over && age(state.refresh_started, now) >= KEYRING_RETRY {
            let (sender, refresh) = watch::channel(());
            state.refresh = refresh;
            state.refresh_started = now;
            state.patience_ends = Instant::now() + KEYRING_PATIENCE;
            let keyring = Arc::clone(self);
            tokio::spawn(async move {
                let _sender = sender;
                keyring.refresh(now).await;
            });
        }
        let may_be_used = age_of_keyring < KEYRING_GRACE;
        let until = if may_be_used { state.patience_ends } else { Instant::now() + KEYRING_STALE_PATIENCE };
        Some((state.refresh.clone(), until))
    }

    async fn refresh(&self, now: SystemTime) {
        let outcome = self.read_if_changed().await;
        let mut state = self.state();
        match outcome {
            Ok(changed) => {
                if let Some((keyring, etag)) = changed {
                    warn_if_empty(&keyring);
                    (state.keyring, state.etag) = (Arc::new(keyring), etag);
                }
                state.confirmed = now;
            }
            Err(error) => {
                if state.reported.is_none_or(|reported| age(reported, now) >= KEYRING_REPORT_INTERVAL) {
                    state.reported = Some(now);
                    report(&error, age(state.confirmed, now));
                }
            }
        }
    }

    async fn read_if_changed(&self) -> Result<Option<(Keyring, Option<String>)>, LoadError> {
        let etag = self.state().etag.clone();
        let get = get(&self.bucket, &self.key, etag.as_deref(), KEYRING_ATTEMPT_TIMEOUT);
        match self.s3.get(&get, &mut ReadStats::default()).await? {
            Fetched::Object(object) => Ok(Some((Keyring::parse(&object.bytes)?, object.etag))),
            Fetched::Unchanged => Ok(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get<'a>(bucket: &'a Bucket, key: &str, unless: Option<&'a str>, attempt_timeout: Duration) -> Get<'a> {
    Get { bucket, key: key.into(), unless, max_bytes: MAX_KEYRING, large_files: None, attempt_timeout }
}

/// Time since `then`, without bound if the clock was set back since.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}

fn warn_if_empty(keyring: &Keyring) {
    if keyring.len() == 0 {
        warn!(event = "keyring_empty", "the keyring has no keys: every request will be answered 401");
    }
}

fn report(error: &LoadError, age: Duration) {
    let (error, hint) = match error {
        LoadError::NotRead(failure) => (chain(failure), Some(failure.hint())),
        LoadError::Malformed(_) => (chain(error), None),
    };
    error!(
        event = "keyring_refresh_failed",
        error,
        hint,
        age = age.as_secs(),
        "the keyring could not be refreshed; the last good one stays in force for a while"
    );
}
