//! The status file for people: serde_json indents it and writes it as it goes.
//!
//! Nothing is built in memory, because a status file may have 32 MiB. Values keep their order and
//! spelling. What a terminal would act on, and JSON allows inside texts, is escaped.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};
use serde_json::value::RawValue;

use crate::{
    json::{parts, text},
    output::is_control,
};

/// Values that are nested deeper stay in their line. Status files may be nested to any depth.
const DEEPEST: usize = 12;

/// Prints a JSON text to stdout.
pub fn print(json: &str) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &Value { json: serde_json::from_str(json)?, depth: 0 })?;
    writeln!(out)?;
    out.flush()
}

/// A value, handed to the printer part by part.
struct Value<'a> {
    json: &'a RawValue,
    depth: usize,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, printer: S) -> Result<S::Ok, S::Error> {
        let (json, depth) = (self.json.get(), self.depth + 1);
        let mut written = Ok(());
        if depth <= DEEPEST && json.starts_with('{') {
            let mut object = printer.serialize_map(None)?;
            let read = parts(json, |name, json| {
                let mut shown = name.and_then(text).unwrap_or_default().into_owned();
                shown.retain(|letter| !is_control(letter));
                if written.is_ok() {
                    written = object.serialize_entry(&shown, &Value { json, depth });
                }
            });
            read.map_err(Error::custom).and(written)?;
            object.end()
        } else if depth <= DEEPEST && json.starts_with('[') {
            let mut array = printer.serialize_seq(None)?;
            let read = parts(json, |_, json| {
                if written.is_ok() {
                    written = array.serialize_element(&Value { json, depth });
                }
            });
            read.map_err(Error::custom).and(written)?;
            array.end()
        } else {
            match escaped(json) {
                Cow::Borrowed(_) => self.json.serialize(printer),
                Cow::Owned(json) => RawValue::from_string(json).map_err(Error::custom)?.serialize(printer),
            }
        }
    }
}

/// A JSON text with the characters in its strings escaped that a terminal would act on.
fn escaped(json: &str) -> Cow<'_, str> {
    let is_acted_on = |letter: char| is_control(letter) && !letter.is_ascii_whitespace();
    if !json.contains(is_acted_on) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_acted_on(letter) {
            text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(letter);
        }
    }
    text.into()
}
