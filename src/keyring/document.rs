//! The keyring document: read strictly, so that a typo can't make a key eternal or open other prefixes.
//!
//! All faults are reported at once, each with its entry. They never repeat a value, because the likeliest mistake is a
//! key in the place of its digest. An unknown field's name is repeated only if it can't be a key either.

use std::{borrow::Cow, collections::HashMap, fmt, time::SystemTime};

use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    json::{Fields, string},
    keyring::{Digest, Key, Keyring},
};

/// Faults listed before the rest is only counted.
const LISTED: usize = 8;
/// Longest name, and longest segment of a prefix, in bytes.
const MAX_NAME: usize = 64;
/// Longest prefix, in bytes; S3 keys have at most 1,024.
const MAX_PREFIX: usize = 512;

/// What is wrong with a keyring document.
#[derive(Debug, thiserror::Error)]
pub struct InvalidKeyring(Vec<String>);

impl fmt::Display for InvalidKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.0.get(..LISTED).unwrap_or(&self.0);
        write!(f, "is not a valid keyring: {}", listed.join(", "))?;
        match self.0.len() - listed.len() {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl Keyring {
    /// Reads a keyring document: `{"keys":[{"name","sha256","prefix"?,"expires"?}, …]}`, the form that
    /// `keyring.schema.json` describes.
    ///
    /// # Errors
    /// Every fault, named with its entry, without any part of a key or digest.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeyring> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json); // a byte order mark
        let document: Fields<'_> = serde_json::from_slice(json).map_err(|error| {
            let what = if error.is_data() { "it is not a JSON object" } else { "it is not valid JSON" };
            InvalidKeyring(vec![format!("{what} (line {}, column {})", error.line(), error.column())])
        })?;
        let mut faults = Vec::new();
        let [entries] = named(document, ["keys"], "the document", &mut faults);
        let entries = entries.map(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()));
        match &entries {
            Some(Ok(_)) => {}
            Some(Err(_)) => faults.push("keys is not an array".into()),
            None => faults.push("keys is missing".into()),
        }
        let entries = entries.and_then(Result::ok).unwrap_or_default();

        let mut keys = HashMap::<Digest, Key>::with_capacity(entries.len());
        let mut names = HashMap::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let Some((name, digest, key)) = parse_entry(entry.get(), index, &mut faults) else { continue };
            if let Some(first) = keys.get(&digest) {
                faults.push(format!("keys[{index}] ({}) has the sha256 of {}", key.name, first.name));
            }
            if let Some(first) = names.insert(name, index) {
                faults.push(format!("keys[{index}] has the name of keys[{first}]"));
            }
            keys.insert(digest, key);
        }
        if faults.is_empty() { Ok(Self { keys }) } else { Err(InvalidKeyring(faults)) }
    }
}

fn parse_entry<'a>(json: &'a str, index: usize, faults: &mut Vec<String>) -> Option<(Cow<'a, str>, Digest, Key)> {
    let known = faults.len();
    let Ok(fields) = serde_json::from_str(json) else {
        faults.push(format!("keys[{index}] is not an object"));
        return None;
    };
    let [name, sha256, prefix, expires] =
        named(fields, ["name", "sha256", "prefix", "expires"], &format!("keys[{index}]"), faults);

    let mut check = |ok: bool, fault: &str| {
        if !ok {
            faults.push(format!("keys[{index}]: {fault}"));
        }
    };
    check(name.is_some(), "name is missing");
    let name = name.map(|raw| string(raw).filter(|name| is_name(name)));
    check(name != Some(None), "name is not a string of 1 to 64 printable ASCII characters");

    check(sha256.is_some(), "sha256 is missing");
    let digest = sha256.map(|raw| string(raw).and_then(|text| parse_digest(&text)));
    check(digest != Some(None), "sha256 is not 64 hexadecimal digits");

    let prefix = prefix.map(|raw| string(raw).filter(|prefix| is_prefix(prefix)));
    check(
        prefix != Some(None),
        "prefix is not of the form acme/ (segments of letters, digits, - _ . each ending in /)",
    );

    let expires = expires.map(|raw| string(raw).and_then(|text| parse_moment(&text)));
    check(expires != Some(None), "expires is not a moment such as 2027-06-30T00:00:00Z (RFC 3339, with offset)");

    if faults.len() > known {
        return None;
    }
    let name = name??;
    let key = Key {
        name: name.as_ref().into(),
        prefix: prefix.flatten().unwrap_or_default().into(),
        expires: expires.flatten(),
    };
    Some((name, digest??, key))
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn is_prefix(prefix: &str) -> bool {
    let is_segment = |segment: &str| {
        (1..=MAX_NAME).contains(&segment.len())
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    prefix.len() <= MAX_PREFIX && prefix.strip_suffix('/').is_some_and(|segments| segments.split('/').all(is_segment))
}

fn parse_digest(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

fn parse_moment(text: &str) -> Option<SystemTime> {
    // `time` takes any separator and either case; the schema takes what everybody writes.
    let is_usual = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    is_usual.then(|| OffsetDateTime::parse(text, &Rfc3339).ok()).flatten().map(SystemTime::from)
}

/// The values of the allowed fields. Any other field, and any given twice, is a fault.
fn named<'a, const N: usize>(
    fields: Fields<'a>,
    allowed: [&str; N],
    at: &str,
    faults: &mut Vec<String>,
) -> [Option<&'a RawValue>; N] {
    let mut values = [None; N];
    for (name, value) in fields.0 {
        let slot = allowed.iter().position(|allowed| *allowed == name).and_then(|index| values.get_mut(index));
        // A word, and not a key in the wrong place.
        let is_harmless =
            (1..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let name = if is_harmless { &format!(" {name}") } else { "" };
        match slot {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) => faults.push(format!("{at}:{name} is given twice")),
            None if N == 1 => faults.push(format!("{at}: unknown field{name}; expected {}", allowed.concat())),
            None => faults.push(format!("{at}: unknown field{name}; expected one of {}", allowed.join(", "))),
        }
    }
    values
}
