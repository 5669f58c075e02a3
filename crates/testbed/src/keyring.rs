//! Keys, and the keyring document that accepts them.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The key that is accepted unless a test says otherwise.
pub const DEMO_KEY: &str = "demo-key";

/// The SHA-256 of a text in hexadecimal digits, as a keyring has it of a key.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

/// An entry that accepts `key` under `name`.
pub fn entry(name: &str, key: &str) -> Value {
    json!({ "name": name, "sha256": sha256(key) })
}

/// A keyring document with these entries.
pub fn document(entries: &[Value]) -> String {
    json!({ "keys": entries }).to_string()
}
