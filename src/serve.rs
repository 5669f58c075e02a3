//! Lambda's side: an invocation in, an answer out, and what ends the process.
//!
//! `lambda_runtime` talks to Lambda's Runtime API, one invocation at a time or many. If it cannot go on, this process
//! ends, and Lambda replaces the environment. With one invocation at a time it returns an error. With many, a [`Guard`]
//! sees a lost worker, and [`log::init`](crate::log::init) sees a Runtime API that is gone.

use std::sync::Arc;

use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender};
use tower::BoxError;
use tracing::info;

use crate::{
    endpoint::Endpoint,
    gateway::{self, Answer},
    request::Invocation,
};

/// Serves invocations for as long as the Runtime API works. [`log::init`](crate::log::init) has `failed` too.
///
/// # Errors
/// Why it has ended.
pub async fn serve(endpoint: Endpoint, failed: Sender<String>, mut failures: Receiver<String>) -> Result<(), BoxError> {
    let (endpoint, guard) = (Arc::new(endpoint), Guard(failed));
    let service = service_fn(move |event| {
        let (endpoint, _guard) = (Arc::clone(&endpoint), &guard);
        async move { Ok::<_, Diagnostic>(answer(&endpoint, event).await) }
    });
    // A task of its own: each time the main future is woken, tokio asks the driver for events, three times a request
    // and for each piece of a large file.
    let serving = tokio::spawn(async { Runtime::new(service).run_concurrent().await });
    tokio::select! {
        biased;
        ended = serving => ended?,
        failure = failures.recv() => Err(failure.unwrap_or_default().into()),
    }
}

async fn answer(endpoint: &Endpoint, LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>) -> Answer {
    let Some((gateway, request)) = gateway::read(payload.get()) else {
        info!(event = "no_request", request_id = context.request_id, "the event is no HTTP request: nothing was done");
        return Answer::no_request();
    };
    let reply = endpoint.answer(&request, &context.into()).await;
    gateway.write(reply)
}

impl From<Context> for Invocation {
    fn from(context: Context) -> Self {
        Self {
            trace_id: context.xray_trace_id.as_deref().and_then(sampled_root).map(Into::into),
            deadline: context.deadline(),
            request_id: context.request_id,
        }
    }
}

/// The id of a trace that X-Ray keeps, in a header such as `Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1`.
fn sampled_root(header: &str) -> Option<&str> {
    header.split(';').find(|field| field.trim() == "Sampled=1")?;
    header.split(';').find_map(|field| field.trim().strip_prefix("Root="))
}

/// Each worker of the runtime has one. A worker that is lost drops it.
#[derive(Clone)]
struct Guard(Sender<String>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.try_send("a worker of the Lambda runtime was lost".into()); // one failure is enough
    }
}
