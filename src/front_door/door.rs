//! What every kind of front door has, and what their events have in common.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Response;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::encoding::Body;

/// A kind of front door.
pub struct Door {
    /// Its name, for people.
    pub name: &'static str,
    /// The largest payload, in bytes, that it passes on from a function.
    pub max_payload: usize,
    /// Whether compressed bodies get through to the caller as they are.
    pub(super) passes_binary: bool,
    /// Reads an event. Fails if it is not one of this door's.
    pub(super) read: fn(&[u8]) -> serde_json::Result<Request>,
    /// Puts a response into the shape that this door expects.
    pub(super) answer: fn(Response<Body>) -> Answer,
}

/// What goes back to a front door.
pub type Answer = Box<dyn erased_serde::Serialize + Send>;

/// A request, as far as an event tells what matters here.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

/// An event in API Gateway's payload format 1.0, or in a dialect of it. `C` is what its
/// `requestContext` has to look like.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyEvent<C> {
    #[serde(rename = "requestContext")]
    _request_context: C,
    http_method: String,
    path: Option<String>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

impl<C> From<ProxyEvent<C>> for Request {
    fn from(event: ProxyEvent<C>) -> Self {
        Self {
            method: event.http_method,
            path: event.path.unwrap_or_default(),
            headers: event.multi_value_headers.unwrap_or_default().or(event.headers.unwrap_or_default()),
            body: decode(event.body, event.is_base64_encoded),
        }
    }
}

/// The body of an event. What claims to be base64 and is not is taken as it stands: it is no JSON
/// either, so it gets a 400.
pub(super) fn decode(body: Option<String>, is_base64_encoded: Option<bool>) -> Vec<u8> {
    let body = body.unwrap_or_default();
    let decoded = is_base64_encoded.unwrap_or(false).then(|| STANDARD.decode(&body).ok()).flatten();
    decoded.unwrap_or_else(|| body.into_bytes())
}

/// The body of an answer, and whether it is base64 there.
pub(super) fn encode(body: Body) -> (lambda_http::Body, bool) {
    match body {
        Body::Text(text) => (lambda_http::Body::Text(text), false),
        Body::Gzip(bytes) => (lambda_http::Body::Binary(bytes), true),
    }
}

/// The headers that matter here.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) api_key: Option<String>,
    pub(super) accept_encoding: Option<String>,
}

impl Headers {
    /// These, and where one is missing, that of `others`.
    fn or(self, others: Self) -> Self {
        Self {
            api_key: self.api_key.or(others.api_key),
            accept_encoding: self.accept_encoding.or(others.accept_encoding),
        }
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

/// A header's value, or its values, in the two kinds of header maps.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<String>()? {
            let header = match &*name.to_ascii_lowercase() {
                "x-api-key" => &mut headers.api_key,
                "accept-encoding" => &mut headers.accept_encoding,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *header = map.next_value::<Option<Values>>()?.map(|values| match values {
                Values::One(value) => value,
                Values::Many(values) => values.join(", "), // what several lines of a header mean
            });
        }
        Ok(headers)
    }
}
