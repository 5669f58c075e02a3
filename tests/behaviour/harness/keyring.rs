//! The keyring in S3, and polls with its keys.

use std::path::PathBuf;

use local::samples::DONE;
use serde_json::Value;
use testbed::keyring::{document, entry};

use super::{Deployment, Environment, Request};

/// What `API_KEYS` is if the keyring is in S3.
pub const KEYRING: &str = "s3://config/keyring.json";

/// A keyring that accepts these keys, each under a name that is the same as the key.
pub fn accepting<const N: usize>(keys: [&str; N]) -> String {
    document(&keys.map(|key| entry(key, key)))
}

/// An entry of a keyring with this member added or changed.
pub fn with(mut entry: Value, member: &str, value: impl Into<Value>) -> Value {
    entry[member] = value.into();
    entry
}

impl Environment {
    /// Starts a deployment with the sample jobs and its keyring in S3.
    pub async fn with_keyring(document: String) -> Self {
        let deployment = Deployment::with_samples().await.set("API_KEYS", KEYRING);
        deployment.put("config", "keyring.json", document);
        deployment.start().await
    }

    /// Replaces the keyring in S3.
    pub fn replace_keyring(&self, document: impl AsRef<[u8]>) {
        self.put("config", "keyring.json", document);
    }

    /// The file behind the keyring in S3.
    pub fn keyring(&self) -> PathBuf {
        self.object("config", "keyring.json")
    }

    /// The status of a poll with this key.
    pub async fn status_with(&self, key: &str) -> u16 {
        self.send(Request::job(DONE).key(key)).await.status
    }

    /// The status of a poll with each of these keys, one after the other.
    pub async fn statuses_with<const N: usize>(&self, keys: [&str; N]) -> [u16; N] {
        let mut statuses = [0; N];
        for (status, key) in statuses.iter_mut().zip(keys) {
            *status = self.status_with(key).await;
        }
        statuses
    }
}
