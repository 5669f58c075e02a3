//! A real S3 protocol server over a directory: its subdirectories are the buckets.
//!
//! As in S3, a write is one step: a reader sees the old object or the new one, and of two writers
//! with the same `If-Match` one gets 412. s3s-fs looks first and writes later, so writes have the
//! directory for themselves.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use hyper::{Method, Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    auth::SimpleAuth,
    config::{S3Config, StaticConfigProvider},
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, sync::RwLock};

/// The access key that the server accepts.
pub const ACCESS_KEY: &str = "local";
/// Its secret.
pub const SECRET_KEY: &str = "local-secret";

/// Serves the directory `root` on `address` for as long as the runtime lives; returns where.
///
/// # Errors
/// The directory can't be opened or the address can't be listened on.
pub async fn start(root: &Path, address: SocketAddr) -> io::Result<SocketAddr> {
    let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX; // tests sign by clocks of their own
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let service = service.build();
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let directory = Arc::new(RwLock::new(()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true); // or some answers wait 40 ms for an acknowledgement
            let (service, directory) = (service.clone(), Arc::clone(&directory));
            let service = service_fn(move |request: Request<Incoming>| {
                let (service, directory) = (service.clone(), Arc::clone(&directory));
                async move {
                    if matches!(*request.method(), Method::GET | Method::HEAD) {
                        let _reading = directory.read().await;
                        hyper::service::Service::call(&service, request).await
                    } else {
                        let _writing = directory.write().await;
                        hyper::service::Service::call(&service, request).await
                    }
                }
            });
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    Ok(address)
}
