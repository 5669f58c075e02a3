//! The keyring itself. A presented key is hashed and its digest looked up in a hash table, in
//! constant expected time however many keys there are.
//!
//! **The time that a refusal takes tells nothing about the keys.** The only thing done with a
//! presented key is hashing it. That takes a time that depends on its length alone, which its sender
//! knows. Everything after works on the digest. A table look-up does compare digests byte by byte
//! and may stop early, but to steer a digest towards one in the table a caller would have to invert
//! SHA-256, and the table's own hash is seeded anew in every process. An expired key is refused in
//! the same way.

use std::{collections::HashMap, time::SystemTime};

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a key.
pub(super) type Digest = [u8; 32];

/// The keys that are accepted. Never printed: there is no `Debug`.
#[derive(Default)]
pub struct Keyring {
    pub(super) keys: HashMap<Digest, Key>,
}

/// An accepted key, by what may be known of it.
pub struct Key {
    /// Its name on log lines.
    pub name: Box<str>,
    /// Its folder, ending in `/`, or empty. It stands between `JOBS_PREFIX` and the job id, so that
    /// no other job can be named.
    pub folder: Box<str>,
    /// The moment from which it is refused.
    pub(super) expires: Option<SystemTime>,
}

impl Keyring {
    /// The key that was presented, if it is in the ring and has not expired.
    #[must_use]
    pub fn find(&self, presented: &[u8], now: SystemTime) -> Option<&Key> {
        self.keys
            .get(&Digest::from(Sha256::digest(presented)))
            .filter(|key| key.expires.is_none_or(|expires| now < expires))
    }

    /// How many keys there are, expired ones included.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
