//! API Gateway's REST API: payload format 1.0.

use http::Response;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use percent_encoding::{AsciiSet, utf8_percent_encode};
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

/// It hands a query over decoded. These have a meaning in one and were encoded if they had none;
/// nothing else needs to be encoded again, so that the query gets no longer than it was.
const DELIMITERS: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b'&').add(b'+').add(b'=');

fn read(event: &[u8]) -> serde_json::Result<Request> {
    let event: ProxyEvent<Option<IgnoredAny>> = serde_json::from_slice(event)?;
    Ok(event.into_request(|decoded| utf8_percent_encode(decoded, DELIMITERS).into()))
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
