//! Who may ask: a keyring of SHA-256 digests, each with a name, a prefix and an expiry date. A leaked keyring opens
//! nothing. [`document`] is the form in which operators write one, and [`live`] keeps it up to date.
//!
//! A presented key is hashed and its digest looked up in a hash table, in constant time however many keys there are.
//! **The time that a refusal takes tells nothing about the keys.** The hash takes a time that depends on the presented
//! key's length alone, which its sender knows. The look-up compares digests byte by byte and may stop early, but to
//! steer a digest towards one in the table a caller would have to invert SHA-256, and the table's own hash is seeded
//! anew in every process. An expired key is refused in the same way.

pub(crate) mod document;
pub(crate) mod live;

use std::{collections::HashMap, time::SystemTime};

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a key.
type Digest = [u8; 32];

/// The keys that are accepted. Never printed: there is no `Debug`.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<Digest, Key>,
}

/// What may be known of an accepted key.
pub struct Key {
    /// Its name on log lines.
    pub name: Box<str>,
    /// Its prefix, ending in `/`, or empty. It stands between `JOBS_PREFIX` and the job id: no other job can be named.
    pub prefix: Box<str>,
    /// The moment from which it is refused.
    expires: Option<SystemTime>,
}

impl Keyring {
    /// The key that was presented, if it is in the keyring and has not expired.
    #[must_use]
    pub fn find(&self, presented: &[u8], now: SystemTime) -> Option<&Key> {
        self.keys
            .get(&Digest::from(Sha256::digest(presented)))
            .filter(|key| key.expires.is_none_or(|expires| now < expires))
    }
}
