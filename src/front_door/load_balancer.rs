//! The Application Load Balancer: a dialect of payload format 1.0.

use http::Response;
use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use serde::Deserialize;

use crate::{
    encoding::Body,
    front_door::door::{Answer, Door, ProxyEvent, Request, encode},
};

pub(super) const DOOR: Door =
    Door { name: "Application Load Balancer", max_payload: MAX_PAYLOAD, passes_binary: true, read, answer };

/// 1 MB, as Elastic Load Balancing documents it.
const MAX_PAYLOAD: usize = 1_048_576;

/// What tells its events from a REST API's.
#[derive(Deserialize)]
struct RequestContext {
    #[serde(rename = "elb")]
    _elb: Elb,
}

#[derive(Deserialize)]
struct Elb {}

fn read(event: &[u8]) -> serde_json::Result<Request> {
    // It leaves a query as it is, so there is nothing to encode.
    Ok(serde_json::from_slice::<ProxyEvent<RequestContext>>(event)?.into_request(|as_it_was| as_it_was.into()))
}

fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let (body, is_base64_encoded) = encode(body);
    let mut answer = AlbTargetGroupResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.status_description = Some(parts.status.to_string());
    // Which of the two it reads is a setting of the target group.
    answer.headers = parts.headers.clone();
    answer.multi_value_headers = parts.headers;
    answer.is_base64_encoded = is_base64_encoded;
    answer.body = Some(body);
    Box::new(answer)
}
