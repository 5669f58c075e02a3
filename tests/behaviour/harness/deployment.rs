//! The endpoint in this process, with an S3 and a clock of its own.

use std::{error::Error, fs, net::Ipv4Addr, path::PathBuf, time::Duration};

use aws_sdk_s3::config::Credentials;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use job_status::{Connector, Endpoint, Invocation, S3, Settings, gateway};
use local::{s3, samples};
use serde_json::Value;
use tempfile::TempDir;
use testbed::variables::{self, Variables};

use super::{Clock, Logs, Request, Response, seed};

/// What `x-request-id` is in every test in this process.
pub const REQUEST_ID: &str = "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f";

/// A function before its start: its variables, and the directory behind its S3.
pub struct Deployment {
    variables: Variables,
    pub clock: Clock,
    pub logs: Logs,
    root: TempDir,
    connector: Option<Connector>,
}

/// A started execution environment of that function.
pub struct Environment {
    pub endpoint: Endpoint,
    pub clock: Clock,
    pub logs: Logs,
    root: TempDir,
}

impl Deployment {
    /// With the sample jobs in an S3 server, and the demo key in the keyring.
    pub async fn with_samples() -> Self {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::new();
        fs::create_dir(root.path().join("jobs")).unwrap();
        samples::write(&root.path().join("jobs"), clock.now()).unwrap();
        let address = s3::start(root.path(), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        Self::new(&format!("http://{address}"), root, clock)
    }

    /// With another S3.
    pub fn with_s3(url: &str) -> Self {
        Self::new(url, tempfile::tempdir().unwrap(), Clock::new())
    }

    fn new(s3_url: &str, root: TempDir, clock: Clock) -> Self {
        Self { variables: variables::with_s3(s3_url), clock, logs: Logs::capture(), root, connector: None }
    }

    /// Sets a variable.
    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Leads its connections elsewhere.
    pub fn over(self, connector: Connector) -> Self {
        Self { connector: Some(connector), ..self }
    }

    /// What it signs with. Its session token is a variable.
    pub fn credentials(&self) -> Credentials {
        let session_token = self.variables.get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()).cloned();
        Credentials::new(s3::ACCESS_KEY, s3::SECRET_KEY, session_token, None, "test")
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
        put(&self.root, bucket, key, content);
    }

    pub async fn start(self) -> Environment {
        self.try_start().await.unwrap_or_else(|error| panic!("{}", job_status::chain(&*error)))
    }

    pub async fn try_start(self) -> Result<Environment, Box<dyn Error + Send + Sync>> {
        let settings = Settings::from_variables(|name| self.variables.get(name).cloned())
            .unwrap_or_else(|faults| panic!("{faults}"));
        let (credentials, clock) = (self.credentials(), SharedTimeSource::new(self.clock.clone()));
        let endpoint = match self.connector {
            None => Endpoint::start(settings, credentials, clock).await?,
            Some(connector) => {
                let s3 = S3::over(connector, settings.concurrency.get(), credentials, clock.clone());
                Endpoint::start_over(s3, settings, clock).await?
            }
        };
        Ok(Environment { endpoint, clock: self.clock, logs: self.logs, root: self.root })
    }
}

impl Environment {
    /// Starts a deployment with the sample jobs.
    pub async fn start() -> Self {
        Deployment::with_samples().await.start().await
    }

    /// Sends a request through its gateway.
    pub async fn send(&self, request: Request) -> Response {
        Response::unpack(&self.invoke(&request).await, &request.method, REQUEST_ID)
    }

    /// Polls a job.
    pub async fn poll(&self, job_id: &str) -> Response {
        self.send(Request::job(job_id)).await
    }

    /// Polls a job whose status file has this content.
    pub async fn poll_file(&self, content: impl AsRef<[u8]>) -> Response {
        self.put("jobs", &format!("{}.json", samples::UNKNOWN), content);
        self.poll(samples::UNKNOWN).await
    }

    /// Hands a request's event to the endpoint as the Lambda runtime does; returns the answer that
    /// its gateway gets.
    pub async fn invoke(&self, request: &Request) -> Value {
        if let Some(body) = request.body.as_str() {
            seed("payload", body.as_bytes());
        }
        seed("payload", request.query.as_bytes());
        self.hand_over(&request.event(), request.time_left).await
    }

    /// The same with any event.
    pub async fn hand_over(&self, event: &Value, time_left: Duration) -> Value {
        let event = event.to_string();
        seed("event", event.as_bytes());
        let (gateway, request) = gateway::read(&event).unwrap();
        let deadline = self.clock.now() + time_left;
        let invocation = Invocation { request_id: REQUEST_ID.into(), trace_id: None, deadline };
        let reply = Box::pin(self.endpoint.answer(&request, &invocation)).await;
        serde_json::to_value(gateway.write(reply)).unwrap()
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
        put(&self.root, bucket, key, content);
    }

    /// The file behind an object.
    pub fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }
}

fn put(root: &TempDir, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
    if bucket == "jobs" {
        seed("status_file", content.as_ref());
        seed("encoded_size", &[b"\0", content.as_ref()].concat()); // repeated no times
    }
    let path = root.path().join(bucket).join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
