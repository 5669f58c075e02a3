//! API Gateway's HTTP API and function URLs: payload format 2.0.

use http::Response;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use serde::Deserialize;

use crate::{
    encoding::Body,
    front_door::door::{Answer, Door, Headers, Request, decode, encode},
    limits::MAX_LAMBDA_PAYLOAD,
};

pub(super) const DOOR: Door = Door {
    name: "API Gateway HTTP API or function URL",
    max_payload: MAX_LAMBDA_PAYLOAD,
    passes_binary: true,
    read,
    answer,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    request_context: RequestContext,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

fn read(event: &[u8]) -> serde_json::Result<Request> {
    let event: Event = serde_json::from_slice(event)?;
    Ok(Request {
        method: event.request_context.http.method,
        path: event.raw_path.unwrap_or_default(),
        query: event.raw_query_string.unwrap_or_default(),
        headers: event.headers.unwrap_or_default(),
        body: decode(event.body, event.is_base64_encoded),
    })
}

fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let (body, is_base64_encoded) = encode(body);
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    answer.is_base64_encoded = is_base64_encoded;
    answer.body = Some(body);
    Box::new(answer)
}
