//! The endpoint over plain HTTP, instead of a gateway's events.

use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    service::service_fn,
};
use job_status::{
    Body, Endpoint, Gzip, Invocation, Request, accepts_gzip,
    limits::{MAX_LAMBDA_PAYLOAD, MAX_REQUEST_BODY},
};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::warn;
use uuid::Uuid;

use crate::{
    connections, cors,
    hosts::{Foreign, Hosts},
    page::Page,
};

/// What the template gives the function.
const LAMBDA_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `page`, and `endpoint` at every other path, to those who ask one of `hosts`, until `stop` is
/// ready.
///
/// # Errors
/// Connections can't be accepted any more.
pub async fn listen(
    listener: TcpListener,
    hosts: Hosts,
    endpoint: Arc<Endpoint>,
    page: Page,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let service = service_fn(move |request| {
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(respond(hosts, &endpoint, page, request).await) }
    });
    connections::serve(listener, service, stop).await
}

async fn respond(
    hosts: Hosts,
    endpoint: &Endpoint,
    page: Page,
    request: hyper::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let origin = match hosts.check(&request) {
        Ok(origin) => origin,
        Err(foreign) => return forbidden(&foreign),
    };
    let beside = || page.answer(request.method(), request.uri().path());
    let mut response = match origin.as_ref().and_then(|_| cors::preflight(&request)).or_else(beside) {
        Some(response) => response,
        None => answer(endpoint, request).await,
    };
    if let Some(origin) = origin {
        cors::allow(response.headers_mut(), origin);
    }
    response
}

/// 403, in the shape of the endpoint's own errors.
fn forbidden(foreign: &Foreign) -> Response<Full<Bytes>> {
    warn!("{foreign}");
    let code = StatusCode::FORBIDDEN;
    let body = format!(r#"{{"error":{},"code":{}}}"#, json!(foreign.to_string()), code.as_u16());
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = code;
    response.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    if let Ok(id) = Uuid::new_v4().to_string().try_into() {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

async fn answer(endpoint: &Endpoint, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let request = Request {
        api_key: text("x-api-key"),
        gzip: match text(header::ACCEPT_ENCODING.as_str()) {
            Some(value) if accepts_gzip(&value) => Gzip::Accepted,
            _ => Gzip::NotAccepted,
        },
        if_none_match: text(header::IF_NONE_MATCH.as_str()),
        method: Some(parts.method),
        path: parts.uri.path().into(),
        query: parts.uri.query().unwrap_or_default().into(),
        body: Some(collect(body).await),
        max_payload: MAX_LAMBDA_PAYLOAD,
    };
    let invocation = Invocation {
        request_id: Uuid::new_v4().to_string(),
        trace_id: None,
        deadline: SystemTime::now() + LAMBDA_TIMEOUT,
    };
    let reply = endpoint.answer(&request, &invocation).await;
    let mut response = Response::new(match reply.body {
        Body::Text(text) => Full::from(text),
        Body::Gzip(bytes) => Full::from(bytes),
    });
    (*response.status_mut(), *response.headers_mut()) = (reply.status, reply.headers);
    response
}

/// The body, or as much of it as shows that it is too large.
async fn collect(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_REQUEST_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    bytes
}
