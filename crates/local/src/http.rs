//! The local gateway: plain HTTP instead of a gateway's events.

use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use job_status::{
    Body, Call, Endpoint, Gzip, Invocation, accepts_gzip,
    limits::{MAX_LAMBDA_PAYLOAD, MAX_REQUEST_BODY},
};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::page::Page;

/// What the template gives the function.
const LAMBDA_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `page`, and `endpoint` at every other path, until `stop` is ready and the requests under
/// way are answered.
///
/// # Errors
/// Connections can't be accepted any more.
pub async fn listen(
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
    page: Page,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let endpoint = Arc::clone(&endpoint);
        let service = service_fn(move |request| {
            let endpoint = Arc::clone(&endpoint);
            async move {
                Ok::<_, Infallible>(match page.answer(request.method(), request.uri().path()) {
                    Some(response) => response,
                    None => answer(&endpoint, request).await,
                })
            }
        });
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        tokio::spawn(connections.watch(connection));
    }
    connections.shutdown().await;
    Ok(())
}

async fn answer(endpoint: &Endpoint, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let call = Call {
        api_key: text("x-api-key"),
        gzip: match text(header::ACCEPT_ENCODING.as_str()) {
            Some(value) if accepts_gzip(&value) => Gzip::Accepted,
            _ => Gzip::NotAccepted,
        },
        if_none_match: text(header::IF_NONE_MATCH.as_str()),
        method: Some(parts.method),
        path: parts.uri.path().into(),
        query: parts.uri.query().unwrap_or_default().into(),
        body: collect(body).await,
        max_payload: MAX_LAMBDA_PAYLOAD,
        invocation: Invocation {
            request_id: Uuid::new_v4().to_string(),
            trace_id: None,
            deadline: SystemTime::now() + LAMBDA_TIMEOUT,
        },
    };
    let (answer, _turn) = endpoint.answer(&call).await;
    answer.map(|body| match body {
        Body::Text(text) => Full::from(text),
        Body::Gzip(bytes) => Full::from(bytes),
    })
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
