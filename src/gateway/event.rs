//! The gateways, and their events, read in one pass into one struct; `null` is as good as absent.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    encoding::{Gzip, accepts_gzip},
    json::{Fields, string},
    limits::{MAX_LAMBDA_PAYLOAD, MAX_LOAD_BALANCER_PAYLOAD},
    request::Request,
};

/// The kinds of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// API Gateway's HTTP API and function URLs: payload format 2.0.
    HttpApi,
    /// The Application Load Balancer: a dialect of payload format 1.0.
    LoadBalancer,
    /// API Gateway's REST API: payload format 1.0.
    RestApi,
}

impl Gateway {
    /// All gateways.
    pub const ALL: [Self; 3] = [Self::HttpApi, Self::LoadBalancer, Self::RestApi];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpApi => "API Gateway HTTP API or function URL",
            Self::LoadBalancer => "Application Load Balancer",
            Self::RestApi => "API Gateway REST API",
        }
    }

    /// The largest payload, in bytes, that it passes on from a function.
    #[must_use]
    pub const fn max_payload(self) -> usize {
        match self {
            Self::HttpApi | Self::RestApi => MAX_LAMBDA_PAYLOAD,
            Self::LoadBalancer => MAX_LOAD_BALANCER_PAYLOAD,
        }
    }

    /// Whether a compressed body gets through to the caller. A REST API decodes base64 only if it has
    /// `binaryMediaTypes`, and an event does not tell.
    const fn passes_binary(self) -> bool {
        !matches!(self, Self::RestApi)
    }
}

/// A REST API hands a query over decoded. These have a meaning in a query, so they were encoded if they had none.
/// Nothing else needs to be encoded again: the query gets no longer than it was.
const DELIMITERS: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b'&').add(b'+').add(b'=');

/// An event. Its `requestContext` says which kind of gateway sent it.
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
    #[serde(borrow)]
    query_string_parameters: Option<Fields<'a>>,
    #[serde(borrow)]
    multi_value_query_string_parameters: Option<Fields<'a>>,
    #[serde(borrow)]
    multi_value_headers: Option<Fields<'a>>,
    // Both.
    #[serde(borrow)]
    headers: Option<Fields<'a>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    is_base64_encoded: Option<bool>,
}

#[derive(Default, Deserialize)]
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
        let RequestContext { http, elb } = self.request_context.unwrap_or_default();
        let (gateway, method) = match (http, self.http_method) {
            (Some(http), _) => (Gateway::HttpApi, http.method),
            (None, Some(method)) if elb.is_some() => (Gateway::LoadBalancer, method),
            (None, Some(method)) => (Gateway::RestApi, method),
            (None, None) => return None,
        };
        let parameters = [self.multi_value_query_string_parameters, self.query_string_parameters];
        let (path, query) = match gateway {
            Gateway::HttpApi => (self.raw_path, self.raw_query_string.unwrap_or_default()),
            Gateway::LoadBalancer => (self.path, query(parameters, |as_it_was| as_it_was.into())),
            Gateway::RestApi => (self.path, query(parameters, |text| utf8_percent_encode(text, DELIMITERS).into())),
        };
        let header = |name| header([&self.multi_value_headers, &self.headers], name);
        let request = Request {
            method: method.parse().ok(),
            path: path.unwrap_or_default(),
            query,
            api_key: header("x-api-key"),
            if_none_match: header("if-none-match"),
            gzip: match header("accept-encoding") {
                _ if !gateway.passes_binary() => Gzip::Impossible,
                Some(value) if accepts_gzip(&value) => Gzip::Accepted,
                _ => Gzip::NotAccepted,
            },
            body: decode(self.body, self.is_base64_encoded),
            max_payload: gateway.max_payload(),
        };
        Some((gateway, request))
    }
}

/// The first of these maps that is not empty, as a query string. `encode` restores a name or a value.
fn query(maps: [Option<Fields<'_>>; 2], encode: fn(&str) -> Cow<'_, str>) -> String {
    let Fields(fields) = maps.into_iter().flatten().find(|map| !map.0.is_empty()).unwrap_or_default();
    let mut query = Vec::new();
    for (name, raw) in fields {
        query.extend(values(raw).iter().map(|value| format!("{}={}", encode(&name), encode(value))));
    }
    query.join("&")
}

/// A header, from the first of these maps that has it. Several lines of a header are one with commas.
fn header(maps: [&Option<Fields<'_>>; 2], name: &str) -> Option<String> {
    maps.into_iter().flatten().find_map(|Fields(fields)| {
        let (_, raw) = fields.iter().rfind(|(field, _)| field.eq_ignore_ascii_case(name))?;
        values(raw).into_iter().reduce(|one, other| one + ", " + &other)
    })
}

/// The values of a name. Some maps have one value for a name, others a list.
fn values(raw: &RawValue) -> Vec<String> {
    if let Some(one) = string(raw) {
        return vec![one.into_owned()];
    }
    let many: Vec<Option<String>> = serde_json::from_str(raw.get()).unwrap_or_default();
    many.into_iter().flatten().collect()
}

/// The body of an event; `None` if it is no string. Invalid base64 is taken as it stands: it is no JSON either, so it
/// gets a 400.
fn decode(body: Option<&RawValue>, is_base64_encoded: Option<bool>) -> Option<Vec<u8>> {
    let Some(body) = body else { return Some(Vec::new()) };
    let body = string(body)?;
    let decoded = is_base64_encoded.unwrap_or(false).then(|| STANDARD.decode(&*body).ok()).flatten();
    Some(decoded.unwrap_or_else(|| body.into_owned().into_bytes()))
}
