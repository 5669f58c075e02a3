//! S3, read one whole object at a time: the client, its deadlines and attempts.
//!
//! The SDK says where a bucket is (`s3/bucket.rs`) and signs (`s3/request.rs`); its `Client` is not
//! used. What that does around each request anew (endpoint rules, identity cache, interceptors,
//! retry tokens) was most of a warm poll, and its timeouts and retries end where the body begins.
//! Here a deadline covers the request *and* the body: a body that stalls, is cut off or arrives
//! damaged is a failed attempt like any other. All of it is idempotent reads. What each failure
//! means is in the table of [`Kind::meaning`]; how long everything may take is in
//! [`limits`](crate::limits).

mod bucket;
mod checksum;
mod failure;
mod refusal;
mod request;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aws_sdk_s3::{
    config::{ProvideCredentials, SharedCredentialsProvider},
    primitives::{DateTime, DateTimeFormat},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Uri,
    body::{Body, Bytes, Incoming},
    header::{self, HeaderName},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

pub use bucket::Bucket;
use checksum::Checksum;
pub use failure::{Failure, Kind, Meaning};

use crate::{
    Settings,
    limits::{ATTEMPT_TIMEOUT, ATTEMPTS, BACKOFF, CONNECT_TIMEOUT, MAX_S3_ERROR, POOL_IDLE_TIMEOUT},
};

/// S3, as this function reads it. Cheap to clone; all clones share one connection pool and one
/// TLS session cache.
#[derive(Clone)]
pub struct S3 {
    http: Client<Connector, Empty<Bytes>>,
    credentials: SharedCredentialsProvider,
}

/// Opens connections, TCP and TLS, within [`CONNECT_TIMEOUT`].
type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// One object to read.
pub struct Get<'a> {
    /// Where it is.
    pub bucket: &'a Bucket,
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
    /// A client with the trust store of `settings` that keeps a connection for each request that
    /// may be under way at a time. Nothing is connected yet.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(settings: &Settings, credentials: impl ProvideCredentials + 'static) -> Result<Self, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&settings.trust_store.roots))
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = Connector::new(Timeout::new(HttpsConnector::from((tcp, tls)), CONNECT_TIMEOUT));
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.concurrency.get())
            .build(connector);
        Ok(Self { http, credentials: SharedCredentialsProvider::new(credentials) })
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
        let credentials = self.credentials.provide_credentials().await.map_err(Failure::no_credentials)?;
        let request = request::signed(get, credentials, SystemTime::now())?;
        let (head, body) = self.http.request(request).await?.into_parts();
        if !head.status.is_success() {
            // An answer without a readable body still has a status.
            let body = read(body, MAX_S3_ERROR).await.unwrap_or_default();
            return Err(Failure::refused(head.status, &body));
        }
        let bytes = read(body, get.max_bytes).await?;
        if let Some(checksum) = Checksum::of(&head.headers) {
            checksum.verify(&bytes).map_err(Failure::damaged)?;
        }
        let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Object {
            bytes,
            etag: text(header::ETAG).map(Into::into),
            last_modified: text(header::LAST_MODIFIED)
                .and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok())
                .and_then(|time| SystemTime::try_from(time).ok()),
        })
    }
}

/// A body of at most `max` bytes. hyper makes sure that it is as long as announced.
async fn read(mut body: Incoming, max: u64) -> Result<Vec<u8>, Failure> {
    let announced = body.size_hint().lower();
    if announced > max {
        return Err(Failure::too_large(announced, max));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame.map_err(Failure::cut_off)?.into_data() {
            let length = (bytes.len() + chunk.len()) as u64;
            if length > max {
                return Err(Failure::too_large(length, max));
            }
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}
