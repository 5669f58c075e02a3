//! A reply in the shape that a gateway expects.

use lambda_http::aws_lambda_events::{
    alb::AlbTargetGroupResponse,
    apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse},
};
use serde::Serialize;
use serde_json::json;

use crate::{encoding::Body, gateway::Gateway, large_files::Permit, reply::Reply};

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
        let names = Gateway::ALL.map(Gateway::name).join(", ");
        let message = format!("This event is no HTTP request: nothing was done. Requests come from: {names}");
        Self { shape: Shape::NoRequest(json!({ "message": message })), _permit: None }
    }
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
