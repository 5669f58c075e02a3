//! The keyring's text, changed without touching what a change is not about.
//!
//! People keep rings in their own order and layout. An edit therefore splices text: what it does not
//! name keeps every byte. Whether a text is a ring is for the function's own parser to say, before
//! an edit and after it.

use std::{borrow::Cow, ops::Range};

use job_status::{InvalidKeyring, Keyring};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

use crate::keys::moment;

/// A new ring.
pub const EMPTY: &str = "{\n  \"keys\": []\n}\n";

/// A valid keyring document.
pub struct Document {
    text: String,
    ring: Keyring,
}

/// What an entry of the ring says.
pub struct Entry {
    pub name: String,
    /// The key's folder, ending in `/`.
    pub prefix: Option<String>,
    /// The moment from which the key is refused.
    pub expires: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    keys: &'a RawValue,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    expires: Option<&'a RawValue>,
}

impl Document {
    /// Has the function's parser judge a text.
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, InvalidKeyring> {
        let text = text.into();
        let ring = Keyring::parse(&text)?;
        // The parser has taken it for JSON, which is UTF-8.
        Ok(Self { text: String::from_utf8_lossy(&text).into_owned(), ring })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The ring that the function would make of it.
    pub fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// The entries, in their order.
    pub fn entries(&self) -> Vec<Entry> {
        self.raw().into_iter().filter_map(entry).collect()
    }

    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.name == name)
    }

    /// The text with one more entry, after the others and laid out like them.
    pub fn with(&self, entry: &Entry, sha256: &str) -> String {
        let raw = self.raw();
        let entry = render(entry, sha256);
        let Some(last) = raw.last() else {
            let inside = self.keys();
            return self.replaced(inside, &format!("[\n    {entry}\n  ]"));
        };
        let last = self.span(last.get());
        let before = self.text.get(..last.start).unwrap_or_default();
        let gap = before.get(before.trim_end().len()..).unwrap_or_default();
        self.replaced(last.end..last.end, &format!(",{gap}{entry}"))
    }

    /// The text without the entry of this name.
    pub fn without(&self, name: &str) -> String {
        let spans: Vec<_> = self.raw().into_iter().map(|raw| (self.span(raw.get()), entry(raw))).collect();
        let Some(at) = spans.iter().position(|(_, entry)| entry.as_ref().is_some_and(|entry| entry.name == name))
        else {
            return self.text.clone();
        };
        let span = |index: Option<usize>| index.and_then(|index| spans.get(index)).map(|(span, _)| span.clone());
        let entry = span(Some(at)).unwrap_or_default();
        match (span(at.checked_sub(1)), span(at.checked_add(1))) {
            (Some(previous), _) => self.replaced(previous.end..entry.end, ""),
            (None, Some(next)) => self.replaced(entry.start..next.start, ""),
            (None, None) => self.replaced(self.keys(), "[]"),
        }
    }

    /// The text with another expiry for the entry of this name.
    pub fn expiring(&self, name: &str, expires: OffsetDateTime) -> String {
        let value = format!("\"{}\"", moment::text(expires));
        for raw in self.raw() {
            let Some(members) = members(raw).filter(|members| members.name == name) else { continue };
            if let Some(old) = members.expires {
                return self.replaced(self.span(old.get()), &value);
            }
            let entry = self.span(raw.get());
            let inside = raw.get().trim_start_matches('{');
            let gap = inside.get(..inside.len() - inside.trim_start().len()).filter(|gap| gap.contains('\n'));
            let end = entry.start + raw.get().trim_end_matches('}').trim_end().len();
            return self.replaced(end..end, &format!(",{}\"expires\": {value}", gap.unwrap_or(" ")));
        }
        self.text.clone()
    }

    fn keys(&self) -> Range<usize> {
        serde_json::from_str::<Keys<'_>>(&self.text).map(|document| self.span(document.keys.get())).unwrap_or_default()
    }

    fn raw(&self) -> Vec<&RawValue> {
        self.text.get(self.keys()).and_then(|keys| serde_json::from_str(keys).ok()).unwrap_or_default()
    }

    /// Where in the text a part of it is.
    fn span(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr().addr() - self.text.as_ptr().addr();
        start..start + part.len()
    }

    fn replaced(&self, range: Range<usize>, by: &str) -> String {
        let mut text = self.text.clone();
        text.replace_range(range, by);
        text
    }
}

fn members(raw: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(raw.get()).ok()
}

fn entry(raw: &RawValue) -> Option<Entry> {
    let members = members(raw)?;
    Some(Entry {
        name: members.name.into_owned(),
        prefix: members.prefix.map(Cow::into_owned),
        expires: members.expires.and_then(|raw| moment::parse(&serde_json::from_str::<String>(raw.get()).ok()?)),
    })
}

fn render(entry: &Entry, sha256: &str) -> String {
    let expires = entry.expires.map(moment::text);
    let members = [
        ("name", Some(entry.name.as_str())),
        ("sha256", Some(sha256)),
        ("prefix", entry.prefix.as_deref()),
        ("expires", expires.as_deref()),
    ];
    let written =
        |(name, value): (&str, Option<&str>)| value.map(|value| format!("\"{name}\": {}", Value::from(value)));
    format!("{{ {} }}", members.into_iter().filter_map(written).collect::<Vec<_>>().join(", "))
}
