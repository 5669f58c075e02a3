//! The gateways' payloads: an invocation's event becomes a [`Call`], a response becomes what the
//! same gateway expects back. API Gateway's HTTP API and function URLs (payload 2.0), its REST
//! API (1.0) and the Application Load Balancer are told apart by their events' members.
//!
//! `lambda_http` brings the HTTP types and the shapes of the answers. Its own reading of events is
//! not used, because callers could make it fail: it refuses an event over a single header with a
//! letter outside ASCII, and panics over a `host` header that makes no URL. The caller would get
//! the gateway's 5xx instead of an answer of ours. Reading only what is needed is cheaper as well.

use std::{convert::Infallible, fmt, sync::Arc, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{
    Body, Context, LambdaEvent, Response,
    aws_lambda_events::{
        alb::AlbTargetGroupResponse,
        apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse},
    },
    http::Method,
};
use lambda_runtime::{Runtime, service_fn};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::{
    Endpoint,
    encoding::accepts_gzip,
    limits::{MAX_ALB_PAYLOAD, MAX_LAMBDA_PAYLOAD},
};

/// Serves invocations until Lambda ends the environment: one at a time, or on Managed Instances as
/// many at once as `AWS_LAMBDA_MAX_CONCURRENCY` says.
///
/// # Errors
/// The Lambda Runtime API can't be reached.
pub async fn serve(endpoint: Endpoint) -> Result<(), lambda_runtime::Error> {
    let endpoint = Arc::new(endpoint);
    let handler = service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(payload.answer(&endpoint, &context).await) }
    });
    // Without lambda_runtime's tracing layer: its span would be made for every request and
    // printed for none.
    // As a task: waking the main future asks the driver for events each time, three times a request
    // and for each piece of a large file. 1 MB takes 1.6 ms of CPU this way instead of 2.5.
    tokio::spawn(Runtime::new(handler).run_concurrent()).await?
}

/// The kinds of front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontDoor {
    /// API Gateway HTTP API, or a function URL.
    HttpApi,
    /// API Gateway REST API.
    RestApi,
    /// Application Load Balancer.
    LoadBalancer,
}

impl FrontDoor {
    /// The largest payload, in bytes, that a response may take on its way out.
    #[must_use]
    pub fn max_payload(self) -> usize {
        match self {
            Self::HttpApi | Self::RestApi => MAX_LAMBDA_PAYLOAD,
            Self::LoadBalancer => MAX_ALB_PAYLOAD,
        }
    }
}

/// One call, whichever front door it came through.
pub struct Call {
    /// The door.
    pub front_door: FrontDoor,
    /// The HTTP method.
    pub method: Method,
    /// The path as it arrived, stage or base path included, without the query.
    pub path: String,
    /// The `x-api-key` header.
    pub api_key: Option<String>,
    /// Whether `accept-encoding` allows gzip.
    pub accepts_gzip: bool,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// When Lambda ends the invocation.
    pub deadline: SystemTime,
}

/// An invocation's event, of any front door.
#[derive(Deserialize)]
#[serde(try_from = "AnyEvent")]
pub struct Event {
    front_door: FrontDoor,
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
}

/// What the front door expects back.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For [`FrontDoor::HttpApi`].
    HttpApi(ApiGatewayV2httpResponse),
    /// For [`FrontDoor::RestApi`].
    RestApi(ApiGatewayProxyResponse),
    /// For [`FrontDoor::LoadBalancer`].
    LoadBalancer(AlbTargetGroupResponse),
}

impl Event {
    /// Has `endpoint` answer this event.
    pub async fn answer(self, endpoint: &Endpoint, context: &Context) -> Answer {
        let front_door = self.front_door;
        let call = Call {
            front_door,
            method: self.method.parse().unwrap_or_default(),
            path: self.path,
            api_key: self.headers.api_key,
            accepts_gzip: self.headers.accept_encoding.is_some_and(|value| accepts_gzip(&value)),
            body: self.body,
            request_id: context.request_id.clone(),
            deadline: context.deadline(),
        };
        Answer::new(front_door, endpoint.answer(&call).await)
    }
}

impl Answer {
    fn new(front_door: FrontDoor, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let is_base64_encoded = matches!(body, Body::Binary(_));
        let status_code = i64::from(parts.status.as_u16());
        match front_door {
            FrontDoor::HttpApi => {
                let mut answer = ApiGatewayV2httpResponse::default();
                answer.status_code = status_code;
                answer.headers = parts.headers;
                answer.is_base64_encoded = is_base64_encoded;
                answer.body = Some(body);
                Self::HttpApi(answer)
            }
            FrontDoor::RestApi => {
                let mut answer = ApiGatewayProxyResponse::default();
                answer.status_code = status_code;
                answer.headers = parts.headers;
                answer.is_base64_encoded = is_base64_encoded;
                answer.body = Some(body);
                Self::RestApi(answer)
            }
            FrontDoor::LoadBalancer => {
                let mut answer = AlbTargetGroupResponse::default();
                answer.status_code = status_code;
                answer.status_description = Some(parts.status.to_string());
                // Which of the two it reads is a setting of the target group.
                answer.headers = parts.headers.clone();
                answer.multi_value_headers = parts.headers;
                answer.is_base64_encoded = is_base64_encoded;
                answer.body = Some(body);
                Self::LoadBalancer(answer)
            }
        }
    }
}

/// The members of all kinds of events that matter here; `null` is as good as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyEvent {
    request_context: Option<RequestContext>,
    http_method: Option<String>,
    path: Option<String>,
    raw_path: Option<String>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Default, Deserialize)]
struct RequestContext {
    http: Option<Http>,
    elb: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

/// The event is none of a front door's.
#[derive(Debug, thiserror::Error)]
#[error("not an event of an API Gateway HTTP or REST API, a function URL or an Application Load Balancer")]
struct NoFrontDoor;

impl TryFrom<AnyEvent> for Event {
    type Error = NoFrontDoor;

    fn try_from(event: AnyEvent) -> Result<Self, NoFrontDoor> {
        let context = event.request_context.unwrap_or_default();
        let (front_door, method, path) = match (context.http, event.http_method) {
            (Some(http), _) => (FrontDoor::HttpApi, http.method, event.raw_path),
            (None, Some(method)) if context.elb.is_some() => (FrontDoor::LoadBalancer, method, event.path),
            (None, Some(method)) => (FrontDoor::RestApi, method, event.path),
            (None, None) => return Err(NoFrontDoor),
        };
        let body = event.body.unwrap_or_default();
        // What is not base64 after all is taken as it stands: it is no JSON either, so a 400.
        let decoded = event.is_base64_encoded.unwrap_or(false).then(|| STANDARD.decode(&body).ok()).flatten();
        Ok(Self {
            front_door,
            method,
            path: path.unwrap_or_default(),
            headers: event.multi_value_headers.or(event.headers).unwrap_or_default(),
            body: decoded.unwrap_or_else(|| body.into_bytes()),
        })
    }
}

/// The headers that matter here.
#[derive(Default)]
struct Headers {
    api_key: Option<String>,
    accept_encoding: Option<String>,
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
            *header = Some(match map.next_value::<Values>()? {
                Values::One(value) => value,
                Values::Many(values) => values.join(", "), // what several lines of a header mean
            });
        }
        Ok(headers)
    }
}
