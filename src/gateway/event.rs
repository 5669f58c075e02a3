//! The events of all gateways, read in one pass into one struct. `requestContext` tells their kinds apart.
//!
//! Only what the endpoint looks at is read. `null` is as good as absent.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    encoding::{Gzip, accepts_gzip},
    gateway::Gateway,
    json::string,
    request::Request,
};

/// A REST API hands a query over decoded. These have a meaning in a query and were encoded if they had
/// none. Nothing else needs to be encoded again, so the query gets no longer than it was.
const DELIMITERS: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b'&').add(b'+').add(b'=');

/// An event, whichever gateway sent it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    request_context: Option<RequestContext>,
    // Payload format 2.0.
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    // Payload format 1.0.
    http_method: Option<String>,
    path: Option<String>,
    query_string_parameters: Option<Parameters>,
    multi_value_query_string_parameters: Option<Parameters>,
    multi_value_headers: Option<Headers>,
    // Both.
    headers: Option<Headers>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct RequestContext {
    /// An HTTP API has it.
    http: Option<Http>,
    /// A load balancer has it.
    elb: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl Event<'_> {
    /// The request, and the gateway that sent it; `None` if the event is no HTTP request.
    pub(super) fn into_request(self) -> Option<(Gateway, Request)> {
        let (http, elb) = self.request_context.map(|context| (context.http, context.elb)).unwrap_or_default();
        let (gateway, method) = match (http, self.http_method) {
            (Some(http), _) => (Gateway::HttpApi, http.method),
            (None, Some(method)) if elb.is_some() => (Gateway::LoadBalancer, method),
            (None, Some(method)) => (Gateway::RestApi, method),
            (None, None) => return None,
        };
        let parameters = self.multi_value_query_string_parameters.unwrap_or_default();
        let parameters = parameters.or(self.query_string_parameters.unwrap_or_default());
        let (path, query) = match gateway {
            Gateway::HttpApi => (self.raw_path, self.raw_query_string.unwrap_or_default()),
            Gateway::LoadBalancer => (self.path, parameters.join(|as_it_was| as_it_was.into())),
            Gateway::RestApi => (self.path, parameters.join(|decoded| utf8_percent_encode(decoded, DELIMITERS).into())),
        };
        let headers = self.multi_value_headers.unwrap_or_default().or(self.headers.unwrap_or_default());
        let request = Request {
            method: method.parse().ok(),
            path: path.unwrap_or_default(),
            query,
            gzip: match headers.accept_encoding {
                _ if !gateway.passes_binary() => Gzip::Impossible,
                Some(value) if accepts_gzip(&value) => Gzip::Accepted,
                _ => Gzip::NotAccepted,
            },
            api_key: headers.api_key,
            if_none_match: headers.if_none_match,
            body: decode(self.body, self.is_base64_encoded),
            max_payload: gateway.max_payload(),
        };
        Some((gateway, request))
    }
}

/// The body of an event; `None` if it is no string. What claims to be base64 and is not is taken as it
/// stands: it is no JSON either, so it gets a 400.
fn decode(body: Option<&RawValue>, is_base64_encoded: Option<bool>) -> Option<Vec<u8>> {
    let Some(body) = body else { return Some(Vec::new()) };
    let body = string(body)?;
    let decoded = is_base64_encoded.unwrap_or(false).then(|| STANDARD.decode(&*body).ok()).flatten();
    Some(decoded.unwrap_or_else(|| body.into_owned().into_bytes()))
}

/// The headers that matter here.
#[derive(Default)]
struct Headers {
    api_key: Option<String>,
    accept_encoding: Option<String>,
    if_none_match: Option<String>,
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

/// The parameters of a query string.
#[derive(Default, Deserialize)]
struct Parameters(BTreeMap<String, Option<Values>>);

impl Parameters {
    /// These, or `others` if there are none.
    fn or(self, others: Self) -> Self {
        if self.0.is_empty() { others } else { self }
    }

    /// The query string. `encode` makes of a name or a value what it was there.
    fn join(self, encode: fn(&str) -> Cow<'_, str>) -> String {
        let pairs = self.0.into_iter().flat_map(|(name, values)| {
            let name = encode(&name).into_owned();
            let values = values.into_iter().flat_map(Values::into_vec);
            values.map(move |value| format!("{name}={}", encode(&value)))
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// What a name has in the two kinds of maps.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<Option<String>>),
}

impl Values {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values.into_iter().flatten().collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

/// Builds no map: an event has some twenty headers, and three of them matter.
struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<String>()? {
            let header = match &name {
                name if name.eq_ignore_ascii_case("x-api-key") => &mut headers.api_key,
                name if name.eq_ignore_ascii_case("accept-encoding") => &mut headers.accept_encoding,
                name if name.eq_ignore_ascii_case("if-none-match") => &mut headers.if_none_match,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // Several lines of a header mean one with commas.
            let lines = map.next_value::<Option<Values>>()?.map(Values::into_vec).unwrap_or_default();
            *header = lines.into_iter().reduce(|one, other| one + ", " + &other);
        }
        Ok(headers)
    }
}
