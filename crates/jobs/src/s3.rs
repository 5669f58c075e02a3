//! S3 as people know it: the SDK's client, with the default chain of credentials and regions.

mod refusal;

use std::{error::Error, fmt, str::FromStr, time::Duration};

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    config::{Builder, StalledStreamProtectionConfig, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
pub use refusal::{Scope, advice, reason, scope, status};

use crate::failure::Failure;

/// TCP connect and TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// One attempt at a request. The largest status file, 32 MiB, gets through at 5 Mbit/s.
const ATTEMPT: Duration = Duration::from_mins(1);

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

/// A client for what the environment, the profile and the machine say. An S3 of one's own
/// (`AWS_ENDPOINT_URL_S3`) is addressed path-style, and `AWS_CA_BUNDLE` says whom to trust instead of
/// the system's authorities, as for the function.
pub async fn client(retries: RetryConfig) -> Result<Client, Failure> {
    let mut tls = TlsContext::builder();
    if let Some(path) = std::env::var_os("AWS_CA_BUNDLE") {
        let pem = std::fs::read(&path).map_err(|error| {
            Failure::unreachable("reading the file that AWS_CA_BUNDLE names", &error).advise("correct it, or unset it")
        })?;
        tls = tls.with_trust_store(TrustStore::empty().with_pem_certificate(pem));
    }
    let tls = tls.build().map_err(|error| Failure::unreachable("setting up TLS", &error))?;
    let https = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
    let found = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(retries)
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled()) // the time for an attempt bounds it
        .load()
        .await;
    let own = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| std::env::var_os(name).is_some());
    Ok(Client::from_conf(Builder::from(&found).force_path_style(own).build()))
}

/// What a failed request means to a person. `doing` names what was tried.
pub fn failure<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    Failure::unanswered(format!("{doing}: {}", reason(error))).advise(advice(error))
}
