//! The keyring in force: where it comes from, and when it is read again.
//!
//! An inline document never changes. An object in S3 is read at start-up. A request that finds it older than
//! [`KEYRING_FRESH`] has it read again, with `If-None-Match`, and waits for that. So if S3 answers in time, a revoked
//! key stops working, and a new one starts, within a minute in every environment.
//!
//! **A slow S3 does not slow polls.** The refresh is a task of its own, one at a time. It goes on while requests are
//! answered; on classic Lambda, where nothing runs between invocations, with the next one. Requests wait for it until
//! [`KEYRING_PATIENCE`] after its start. Then the last good keyring judges them, for [`KEYRING_GRACE`]. After that
//! nobody gets in, and requests wait longer for what may let them in again.
//!
//! Ages come from the wall clock: the monotonic one may stand still while Lambda has the environment frozen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
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

/// Where the keyring is.
pub(crate) enum Source {
    Inline(Keyring),
    Object { bucket: Bucket, key: String },
}

/// The keyring in force.
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

impl Default for Source {
    fn default() -> Self {
        Self::Inline(Keyring::default())
    }
}

impl LiveKeyring {
    /// Loads the keyring for the first time.
    pub(crate) async fn load(source: Source, s3: &S3, now: SystemTime) -> Result<Self, LoadError> {
        let (keyring, live) = match source {
            Source::Inline(keyring) => {
                let keyring = Arc::new(keyring);
                (Arc::clone(&keyring), Self::Inline(keyring))
            }
            Source::Object { bucket, key } => {
                let state = State {
                    keyring: Arc::default(),
                    etag: None,
                    confirmed: now,
                    refresh_started: now,
                    patience_ends: Instant::now(),
                    refresh: watch::channel(()).1,
                    reported: None,
                };
                let object = ObjectKeyring { s3: s3.clone(), bucket, key, state: Mutex::new(state) };
                let keyring = object.read(ATTEMPT_TIMEOUT, now).await?.unwrap_or_default();
                (keyring, Self::Object(Arc::new(object)))
            }
        };
        info!(event = "keyring_loaded", key_count = keyring.keys.len(), "keyring loaded");
        warn_if_empty(&keyring);
        Ok(live)
    }

    /// The keyring to judge a request by. If it is due, it is read again first. `None` if no good one has been read for
    /// too long to trust the last one.
    pub(crate) async fn current(&self, now: SystemTime) -> Option<Arc<Keyring>> {
        let object = match self {
            Self::Inline(keyring) => return Some(Arc::clone(keyring)),
            Self::Object(object) => object,
        };
        if let Some((mut refresh, until)) = object.refresh_if_due(now) {
            let _ = timeout_at(until, refresh.changed()).await;
        }
        let state = object.state();
        (age(state.confirmed, now) < KEYRING_GRACE).then(|| Arc::clone(&state.keyring))
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
        match self.read(KEYRING_ATTEMPT_TIMEOUT, now).await {
            Ok(Some(keyring)) => warn_if_empty(&keyring),
            Ok(None) => {}
            Err(error) => {
                let mut state = self.state();
                if state.reported.is_none_or(|reported| age(reported, now) >= KEYRING_REPORT_INTERVAL) {
                    state.reported = Some(now);
                    let (error, hint) = match &error {
                        LoadError::NotRead(failure) => (chain(failure), Some(failure.hint())),
                        LoadError::Malformed(_) => (chain(&error), None),
                    };
                    error!(
                        event = "keyring_refresh_failed",
                        error,
                        hint,
                        age = age(state.confirmed, now).as_secs(),
                        "the keyring could not be refreshed; the last good one stays in force for a while"
                    );
                }
            }
        }
    }

    /// Reads the document for a request that came at `now`. `None` if it is the one that is in force already.
    async fn read(&self, attempt_timeout: Duration, now: SystemTime) -> Result<Option<Arc<Keyring>>, LoadError> {
        let etag = self.state().etag.clone();
        let get = Get {
            bucket: &self.bucket,
            key: self.key.clone(),
            unless: etag.as_deref(),
            max_bytes: MAX_KEYRING,
            large_files: None,
            attempt_timeout,
        };
        let changed = match self.s3.get(&get, &mut ReadStats::default()).await? {
            Fetched::Object(object) => Some((Arc::new(Keyring::parse(&object.bytes)?), object.etag)),
            Fetched::Unchanged => None,
        };
        let mut state = self.state();
        state.confirmed = now;
        Ok(changed.map(|(keyring, etag)| {
            (state.keyring, state.etag) = (Arc::clone(&keyring), etag);
            keyring
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time since `then`, without bound if the clock was set back since.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}

fn warn_if_empty(keyring: &Keyring) {
    if keyring.keys.is_empty() {
        warn!(event = "keyring_empty", "the keyring has no keys: every request will be answered 401");
    }
}
