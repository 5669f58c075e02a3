//! S3, read one whole object at a time: the client, its deadlines and attempts.
//!
//! **The SDK's `Client` is not used, because that is measured:** with it a warm poll takes 1.74 times the
//! instructions and 1.9 times the CPU time, for what it does anew around each request (endpoint rules, identity
//! cache, interceptors, retry tokens). The SDK says where a bucket is (`s3/bucket.rs`) and signs (`s3/request.rs`),
//! and a test, the oracle, holds each request to what its `Client` sends. Its time-outs and retries also end where
//! the body begins. Here a deadline covers the request *and* the body: a body that stalls, is cut off or arrives
//! damaged is a failed attempt like any other. Every request is a read, so every one may be repeated.
//!
//! Directory buckets (S3 Express One Zone) are read in sessions (`s3/session.rs`). Other buckets know nothing of them.

pub(crate) mod bucket;
mod checksum;
pub(crate) mod content;
pub(crate) mod failure;
pub(crate) mod object;
mod request;
mod session;
pub(crate) mod trust_store;
mod xml;

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use http::{Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

use crate::{
    large_files::{Timing, work},
    limits::{ATTEMPTS, BACKOFF, CONNECT_TIMEOUT, MAX_S3_XML, POOL_IDLE_TIMEOUT},
    s3::{
        bucket::Bucket,
        content::Content,
        failure::{Failure, FailureKind},
        object::{Fetched, Get, Object, ReadStats},
        request::{for_object, for_session},
        session::{Session, Sessions},
    },
};

/// S3, as this function reads it. Cheap to clone; all clones share one connection pool and one TLS session cache.
#[derive(Clone)]
pub struct S3 {
    http: Client<Connector, Empty<Bytes>>,
    credentials: SharedCredentialsProvider,
    clock: SharedTimeSource,
    sessions: Arc<Sessions>,
}

/// Opens connections, with TLS where the URL has it.
pub type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

impl S3 {
    /// A client over the connections that `connector` opens. It keeps up to `max_idle` idle ones to each host: one for
    /// each request that may be under way at a time.
    pub fn over(
        connector: Connector,
        max_idle: usize,
        credentials: impl ProvideCredentials + 'static,
        clock: SharedTimeSource,
    ) -> Self {
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(max_idle)
            .build(connector);
        Self { http, credentials: SharedCredentialsProvider::new(credentials), clock, sessions: Arc::default() }
    }

    /// Reads one object, in up to [`ATTEMPTS`] attempts. The error is the last attempt's.
    pub(crate) async fn get(&self, get: &Get<'_>, stats: &mut ReadStats) -> Result<Fetched, Failure> {
        let mut had_new_session = false;
        loop {
            stats.attempts += 1;
            match self.attempt(get, stats).await {
                Err(failure) if failure.kind == FailureKind::SessionEnded && !had_new_session => {
                    stats.last_failure = Some(failure);
                    had_new_session = true;
                }
                Err(failure) if failure.kind.row().retried && stats.attempts < ATTEMPTS => {
                    stats.last_failure = Some(failure);
                    let _timing = Timing::start(&mut stats.time);
                    sleep(BACKOFF.mul_f64(fastrand::f64()) * 2u32.pow(stats.attempts - 1)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, get: &Get<'_>, stats: &mut ReadStats) -> Result<Fetched, Failure> {
        let started = Instant::now();
        let opened = within(get.attempt_timeout, self.open(get), &mut stats.time).await?;
        let Some((head, body)) = opened.map(Response::into_parts) else { return Ok(Fetched::Unchanged) };
        let left = get.attempt_timeout.saturating_sub(started.elapsed());

        let (announced, content) = (body.size_hint().exact(), Content::from_headers(&head.headers));
        // How large compressed content becomes is not known.
        let size = announced.filter(|_| !content.is_compressed()).unwrap_or(get.max_bytes);
        // What is larger than that is refused before it is read.
        let permit = match get.large_files.filter(|_| size <= get.max_bytes) {
            Some(large_files) => large_files.permit(size, &mut stats.waited).await,
            None => None,
        };
        let bytes = within(left, collect(body, get.max_bytes), &mut stats.time).await;
        let (bytes, max_bytes) = (bytes.map_err(|failure| Failure { announced, ..failure })?, get.max_bytes);
        let bytes = work(permit.as_ref(), &mut stats.waited, move || content.decode(bytes, max_bytes)).await?;
        Ok(Fetched::Object(Object::from_headers(&head.headers, bytes, permit)))
    }

    /// Asks for an object; `None` if it is unchanged.
    async fn open(&self, get: &Get<'_>) -> Result<Option<Response<Incoming>>, Failure> {
        if get.bucket.is_directory {
            Box::pin(self.open_in_session(get)).await.map_err(Failure::of_directory_bucket)
        } else {
            self.get_object(get, self.role().await?).await
        }
    }

    async fn open_in_session(&self, get: &Get<'_>) -> Result<Option<Response<Incoming>>, Failure> {
        let (url, now) = (get.bucket.url(), self.clock.now());
        let credentials = self.sessions.credentials(url, now, self.create_session(get.bucket)).await?;
        match self.get_object(get, credentials.clone()).await {
            Err(failure) if failure.kind == FailureKind::BadCredentials => {
                self.sessions.forget(url, &credentials).await;
                Err(Failure { kind: FailureKind::SessionEnded, ..failure })
            }
            outcome => outcome,
        }
    }

    async fn create_session(&self, bucket: &Bucket) -> Result<Session, Failure> {
        let request = for_session(bucket, self.role().await?, self.clock.now()).map_err(Failure::unexpected)?;
        let answer = success(self.http.request(request).await?).await.map_err(Failure::of_session)?;
        Session::parse(&collect(answer.into_body(), MAX_S3_XML).await?)
    }

    async fn get_object(&self, get: &Get<'_>, credentials: Credentials) -> Result<Option<Response<Incoming>>, Failure> {
        let request = for_object(get, credentials, self.clock.now()).map_err(Failure::unexpected)?;
        let answer = self.http.request(request).await?;
        if answer.status() == StatusCode::NOT_MODIFIED && get.unless.is_some() {
            return Ok(None);
        }
        success(answer).await.map(Some)
    }

    async fn role(&self) -> Result<Credentials, Failure> {
        let credentials = self.credentials.provide_credentials().await;
        credentials.map_err(|error| Failure::new(FailureKind::BadCredentials, error))
    }
}

/// A connector that trusts `roots`, and opens connections, TCP and TLS, within [`CONNECT_TIMEOUT`].
pub(crate) fn connector(roots: Arc<RootCertStore>) -> Result<Connector, rustls::Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    Ok(Connector::new(Timeout::new(HttpsConnector::from((tcp, tls)), CONNECT_TIMEOUT)))
}

/// S3's answer, if it is a success.
async fn success(answer: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    // An answer without a readable body still has a status.
    let body = collect(answer.into_body(), MAX_S3_XML).await.unwrap_or_default();
    Err(Failure::refused(status, &body))
}

/// A part of an attempt, ended after `limit`. `time` grows by what it takes.
async fn within<T>(
    limit: Duration,
    part: impl Future<Output = Result<T, Failure>>,
    time: &mut Duration,
) -> Result<T, Failure> {
    let _timing = Timing::start(time);
    timeout(limit, part).await.unwrap_or_else(|elapsed| Err(Failure::new(FailureKind::TimedOut, elapsed)))
}

/// A body of at most `max` bytes. hyper makes sure that it is as long as announced.
async fn collect(mut body: Incoming, max: u64) -> Result<Vec<u8>, Failure> {
    let announced = body.size_hint().lower();
    if announced > max {
        return Err(Failure::too_large(announced, max));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::new(FailureKind::CutOff, error))?;
        if let Ok(chunk) = frame.into_data() {
            let length = (bytes.len() + chunk.len()) as u64;
            if length > max {
                return Err(Failure::too_large(length, max));
            }
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}
