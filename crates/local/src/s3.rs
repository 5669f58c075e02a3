//! A real S3 protocol server over a directory: its subdirectories are the buckets.
//!
//! As in S3, a write is one step: a reader sees the old object or the new one, and of two writers
//! with the same `If-Match` one gets 412. s3s-fs looks first and writes later, so writes have the
//! directory for themselves.

use std::{
    future::{Future, pending},
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Method, Request, body::Incoming, service::service_fn};
use s3s::{
    Body, HttpError, HttpResponse, S3Error, S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    config::{S3Config, StaticConfigProvider},
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, sync::RwLock};
use tracing::warn;
use uuid::Uuid;

use crate::{connections, hosts::Hosts};

/// The access key in `events/README.md`, and of the tests.
pub const ACCESS_KEY: &str = "local";
/// Its secret.
pub const SECRET_KEY: &str = "local-secret";

/// Largest body of a request, in bytes: it is in memory as a whole. A status file has 32 MiB at most.
const MAX_BODY: usize = 128 << 20;

/// Who may ask the server, and what for.
#[derive(Clone)]
pub struct Account {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_key: String,
    /// Whether it may write and delete.
    pub writes: bool,
}

impl Account {
    /// Everybody knows its secret.
    #[must_use]
    pub fn known(writes: bool) -> Self {
        Self { access_key: ACCESS_KEY.into(), secret_key: SECRET_KEY.into(), writes }
    }

    /// Nobody does who was not told. It may do everything.
    #[must_use]
    pub fn random() -> Self {
        let [access_key, secret_key] = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
        Self { access_key, secret_key, writes: true }
    }
}

/// Serves the directory `root` on `address` for as long as the runtime lives, to the account of the
/// tests, which may do everything; returns where.
///
/// # Errors
/// The directory can't be opened or the address can't be listened on.
pub async fn start(root: &Path, address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let serving = listen(listener, root, Hosts::new(Some(address)), &[Account::known(true)], pending())?;
    tokio::spawn(serving);
    Ok(address)
}

/// Serves the directory `root` to those `accounts`, if they ask one of `hosts`, until `stop` is ready.
///
/// # Errors
/// The directory can't be opened.
pub fn listen<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    root: &Path,
    hosts: Hosts,
    accounts: &[Account],
    stop: F,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<F>> {
    let service = protocol(root, accounts)?;
    let directory = Arc::new(RwLock::new(()));
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, directory) = (service.clone(), Arc::clone(&directory));
        async move {
            if let Err(foreign) = hosts.check(&request) {
                warn!("S3: {foreign}");
                return answer(s3_error!(AccessDenied, "{foreign}"));
            }
            // The whole body first: others do not wait for a client that sends slowly.
            let (head, body) = request.into_parts();
            let body = match Limited::new(body, MAX_BODY).collect().await {
                Ok(body) => Body::from(body.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => return answer(s3_error!(EntityTooLarge)),
                Err(error) => return answer(s3_error!(IncompleteBody, "{error}")),
            };
            let request = Request::from_parts(head, body);
            if matches!(*request.method(), Method::GET | Method::HEAD) {
                let _reading = directory.read().await;
                service.call(request).await
            } else {
                // A task of its own goes on if the client goes away. Without it, an object would keep the
                // checksum of the one before: s3s-fs writes two files.
                let writing = tokio::spawn(async move {
                    let _writing = directory.write().await;
                    service.call(request).await
                });
                writing.await.unwrap_or_else(|error| Err(HttpError::new(Box::new(error))))
            }
        }
    });
    Ok(connections::serve(listener, service, stop))
}

fn protocol(root: &Path, accounts: &[Account]) -> io::Result<S3Service> {
    let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(files);
    let mut keys = SimpleAuth::new();
    for Account { access_key, secret_key, .. } in accounts {
        keys.register(access_key.clone(), secret_key.as_str().into());
    }
    service.set_auth(keys);
    service.set_access(Access { accounts: accounts.to_vec() });
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX; // tests sign by clocks of their own
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    Ok(service.build())
}

struct Access {
    accounts: Vec<Account>,
}

#[async_trait]
impl S3Access for Access {
    /// A signature is right by now, if there is one.
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = context.credentials() else {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        };
        let writes = self.accounts.iter().any(|account| account.access_key == credentials.access_key && account.writes);
        if writes || matches!(*context.method(), Method::GET | Method::HEAD) {
            return Ok(());
        }
        let message = "These credentials are no secret, so they can only read here: cargo local has printed others";
        Err(s3_error!(AccessDenied, "{message}"))
    }
}

/// A failure, as S3 says it.
fn answer(error: S3Error) -> Result<HttpResponse, HttpError> {
    error.to_http_response().map_err(|error| HttpError::new(Box::new(error)))
}
