//! The endpoint in this process, with an S3 and a clock of its own.

use std::{collections::HashMap, fmt::Write as _, fs, net::Ipv4Addr, path::PathBuf, time::SystemTime};

use aws_sdk_s3::config::Credentials;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use job_status::{Endpoint, Settings, front_door::Event, keyring::LoadError, s3::S3};
use lambda_http::Context;
use local::{s3, samples};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    ask::{Ask, DEMO_KEY, Reply},
    clock::Clock,
    logs::Logs,
};

/// What `x-request-id` is in every test.
pub const REQUEST_ID: &str = "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f";

/// An environment to be started: the settings, and the directory behind its S3.
pub struct Plan {
    settings: HashMap<&'static str, String>,
    pub clock: Clock,
    pub logs: Logs,
    root: TempDir,
}

/// A started environment.
pub struct World {
    pub endpoint: Endpoint,
    pub clock: Clock,
    pub logs: Logs,
    root: TempDir,
}

/// The SHA-256 of a key, as a keyring has it.
pub fn sha256(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A keyring document with these entries.
pub fn keyring(entries: &[Value]) -> String {
    json!({ "keys": entries }).to_string()
}

impl Plan {
    /// Sample jobs in an S3 server, the demo key in the settings.
    pub async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::new();
        fs::create_dir(root.path().join("jobs")).unwrap();
        samples::write(&root.path().join("jobs"), clock.now()).unwrap();
        let address = s3::serve(root.path(), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        Self::with_s3(format!("http://{address}"), root, clock)
    }

    /// Another S3.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self::with_s3(endpoint.into(), tempfile::tempdir().unwrap(), Clock::new())
    }

    fn with_s3(endpoint: String, root: TempDir, clock: Clock) -> Self {
        let settings = HashMap::from([
            ("JOBS_BUCKET", "jobs".into()),
            ("API_KEYS", keyring(&[json!({ "name": "demo", "sha256": sha256(DEMO_KEY) })])),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ENDPOINT_URL_S3", endpoint),
        ]);
        Self { settings, clock, logs: Logs::capture(), root }
    }

    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.insert(name, value.into());
        self
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
        put(&self.root, bucket, key, content);
    }

    pub async fn start(self) -> World {
        self.try_start().await.unwrap_or_else(|error| panic!("{}", job_status::error::chain(&error)))
    }

    pub async fn try_start(self) -> Result<World, LoadError> {
        let settings =
            Settings::read(|name| self.settings.get(name).cloned()).unwrap_or_else(|faults| panic!("{faults}"));
        let credentials = Credentials::new(s3::ACCESS_KEY, s3::SECRET_KEY, None, None, "test");
        let s3 = S3::new(&settings, credentials).unwrap();
        let clock = SharedTimeSource::new(self.clock.clone());
        let endpoint = Endpoint::start(settings, s3, clock).await?;
        Ok(World { endpoint, clock: self.clock, logs: self.logs, root: self.root })
    }
}

impl World {
    /// Sample jobs in an S3 server, the demo key in the settings.
    pub async fn new() -> Self {
        Plan::new().await.start().await
    }

    /// Sends a request through the HTTP API.
    pub async fn send(&self, ask: Ask) -> Reply {
        Reply::unpack(&self.invoke(&ask.http_api(), &ask).await)
    }

    /// Polls a sample job.
    pub async fn poll(&self, job_id: &str) -> Reply {
        self.send(Ask::job(job_id)).await
    }

    /// Polls a job whose status file has this content.
    pub async fn poll_file(&self, content: impl AsRef<[u8]>) -> Reply {
        self.put("jobs", &format!("{}.json", samples::UNKNOWN), content);
        self.poll(samples::UNKNOWN).await
    }

    /// Hands an event to the endpoint as the Lambda runtime does, and returns its answer.
    pub async fn invoke(&self, event: &Value, ask: &Ask) -> Value {
        let event: Event = serde_json::from_value(event.clone()).unwrap();
        let mut context = Context::default();
        context.request_id = REQUEST_ID.into();
        let deadline = (self.clock.now() + ask.time_left).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        context.deadline = u64::try_from(deadline.as_millis()).unwrap();
        serde_json::to_value(Box::pin(event.answer(&self.endpoint, &context)).await).unwrap()
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
        put(&self.root, bucket, key, content);
    }

    /// Removes an object, or moves a bucket out of the way.
    pub fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }
}

fn put(root: &TempDir, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
    let path = root.path().join(bucket).join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
