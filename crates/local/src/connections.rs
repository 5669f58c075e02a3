//! Connections: what both servers accept, serve and end.
//!
//! When it is time to stop, a request under way has [`GRACE`] to be answered. Then its connection ends,
//! whatever it waits for: half a head, half a body, or a client that reads nothing.

use std::{error::Error, future::Future, io, pin::pin, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

/// Who pressed Ctrl-C waits for this, twice at most: for the endpoint, then for S3, which the endpoint reads.
pub const GRACE: Duration = Duration::from_secs(1);

/// Serves until `stop` is ready, and then for [`GRACE`] at most.
///
/// # Errors
/// Connections can't be accepted any more.
pub async fn serve<S, B>(listener: TcpListener, service: S, stop: impl Future<Output = ()>) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let server = Builder::new(TokioExecutor::new());
    let (graceful, mut connections, mut stop) = (GracefulShutdown::new(), JoinSet::new(), pin!(stop));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true); // or some answers wait 40 ms for an acknowledgement
        while connections.try_join_next().is_some() {} // forgets those that have ended
        let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        connections.spawn(graceful.watch(connection));
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}
