//! API Gateway's REST API: payload format 1.0.

use http::Response;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use serde::de::IgnoredAny;

use crate::{
    encoding::Body,
    front_door::door::{Answer, Door, ProxyEvent, Request, encode},
    limits::MAX_LAMBDA_PAYLOAD,
};

pub(super) const DOOR: Door = Door {
    name: "API Gateway REST API",
    max_payload: MAX_LAMBDA_PAYLOAD,
    // It decodes base64 only if the API has `binaryMediaTypes`, and an event does not tell.
    passes_binary: false,
    read,
    answer,
};

fn read(event: &[u8]) -> serde_json::Result<Request> {
    serde_json::from_slice::<ProxyEvent<Option<IgnoredAny>>>(event).map(Request::from)
}

fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let (body, is_base64_encoded) = encode(body);
    let mut answer = ApiGatewayProxyResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    answer.is_base64_encoded = is_base64_encoded;
    answer.body = Some(body);
    Box::new(answer)
}
