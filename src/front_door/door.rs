//! What every kind of front door has, and what their events have in common.

use std::{borrow::Cow, fmt};

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
    /// The query string, percent-encoded.
    pub(super) query: String,
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
    query_string_parameters: Option<Parameters>,
    multi_value_query_string_parameters: Option<Parameters>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

impl<C> ProxyEvent<C> {
    /// The request. `encode` makes of a parameter's name or value what it was in the query string.
    pub(super) fn into_request(self, encode: fn(&str) -> Cow<'_, str>) -> Request {
        let parameters = self.multi_value_query_string_parameters.unwrap_or_default();
        let parameters = parameters.or(self.query_string_parameters.unwrap_or_default());
        Request {
            method: self.http_method,
            path: self.path.unwrap_or_default(),
            query: parameters.join(encode),
            headers: self.multi_value_headers.unwrap_or_default().or(self.headers.unwrap_or_default()),
            body: decode(self.body, self.is_base64_encoded),
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
    pub(super) if_none_match: Option<String>,
}

impl Headers {
    /// These, and where one is missing, that of `others`.
    fn or(self, others: Self) -> Self {
        Self {
            api_key: self.api_key.or(others.api_key),
            accept_encoding: self.accept_encoding.or(others.accept_encoding),
            if_none_match: self.if_none_match.or(others.if_none_match),
        }
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

/// The parameters of a query string, in no order.
#[derive(Default)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// These, or `others` if there are none.
    fn or(self, others: Self) -> Self {
        if self.0.is_empty() { others } else { self }
    }

    /// The query string.
    fn join(self, encode: fn(&str) -> Cow<'_, str>) -> String {
        let parameters = self.0.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        parameters.collect::<Vec<_>>().join("&")
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParametersVisitor)
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of query parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
        let mut parameters = Vec::new();
        while let Some((name, values)) = map.next_entry::<String, Option<Values>>()? {
            match values {
                Some(Values::One(value)) => parameters.push((name, value)),
                Some(Values::Many(values)) => {
                    parameters.extend(values.into_iter().flatten().map(|value| (name.clone(), value)));
                }
                None => {}
            }
        }
        Ok(Parameters(parameters))
    }
}

/// The value or the values in the two kinds of maps. `null` is as good as absent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<Option<String>>),
}

impl Values {
    /// The value of a header.
    fn join(self) -> Option<String> {
        match self {
            Self::One(value) => Some(value),
            // That is what several lines of a header mean.
            Self::Many(values) => values.into_iter().flatten().reduce(|one, other| one + ", " + &other),
        }
    }
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
                "if-none-match" => &mut headers.if_none_match,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *header = map.next_value::<Option<Values>>()?.and_then(Values::join);
        }
        Ok(headers)
    }
}
