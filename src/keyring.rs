//! Who may ask: a keyring of digests, each with a name, a folder and a last day.
//!
//! Only SHA-256 digests are configured, so a leaked keyring opens nothing. A presented key is
//! hashed and its digest looked up in a hash table, in constant expected time however many keys
//! there are.
//!
//! **The time to refuse tells nothing about the keys.** The only thing done with a presented key
//! is hashing it, which takes a time that depends on its length alone, and its sender knows that.
//! What follows works on the digest. A table look-up does compare digests byte by byte and may
//! stop early, but a caller can't steer a digest towards one in the table without inverting
//! SHA-256, and the table's own hash is seeded anew in every process. A key that is expired takes
//! the same way to the same refusal.

mod document;
mod live;

use std::{collections::HashMap, time::SystemTime};

use sha2::{Digest as _, Sha256};

pub use document::Faults;
pub use live::{LiveKeyring, LoadError, Source};

type Digest = [u8; 32];

/// The keys that are accepted. Never printed: there is no `Debug`.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<Digest, Key>,
}

/// An accepted key, by what may be known of it.
pub struct Key {
    /// Its name on log lines.
    pub name: Box<str>,
    /// Its folder, ending in `/`, or empty: put between `JOBS_PREFIX` and the job id, so that no
    /// other job can be named.
    pub folder: Box<str>,
    /// The moment from which it is refused.
    expires: Option<SystemTime>,
}

impl Keyring {
    /// Reads a keyring document: `{"keys":[{"name","sha256","prefix"?,"expires"?}, …]}`, the
    /// form that `keyring.schema.json` describes.
    ///
    /// # Errors
    /// Every fault, named with its entry, without any part of a key or digest.
    pub fn parse(json: &[u8]) -> Result<Self, Faults> {
        document::parse(json).map(|keys| Self { keys })
    }

    /// The key that was presented, if it is in the ring and has not expired.
    #[must_use]
    pub fn find(&self, presented: &[u8], now: SystemTime) -> Option<&Key> {
        self.keys
            .get(&Digest::from(Sha256::digest(presented)))
            .filter(|key| key.expires.is_none_or(|expires| now < expires))
    }

    /// How many keys there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
