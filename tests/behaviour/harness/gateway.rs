//! The gateways: each words a request as an event of its own.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Request;

/// A gateway.
pub struct Gateway {
    /// Its name, as the product has it.
    pub name: &'static str,
    /// A request as the gateway's event.
    pub event: fn(&Request) -> Value,
    /// The largest answer that it passes on, in bytes.
    pub max_answer: usize,
    /// Whether it passes on compressed answers.
    pub passes_gzip: bool,
    /// Whether it hands over a query string as the caller encoded it. If not, it decodes it, with U+FFFD
    /// for what is not UTF-8.
    pub keeps_query: bool,
}

/// The gateways that the product knows. Tests that name none use the first.
#[rustfmt::skip]
pub static GATEWAYS: [Gateway; 3] = [
    Gateway { name: "API Gateway HTTP API or function URL", event: http_api,      max_answer: 6_291_556, passes_gzip: true,  keeps_query: true },
    Gateway { name: "Application Load Balancer",            event: load_balancer, max_answer: 1_048_576, passes_gzip: true,  keeps_query: true },
    Gateway { name: "API Gateway REST API",                 event: rest_api,      max_answer: 6_291_556, passes_gzip: false, keeps_query: false },
];

/// API Gateway's HTTP API, or a function URL.
fn http_api(request: &Request) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": request.headers,
        "requestContext": { "http": { "method": request.method, "path": request.path }, "stage": "$default" },
        "body": request.body,
        "isBase64Encoded": request.base64,
    })
}

/// API Gateway's REST API.
fn rest_api(request: &Request) -> Value {
    json!({
        "resource": "/{proxy+}",
        "path": request.path,
        "httpMethod": request.method,
        "headers": request.headers,
        "multiValueHeaders": multi_value_headers(request),
        "queryStringParameters": null,
        "multiValueQueryStringParameters": multi_value_parameters(request, |text| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        }),
        "requestContext": { "stage": "prod", "httpMethod": request.method, "path": request.path },
        "body": request.body,
        "isBase64Encoded": request.base64,
    })
}

/// An Application Load Balancer whose target group has multi-value headers.
fn load_balancer(request: &Request) -> Value {
    json!({
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/jobs/1" } },
        "httpMethod": request.method,
        "path": request.path,
        "multiValueQueryStringParameters": multi_value_parameters(request, str::to_owned),
        "multiValueHeaders": multi_value_headers(request),
        "body": request.body,
        "isBase64Encoded": request.base64,
    })
}

/// The parameters of a query string, or `null` for none.
fn multi_value_parameters(request: &Request, decode: fn(&str) -> String) -> Value {
    let mut parameters = Map::new();
    for parameter in request.query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let values = parameters.entry(decode(name)).or_insert(json!([])).as_array_mut().unwrap();
        values.push(decode(value).into());
    }
    if parameters.is_empty() { Value::Null } else { parameters.into() }
}

fn multi_value_headers(request: &Request) -> Value {
    request.headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>().into()
}
