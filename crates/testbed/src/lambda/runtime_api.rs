//! Lambda's Runtime API: the few routes on which a function asks for events and answers them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use futures_util::stream;
use http::response;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, oneshot},
    task::{AbortHandle, JoinSet},
};
use uuid::Uuid;

/// What the template gives the function.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A Runtime API on loopback, for one function.
pub struct RuntimeApi {
    /// Where it listens.
    pub address: SocketAddr,
    invocations: mpsc::Sender<Invocation>,
    state: Arc<State>,
    serving: AbortHandle,
}

/// What a request gets instead of being served.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// 500.
    Refuse,
    /// An answer that ends early.
    CutOff,
    /// No answer: the connection is closed.
    Close,
}

/// A function's answer to one event.
pub struct Answer {
    /// The id of the invocation.
    pub request_id: String,
    /// The payload, or what the function reported as an error of its own.
    pub payload: Result<Bytes, String>,
    /// The time from handing the event to the function to having its answer.
    pub took: Duration,
}

/// An event that waits for the function to ask for it.
struct Invocation {
    request_id: String,
    event: String,
    handed: oneshot::Sender<Instant>,
    answer: oneshot::Sender<Answered>,
}

/// A payload or an error, and when it was there.
type Answered = (Result<Bytes, String>, Instant);

/// What the routes share.
struct State {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// Who waits for the answers to the events under way, by request id.
    under_way: Mutex<HashMap<String, oneshot::Sender<Answered>>>,
    polled: Notify,
    on_next: Mutex<VecDeque<Fault>>,
    on_answer: Mutex<VecDeque<Fault>>,
}

/// An answer, or the end of the connection.
type Served = io::Result<Response<BoxBody<Bytes, io::Error>>>;

impl Answer {
    /// The payload as JSON; panics over an error.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.payload.as_ref().unwrap()).unwrap()
    }
}

impl RuntimeApi {
    /// Starts it.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (invocations, queue) = mpsc::channel(1);
        let state = Arc::new(State {
            queue: queue.into(),
            under_way: Mutex::default(),
            polled: Notify::new(),
            on_next: Mutex::default(),
            on_answer: Mutex::default(),
        });
        let serving = tokio::spawn(accept_connections(listener, Arc::clone(&state))).abort_handle();
        Self { address, invocations, state, serving }
    }

    /// Closes all connections and listens no more.
    pub fn close(&self) {
        self.serving.abort();
    }

    /// What happens to the next requests for an event.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.on_next.lock().unwrap().extend(faults);
    }

    /// What happens to the next answers. Their invocations fail.
    pub fn fail_answers(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.on_answer.lock().unwrap().extend(faults);
    }

    /// Has the function answer an event.
    pub async fn invoke(&self, event: String) -> Answer {
        let request_id = Uuid::new_v4().to_string();
        let (handed, handed_at) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { request_id: request_id.clone(), event, handed, answer };
        // The other end is in a task that lives as long as the runtime.
        assert!(self.invocations.send(invocation).await.is_ok());
        let (payload, end) = answered.await.unwrap();
        Answer { request_id, payload, took: end - handed_at.await.unwrap() }
    }

    /// Waits until the function has asked for an event.
    pub async fn polled(&self) {
        self.state.polled.notified().await;
    }
}

async fn accept_connections(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new(); // they end with this task
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |request| {
            let state = Arc::clone(&state);
            async move { route(request, &state).await }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn route(request: Request<Incoming>, state: &State) -> Served {
    let path = request.uri().path().strip_prefix("/2018-06-01/runtime/").expect("a Runtime API path").to_owned();
    if request.method() == Method::GET && path == "invocation/next" {
        return next_invocation(state).await;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let end = Instant::now();
    let (request_id, what) =
        path.strip_prefix("invocation/").and_then(|path| path.split_once('/')).unwrap_or(("", &path));
    let fault = state.on_answer.lock().unwrap().pop_front();
    let payload = match (what, fault) {
        ("response", None) => Ok(body),
        ("response", Some(_)) => Err("lost".into()),
        _ => Err(String::from_utf8_lossy(&body).into_owned()),
    };
    if let Some(answer) = state.under_way.lock().unwrap().remove(request_id) {
        let _ = answer.send((payload, end));
    }
    match fault {
        None => Ok(whole(Response::builder().status(202), Bytes::new())),
        Some(fault) => fault.serve(),
    }
}

impl Fault {
    fn serve(self) -> Served {
        let broken = || io::Error::other("cut off");
        match self {
            Self::Refuse => Ok(whole(Response::builder().status(500), Bytes::new())),
            Self::CutOff => {
                let frames = [Ok(Frame::data(Bytes::from_static(b"{"))), Err(broken())];
                let body = StreamBody::new(stream::iter(frames)).boxed();
                Ok(Response::builder().header("lambda-runtime-aws-request-id", "x").body(body).unwrap())
            }
            Self::Close => Err(broken()),
        }
    }
}

fn whole(head: response::Builder, body: Bytes) -> Response<BoxBody<Bytes, io::Error>> {
    head.body(Full::from(body).map_err(|never| match never {}).boxed()).unwrap()
}

async fn next_invocation(state: &State) -> Served {
    if let Some(fault) = state.on_next.lock().unwrap().pop_front() {
        return fault.serve();
    }
    state.polled.notify_one();
    let Some(invocation) = state.queue.lock().await.recv().await else {
        return std::future::pending().await;
    };
    let deadline = (SystemTime::now() + FUNCTION_TIMEOUT).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let head = Response::builder()
        .header("lambda-runtime-aws-request-id", &invocation.request_id)
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:job-status")
        .header("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    let response = whole(head, invocation.event.into());
    state.under_way.lock().unwrap().insert(invocation.request_id, invocation.answer);
    let _ = invocation.handed.send(Instant::now());
    Ok(response)
}
