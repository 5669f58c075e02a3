//! A status file: what a worker wrote about its job, passed on byte for byte.
//!
//! It is only *checked*: it must be one well-formed JSON object in UTF-8. What it says at the top about its progress
//! is noted on the way. Nothing is rebuilt: numbers keep their digits, fields their order and duplicates, escapes
//! their spelling. The check neither builds values nor recurses into them, so neither size nor depth can hurt.

mod foreign;
pub(crate) mod progress;
mod repair;

use crate::status_file::{progress::Progress, repair::repair};

/// A checked status file.
pub struct StatusFile {
    /// The file's text: one JSON object. White space is kept. A byte order mark in front is left out, because it is
    /// no part of a JSON text (RFC 8259, section 8.1).
    pub text: String,
    /// What it says about its progress.
    pub progress: Progress,
    /// How many numbers that JSON does not have, such as `NaN`, were replaced by `null`.
    pub repaired: usize,
}

/// Why a file can't be passed on.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Some bytes are not UTF-8. The hint says what they look like.
    #[error("it is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error, Option<&'static str>),
    /// It is cut off, malformed, or another kind of value, or more follows. The hint says what it looks like.
    #[error("it is not one JSON object")]
    NotAnObject(#[source] serde_json::Error, Option<&'static str>),
}

impl StatusFile {
    /// Checks the bytes of a status file. The states in `unfinished` are unfinished too.
    ///
    /// # Errors
    /// What is wrong with them, without the content.
    pub fn check(bytes: Vec<u8>, unfinished: &[String]) -> Result<Self, Malformed> {
        let mut text = String::from_utf8(bytes)
            .map_err(|error| Malformed::NotUtf8(error.utf8_error(), foreign::hint(error.as_bytes())))?;
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        if text.trim_ascii().is_empty() {
            return Err(Malformed::Empty);
        }
        match Progress::parse(&text, unfinished) {
            Ok(progress) => Ok(Self { text, progress, repaired: 0 }),
            Err(error) => Self::repaired(&text, unfinished)
                .ok_or_else(|| Malformed::NotAnObject(error, foreign::hint(text.as_bytes()))),
        }
    }

    /// The file with `null` for what Python writes and JSON does not have; `None` if that does not make it JSON.
    fn repaired(text: &str, unfinished: &[String]) -> Option<Self> {
        let (text, repaired) = repair(text);
        let progress = Progress::parse(&text, unfinished).ok().filter(|_| repaired > 0)?;
        Some(Self { text, progress, repaired })
    }
}
