//! JSON of others, read part by part. Values stay as they are written, so no number, no half of an
//! emoji and no depth can change what a status says, and nothing is built in memory.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What a value says if it is a string. Half of an emoji, which some workers cut texts to, becomes
/// U+FFFD: JSON can have it, a text can't.
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::Deserializer::from_str(value.get()).deserialize_bytes(Text).ok()
}

/// The members of an object that have these names; an array has none. The last one counts if there are
/// several, as for most JSON readers.
///
/// # Errors
/// It is neither, or not JSON.
pub fn members<'a, const N: usize>(json: &'a str, names: [&str; N]) -> serde_json::Result<[Option<&'a RawValue>; N]> {
    let mut members = [None; N];
    parts(json, |name, value| {
        let name = name.and_then(text);
        let wanted = names.iter().zip(&mut members).find(|(wanted, _)| Some(**wanted) == name.as_deref());
        if let Some((_, member)) = wanted {
            *member = Some(value);
        }
    })?;
    Ok(members)
}

/// Hands on every part of an object, with its name, or of an array, in their order.
///
/// # Errors
/// It is another kind of value, or not JSON.
pub fn parts<'a>(json: &'a str, each: impl FnMut(Option<&'a RawValue>, &'a RawValue)) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_any(Parts(each))?;
    json.end()
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned().into())
    }
}

struct Parts<F>(F);

impl<'de, F: FnMut(Option<&'de RawValue>, &'de RawValue)> Visitor<'de> for Parts<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, value)) = members.next_entry()? {
            (self.0)(Some(name), value);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.0)(None, element);
        }
        Ok(())
    }
}
