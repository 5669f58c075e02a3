//! The gateways in front of the function: an event becomes a [`Request`], a [`Reply`] becomes what the same gateway
//! expects back.
//!
//! `lambda_http` brings the types of the answers. It does not read the events, because a caller could make it fail: it
//! refuses one header with a letter outside ASCII, and it panics over a `host` that makes no URL.

mod event;

use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use serde::Serialize;
use serde_json::json;

pub use crate::gateway::event::Gateway;
use crate::{encoding::Body, gateway::event::Event, large_files::Permit, reply::Reply, request::Request};

/// Reads an invocation's event. `None` if it is no HTTP request.
#[must_use]
pub fn read(event: &str) -> Option<(Gateway, Request)> {
    serde_json::from_str::<Event>(event).ok()?.into_request()
}

impl Gateway {
    /// Puts a reply into the shape that this gateway expects.
    #[must_use]
    pub fn write(self, reply: Reply) -> Answer {
        let Reply { status, headers, body, permit, .. } = reply;
        let (body, is_base64_encoded) = match body {
            Body::Text(text) => (lambda_http::Body::Text(text), false),
            Body::Gzip(bytes) => (lambda_http::Body::Binary(bytes), true),
        };
        macro_rules! answer {
            ($type:ident { $($field:ident: $value:expr),* }) => {{
                let mut answer = $type::default(); // it is #[non_exhaustive]
                answer.status_code = status.as_u16().into();
                answer.is_base64_encoded = is_base64_encoded;
                answer.body = Some(body);
                $(answer.$field = $value;)*
                answer
            }};
        }
        let shape = match self {
            Self::HttpApi => Shape::HttpApi(answer!(ApiGatewayV2httpResponse { headers: headers })),
            Self::RestApi => Shape::RestApi(answer!(ApiGatewayProxyResponse { headers: headers })),
            // Which of the two maps it reads is a setting of the target group.
            Self::LoadBalancer => Shape::LoadBalancer(answer!(AlbTargetGroupResponse {
                status_description: Some(status.to_string()),
                multi_value_headers: headers.clone(),
                headers: headers
            })),
        };
        Answer { shape, _permit: permit }
    }
}

/// What goes back to Lambda. It keeps a large file's permit until it is serialized.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Answer {
    shape: Shape,
    #[serde(skip)]
    _permit: Option<Permit>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    HttpApi(ApiGatewayV2httpResponse),
    LoadBalancer(AlbTargetGroupResponse),
    RestApi(ApiGatewayProxyResponse),
    NoRequest(serde_json::Value),
}

impl Answer {
    /// For an event that is no HTTP request: a scheduled event, a warm-up ping, a test of the console.
    #[must_use]
    pub fn no_request() -> Self {
        let gateways = Gateway::ALL.map(Gateway::name).join(", ");
        let message = format!("This event is no HTTP request: nothing was done. Requests come from: {gateways}");
        Self { shape: Shape::NoRequest(json!({ "message": message })), _permit: None }
    }
}
