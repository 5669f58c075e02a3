//! JSON read as it is written: values stay raw until one is asked for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a raw value says if it is a string; borrowed unless it has escapes. `None` as well for a
/// string with an escaped lone surrogate: it is well-formed JSON, but Rust can't hold it.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}
