//! JSON read as it is written: values stay raw until one is asked for.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of a raw value if it is a string; borrowed unless it has escapes. `None` as well for a string with an
/// escaped lone surrogate: it is well-formed JSON, but Rust can't hold it.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// The fields of an object, in their order, with those that are given twice.
#[derive(Default)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Vec::new();
        Each(|name, value| fields.push((name, value))).deserialize(deserializer)?;
        Ok(Self(fields))
    }
}

/// Reads an object: calls a function with each field, in their order.
pub(crate) struct Each<F>(pub(crate) F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> DeserializeSeed<'de> for Each<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, _>()? {
            // Borrowed unless it has escapes. A lone surrogate in it makes a name that nobody asks for.
            (self.0)(string(name).unwrap_or_default(), value);
        }
        Ok(())
    }
}
