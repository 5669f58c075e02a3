//! Lambda's Runtime API: an environment asks it for invocations and hands the answers back.
//!
//! Each *place* takes one invocation after the other. An environment has one place, or on Managed
//! Instances as many as Lambda sends invocations at once. When the Runtime API fails, the place logs
//! it and goes on after a growing pause. After [`RUNTIME_API_ATTEMPTS`] failures in a row the
//! process ends with an error, and Lambda replaces the environment.
//!
//! `lambda_runtime` is not used for this. On Managed Instances it gives up a place for good when the
//! Runtime API answers with a 500 or closes a connection. When the Runtime API can't be reached, it
//! asks again without a pause: 5.7 s of CPU and 32 MB of log in 3 s. Nothing lets a function see
//! either and react.

use std::{
    num::NonZero,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use tracing::error;

use crate::{
    call::Invocation,
    cause::chain,
    endpoint::Endpoint,
    front_door::Event,
    limits::{RUNTIME_API_ATTEMPTS, RUNTIME_API_PAUSE},
    turns::Turn,
};

/// Ties an answer to its invocation, so that Lambda can refuse one that comes too late.
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

/// Why an invocation could not be taken, or its answer not be handed back.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeApiError {
    /// There is no connection, or it ended before the answer.
    #[error("the Lambda Runtime API cannot be reached")]
    Unreachable(#[from] legacy::Error),
    /// The answer ended early.
    #[error("the Lambda Runtime API's answer ended early")]
    CutOff(#[from] hyper::Error),
    /// It does not take part.
    #[error("the Lambda Runtime API answered {0}")]
    Refused(StatusCode),
    /// What came is no invocation.
    #[error("the Lambda Runtime API sent an invocation without an id or a deadline")]
    NoInvocation,
    /// Its address, or the invocation's id, makes no request.
    #[error("the Lambda Runtime API's address is not valid")]
    Address(#[from] http::Error),
    /// An answer can't be written as JSON.
    #[error("the answer cannot be written")]
    Unwritable(#[from] serde_json::Error),
    /// A defect of this program.
    #[error("a place has panicked")]
    Panicked(#[from] JoinError),
}

/// Serves invocations, `concurrency` of them at once, for as long as the Runtime API at `address`
/// (`host:port`) works.
///
/// # Errors
/// Why it does not, in the end.
pub async fn serve(endpoint: Endpoint, address: &str, concurrency: NonZero<usize>) -> Result<(), RuntimeApiError> {
    let place = Place {
        http: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(concurrency.get()).build_http(),
        url: format!("http://{address}/2018-06-01/runtime/invocation").into(),
        endpoint: Arc::new(endpoint),
    };
    // Even a single place is a task. If the main future is woken, tokio asks the driver for events
    // each time: three times a request, and for each piece of a large file. As a task, 1 MB takes
    // 1.6 ms of CPU instead of 2.5.
    let mut places: JoinSet<_> = (0..concurrency.get()).map(|_| place.clone().run()).collect();
    match places.join_next().await {
        Some(ended) => Err(ended?),
        None => Ok(()),
    }
}

#[derive(Clone)]
struct Place {
    http: Client<HttpConnector, Full<Bytes>>,
    url: Arc<str>,
    endpoint: Arc<Endpoint>,
}

impl Place {
    /// Takes invocations until the Runtime API has failed too often. Returns the last failure.
    async fn run(self) -> RuntimeApiError {
        let mut failures = 0;
        loop {
            match self.answer_next().await {
                Ok(()) => failures = 0,
                Err(failure) => {
                    failures += 1;
                    error!(event = "runtime_api_failed", error = chain(&failure), failures, "no invocation was served");
                    if failures == RUNTIME_API_ATTEMPTS {
                        return failure;
                    }
                    sleep(RUNTIME_API_PAUSE * failures).await;
                }
            }
        }
    }

    async fn answer_next(&self) -> Result<(), RuntimeApiError> {
        let request = Request::get(format!("{}/next", self.url)).body(Full::default())?;
        let (head, body) = self.http.request(request).await?.into_parts();
        if !head.status.is_success() {
            return Err(RuntimeApiError::Refused(head.status));
        }
        let payload = body.collect().await?.to_bytes();
        let invocation = invocation(&head.headers).ok_or(RuntimeApiError::NoInvocation)?;

        let url = format!("{}/{}", self.url, invocation.request_id);
        // The turn is kept until the answer is sent.
        let (answer, _turn) = match Event::parse(&payload) {
            Ok(event) => {
                let (answer, mut turn) = event.answer(&self.endpoint, invocation).await;
                let payload = turn.work(move || serde_json::to_vec(&answer)).await?;
                (Request::post(format!("{url}/response")).body(payload.into()), turn)
            }
            Err(error) => {
                error!(
                    event = "no_front_door",
                    request_id = invocation.request_id,
                    error = chain(&error),
                    "not an event"
                );
                let body = json!({ "errorType": "NoFrontDoor", "errorMessage": error.to_string() }).to_string();
                let error = Request::post(format!("{url}/error"))
                    .header("lambda-runtime-function-error-type", "Function.NoFrontDoor");
                (error.body(body.into()), Turn::default())
            }
        };
        let mut answer = answer?;
        if let Some(id) = head.headers.get(INVOCATION_ID) {
            answer.headers_mut().insert(INVOCATION_ID, id.clone());
        }
        let accepted = self.http.request(answer).await?;
        if accepted.status().is_success() { Ok(()) } else { Err(RuntimeApiError::Refused(accepted.status())) }
    }
}

/// What the Runtime API says of an invocation, as far as it matters here.
fn invocation(headers: &HeaderMap) -> Option<Invocation> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let deadline = Duration::from_millis(text("lambda-runtime-deadline-ms")?.parse().ok()?);
    Some(Invocation {
        request_id: text("lambda-runtime-aws-request-id")?.into(),
        trace_id: text("lambda-runtime-trace-id").and_then(root_of).map(Into::into),
        deadline: UNIX_EPOCH.checked_add(deadline)?,
    })
}

/// The trace's id in an X-Ray header such as `Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1`.
fn root_of(header: &str) -> Option<&str> {
    header.split(';').find_map(|field| field.trim().strip_prefix("Root="))
}
