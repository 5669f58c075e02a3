//! What the targets share: the endpoint in this process, in front of an S3 that answers at once.
//!
//! The behaviour tests' own check decides what an answer must look like.
//!
//! What goes wrong here is a finding, so it panics.

use std::{
    io,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::config::Credentials;
use aws_smithy_async::time::SharedTimeSource;
use base64::{Engine, engine::general_purpose::STANDARD};
use job_status::{Endpoint, Invocation, Settings, gateway, log};
use serde_json::{Value, json};
use testbed::{
    fault_s3::{Act, FaultS3, object},
    keyring::DEMO_KEY,
    variables,
};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

pub use testbed::response::Response;

const REQUEST_ID: &str = "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f";

/// An execution environment of the function, as it is deployed for tests.
pub static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(Environment::start);

/// A started endpoint and its S3.
pub struct Environment {
    runtime: Runtime,
    s3: FaultS3,
    endpoint: Endpoint,
}

impl Environment {
    fn start() -> Self {
        tracing::subscriber::set_global_default(log::subscriber(LevelFilter::TRACE, io::sink)).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (s3, endpoint) = runtime.block_on(async {
            let s3 = FaultS3::start().await;
            let variables = variables::with_s3(s3.url());
            let settings = Settings::from_variables(|name| variables.get(name).cloned()).unwrap();
            let credentials = Credentials::new("AKIDEXAMPLE", "example-secret", None, None, "fuzz");
            let endpoint = Endpoint::start(settings, credentials, SharedTimeSource::default()).await.unwrap();
            (s3, endpoint)
        });
        Self { runtime, s3, endpoint }
    }

    /// Sets the status file of every job.
    pub fn put(&self, status_file: &[u8]) {
        self.s3.always(Act::Answer(object(status_file)));
    }

    /// The answer to an invocation's event; `None` if it is no HTTP request.
    pub fn invoke(&self, event: &[u8]) -> Option<String> {
        let (gateway, request) = gateway::read(std::str::from_utf8(event).ok()?)?;
        let deadline = SystemTime::now() + Duration::from_secs(60);
        let invocation = Invocation { request_id: REQUEST_ID.into(), trace_id: None, deadline };
        let reply = self.runtime.block_on(self.endpoint.answer(&request, &invocation));
        self.s3.take_requests(); // or they would fill the memory
        Some(serde_json::to_string(&gateway.write(reply)).unwrap())
    }

    /// What the caller gets, which is as documented.
    pub fn send(&self, payload: &[u8]) -> Option<Response> {
        let answer = serde_json::from_str(&self.invoke(payload)?).unwrap();
        Some(Response::unpack(&answer, method(&answer), REQUEST_ID))
    }

    /// What a caller with this request body gets.
    pub fn post(&self, body: &[u8]) -> Response {
        self.send(post(body).to_string().as_bytes()).unwrap()
    }

    /// What a caller with this query string gets.
    pub fn get(&self, query: &str) -> Response {
        let mut event = post(b"");
        event["requestContext"]["http"]["method"] = "GET".into();
        event["rawQueryString"] = query.into();
        self.send(event.to_string().as_bytes()).unwrap()
    }
}

/// The method that was asked by, as `cache-control` tells. An event may have several.
fn method(answer: &Value) -> &'static str {
    if answer["headers"]["cache-control"] == "private, no-cache" { "GET" } else { "POST" }
}

/// An event with this request body and an accepted key, as an HTTP API sends it.
pub fn post(body: &[u8]) -> Value {
    json!({
        "rawPath": "/v1/toolkit/job/status",
        "headers": { "x-api-key": DEMO_KEY },
        "requestContext": { "http": { "method": "POST" } },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    })
}

/// Names a job.
pub const JOB: &[u8] = br#"{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}"#;
