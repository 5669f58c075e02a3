//! S3, read one whole object at a time: the client, its deadlines and attempts.
//!
//! The SDK's own timeouts and retries end where the body begins, so both are off and done here,
//! around the request *and* the body: a body that stalls, is cut off or arrives damaged is a
//! failed attempt like any other. All of it is idempotent reads. What each failure means is in the
//! table of [`Kind::meaning`]; how long everything may take is in [`limits`](crate::limits).

mod failure;

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Config, ProvideCredentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector, HttpClientError,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use tokio::time::{sleep, timeout};

pub use failure::{Failure, Kind, Meaning};

use crate::{
    Settings,
    limits::{ATTEMPT_TIMEOUT, ATTEMPTS, BACKOFF, CONNECT_TIMEOUT, POOL_IDLE_TIMEOUT},
};

/// S3, as this function reads it. Cheap to clone; all clones share one connection pool and one
/// TLS session cache.
#[derive(Clone)]
pub struct S3 {
    client: Client,
}

/// One object to read.
pub struct Get<'a> {
    /// Its bucket.
    pub bucket: &'a str,
    /// Its key.
    pub key: String,
    /// The version at hand, if any: S3 answers [`Kind::NotModified`] while it is current.
    pub etag: Option<&'a str>,
    /// Larger objects are refused, before they are downloaded if S3 says how large they are.
    pub max_bytes: u64,
}

/// An object, read whole.
pub struct Object {
    /// Its content, checked against S3's checksum where it has one.
    pub bytes: Vec<u8>,
    /// Its version.
    pub etag: Option<String>,
    /// When it was written.
    pub last_modified: Option<SystemTime>,
}

/// What reading took so far. It is filled in as things happen, so that it is there even when the
/// request's time runs out in between.
#[derive(Default)]
pub struct Effort {
    /// Attempts begun.
    pub attempts: u32,
    /// Time spent in them and between them.
    pub time: Duration,
    /// Why the last failed attempt failed.
    pub last_failure: Option<Failure>,
}

impl S3 {
    /// A client for the endpoint, region and trust store of `settings`. Nothing is connected yet.
    ///
    /// # Errors
    /// The trust store is unusable.
    pub fn new(settings: &Settings, credentials: impl ProvideCredentials + 'static) -> Result<Self, HttpClientError> {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .credentials_provider(credentials)
            .http_client(http_client(settings)?)
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let config = match &settings.s3_endpoint {
            Some(url) => config.endpoint_url(url).force_path_style(true),
            None => config,
        };
        Ok(Self { client: Client::from_conf(config.build()) })
    }

    /// Reads one object, in up to [`ATTEMPTS`] attempts.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub async fn get(&self, get: &Get<'_>, effort: &mut Effort) -> Result<Object, Failure> {
        let started = Instant::now();
        loop {
            effort.attempts += 1;
            let attempt = timeout(ATTEMPT_TIMEOUT, self.attempt(get)).await;
            effort.time = started.elapsed();
            match attempt.unwrap_or_else(|elapsed| Err(Failure::timed_out(elapsed))) {
                Err(failure) if failure.kind.meaning().retried && effort.attempts < ATTEMPTS => {
                    effort.last_failure = Some(failure);
                    sleep(BACKOFF.mul_f64(fastrand::f64()) * 2u32.pow(effort.attempts - 1)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, get: &Get<'_>) -> Result<Object, Failure> {
        let mut output = self
            .client
            .get_object()
            .bucket(get.bucket)
            .key(&get.key)
            .set_if_none_match(get.etag.map(Into::into))
            .send()
            .await?;
        let promised = output.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
        if promised > get.max_bytes {
            return Err(Failure::too_large(promised, get.max_bytes));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(promised).unwrap_or(0));
        while let Some(chunk) = output.body.next().await {
            let chunk = chunk?;
            let length = (bytes.len() + chunk.len()) as u64;
            if length > get.max_bytes {
                return Err(Failure::too_large(length, get.max_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Object {
            bytes,
            etag: output.e_tag,
            last_modified: output.last_modified.and_then(|time| SystemTime::try_from(time).ok()),
        })
    }
}

/// One connector for every request, made once: the SDK would make a second, with a TLS session
/// cache of its own, for each set of timeouts.
fn http_client(settings: &Settings) -> Result<SharedHttpClient, HttpClientError> {
    let trust_store = TrustStore::empty().with_pem_certificate(settings.trust_store.pem.as_ref());
    let connector = Connector::builder()
        .tls_provider(Provider::rustls(CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(trust_store).build()?)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .sleep_impl(TokioSleep::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(http_client_fn(move |_, _| connector.clone()))
}
