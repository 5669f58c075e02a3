//! The keyring document. The function's own parser says whether a text is one, before a change and
//! after it; serde_json reads and writes it.

use std::collections::HashSet;

use job_status::{Keyring, limits::MAX_KEYRING};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::keys::{moment, secret::Secret};

/// A valid keyring document.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    keys: Vec<Entry>,
    /// Bytes that it was read from.
    #[serde(skip)]
    size: usize,
}

/// What the document says of a key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    sha256: String,
    /// The key sees the jobs below it and no others. It ends in `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// RFC 3339, as somebody wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl Document {
    /// Reads a text. A byte order mark in front of it is no part of it.
    ///
    /// # Errors
    /// What the function's parser says.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        Keyring::parse(text).map_err(|error| error.to_string())?;
        let document: Self = serde_json::from_slice(text).map_err(|error| format!("cannot be read: {error}"))?;
        Ok(Self { size: text.len(), ..document })
    }

    /// The text to be written: indented for people, unless it is too large for the function then.
    ///
    /// # Errors
    /// What the function's parser says of it.
    pub fn text(&self) -> Result<String, String> {
        let written =
            |text: serde_json::Result<String>| text.map(|text| text + "\n").map_err(|error| error.to_string());
        let mut text = written(serde_json::to_string_pretty(self))?;
        if is_too_large(text.len()) {
            text = written(serde_json::to_string(self))?;
        }
        Keyring::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(text)
    }

    /// Bytes that it was read from.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The keys, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.keys
    }

    /// The key with this name.
    pub fn entry(&mut self, name: &str) -> Option<&mut Entry> {
        self.keys.iter_mut().find(|entry| entry.name == name)
    }

    /// The entry of a key, expired or not.
    pub fn find(&self, secret: &Secret) -> Option<&Entry> {
        let sha256 = secret.sha256();
        self.keys.iter().find(|entry| entry.sha256.eq_ignore_ascii_case(&sha256))
    }

    pub fn names(&self) -> HashSet<&str> {
        self.keys.iter().map(|entry| entry.name.as_str()).collect()
    }

    pub fn add(&mut self, entry: Entry) {
        self.keys.push(entry);
    }

    /// Whether there was a key with this name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|entry| entry.name != name);
        self.keys.len() < before
    }
}

impl Entry {
    /// A new key.
    pub fn new(name: String, secret: &Secret, prefix: Option<String>, expires: Option<OffsetDateTime>) -> Self {
        Self { name, sha256: secret.sha256(), prefix, expires: expires.map(moment::text) }
    }

    /// The moment from which the key is refused.
    pub fn expires(&self) -> Option<OffsetDateTime> {
        moment::parse(self.expires.as_deref()?)
    }

    /// Lets the key expire at this moment.
    pub fn expire(&mut self, moment: OffsetDateTime) {
        self.expires = Some(moment::text(moment));
    }
}

/// Whether the function refuses to read so many bytes.
pub fn is_too_large(size: usize) -> bool {
    size as u64 > MAX_KEYRING
}
