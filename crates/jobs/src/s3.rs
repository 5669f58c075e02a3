//! S3 as people know it: the SDK's client, with the default chain of credentials and regions.

mod http;
mod refusal;
mod trust;

use std::{error::Error, fmt, str::FromStr, time::Duration};

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client, Config,
    config::{Builder, StalledStreamProtectionConfig, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::builders::PutObjectFluentBuilder,
};
use aws_smithy_types::retry::ReconnectMode;
use aws_types::service_config::ServiceConfigKey;
use http::Http;
use job_status::JobId;
pub use refusal::{Scope, advice, reason, scope, status};

use crate::failure::Failure;

/// One attempt at a request. The largest status file, 32 MiB, gets through at 5 Mbit/s.
const ATTEMPT: Duration = Duration::from_mins(1);
/// The same where the size is known. It is a second longer for each `SHORT_ATTEMPT_SIZE` that is sent.
const SHORT_ATTEMPT: Duration = Duration::from_secs(10);
const SHORT_ATTEMPT_SIZE: usize = 256 << 10; // 2 Mbit/s

/// A place in S3: `s3://bucket/key`. The key may be empty.
#[derive(Clone)]
pub struct Location {
    pub bucket: String,
    pub key: String,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or("it does not begin with s3://")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("it names no bucket".into());
        }
        Ok(Self { bucket: bucket.into(), key: key.into() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// Where status files are: `s3://bucket/prefix/`.
#[derive(Clone, Debug)]
pub struct Store {
    pub bucket: String,
    /// What comes before `<job_id>.json` in every key; empty, or it ends in `/`.
    pub prefix: String,
}

impl Store {
    /// The key of a job's status file.
    pub fn key(&self, id: JobId) -> String {
        format!("{}{id}.json", self.prefix)
    }

    /// The same as a URL, for messages.
    pub fn url(&self, id: JobId) -> String {
        format!("s3://{}/{}", self.bucket, self.key(id))
    }

    /// A request that writes a job's status file.
    pub fn put(&self, client: &Client, id: JobId, file: Vec<u8>) -> PutObjectFluentBuilder {
        let put = client.put_object().bucket(&self.bucket).key(self.key(id));
        put.content_type("application/json").body(file.into())
    }
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Location { bucket, key: prefix } = text.parse()?;
        if !prefix.is_empty() && !prefix.ends_with('/') {
            return Err("its prefix does not end in /: give s3://bucket/prefix/".into());
        }
        Ok(Self { bucket, prefix })
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A client for what the environment, the profile and the machine say. An S3 of one's own (an endpoint
/// URL of the environment or the profile) is addressed path-style.
pub async fn client(retries: RetryConfig) -> Result<Client, Failure> {
    let found = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Http::new()?)
        // Which connections are used again is up to reqwest.
        .retry_config(retries.with_reconnect_mode(ReconnectMode::ReuseAllConnections))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled()) // the time for an attempt bounds it
        .load()
        .await;
    let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_s3 = found.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    let is_own = of_s3.is_some() || found.endpoint_url().is_some();
    Ok(Client::from_conf(Builder::from(&found).force_path_style(is_own).build()))
}

/// How long a request with so many bytes may take.
pub fn within(bytes: usize) -> Builder {
    let attempt = SHORT_ATTEMPT + Duration::from_secs((bytes / SHORT_ATTEMPT_SIZE) as u64);
    Config::builder().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
}

/// The pause after so many failures in a row: half of it is random.
pub fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    let pause = first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(longest);
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// What a failed request means to a person. `doing` names what was tried.
pub fn failure<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    Failure::unanswered(format!("{doing}: {}", reason(error))).advise(advice(error))
}
