//! The compiled binary behind a Lambda Runtime API of our own: the few routes that a function
//! polls and answers on, one invocation at a time.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::Ipv4Addr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;

const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A running function.
pub struct Function {
    child: Child,
    invocations: mpsc::Sender<Invocation>,
    polling: Arc<Notify>,
    gone: Arc<Notify>,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

struct Invocation {
    request_id: String,
    event: String,
    answer: oneshot::Sender<(Result<Bytes, String>, Instant)>,
    handed: oneshot::Sender<Instant>,
}

/// A function's answer to one event.
pub struct Answered {
    pub request_id: String,
    /// The payload, or what the function reported as an error of its own.
    pub payload: Result<Bytes, String>,
    /// From handing the event to the function to having its answer.
    #[allow(dead_code, reason = "for benches/lambda")]
    pub took: Duration,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.payload.as_ref().unwrap()).unwrap()
    }
}

impl Function {
    /// Starts a binary as Lambda does, with `env` and nothing of this process's environment.
    pub async fn start(binary: &str, env: &HashMap<&str, String>) -> Self {
        Self::start_command(Command::new(binary), env).await
    }

    /// The same for a program with arguments.
    pub async fn start_command(mut command: Command, env: &HashMap<&str, String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let api = listener.local_addr().unwrap();
        let (invocations, queue) = mpsc::channel(1);
        let polling = Arc::new(Notify::new());
        tokio::spawn(serve(listener, queue, Arc::clone(&polling)));

        let mut child = command
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", api.to_string().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "job-status"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ])
            .envs(env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let gone = Arc::new(Notify::new());
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&output), Arc::clone(&gone)),
            collect(child.stderr.take().unwrap(), Arc::clone(&output), Arc::default()),
        ];
        Self { child, invocations, polling, gone, output, readers }
    }

    /// Has the function answer an event.
    pub async fn invoke(&self, event: impl Into<String>) -> Answered {
        let request_id = Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        let (handed, handed_at) = oneshot::channel();
        let invocation = Invocation { request_id: request_id.clone(), event: event.into(), answer, handed };
        self.invocations.send(invocation).await.unwrap();
        let (payload, end) = tokio::select! {
            answered = answered => answered.unwrap(),
            () = self.gone.notified() => panic!("the function is gone: {}", self.output()),
        };
        Answered { request_id, payload, took: end - handed_at.await.unwrap() }
    }

    /// Waits until the function has nothing more to do before its first event.
    #[allow(dead_code, reason = "for benches/lambda")]
    pub async fn polling(&self) {
        self.polling.notified().await;
    }

    /// Everything the process has printed so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits for a process that ends by itself.
    pub async fn exit(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().await.unwrap();
        (status, self.drain().await)
    }

    /// Ends the process and returns everything that it printed.
    pub async fn stop(mut self) -> String {
        self.child.kill().await.unwrap();
        self.drain().await
    }

    async fn drain(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.await.unwrap();
        }
        self.output()
    }
}

/// Adds what comes from `stream` to `output`; `end` is told when nothing more can come.
fn collect(
    stream: impl AsyncRead + Unpin + Send + 'static,
    output: Arc<Mutex<String>>,
    end: Arc<Notify>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
        end.notify_one();
    })
}

type Pending = Arc<Mutex<HashMap<String, oneshot::Sender<(Result<Bytes, String>, Instant)>>>>;

async fn serve(listener: TcpListener, queue: mpsc::Receiver<Invocation>, polling: Arc<Notify>) {
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let pending = Pending::default();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let (queue, pending, polling) = (Arc::clone(&queue), Arc::clone(&pending), Arc::clone(&polling));
        let service = service_fn(move |request| {
            let (queue, pending, polling) = (Arc::clone(&queue), Arc::clone(&pending), Arc::clone(&polling));
            async move { Ok::<_, Infallible>(handle(request, &queue, &pending, &polling).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn handle(
    request: Request<Incoming>,
    queue: &tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    pending: &Pending,
    polling: &Notify,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().strip_prefix("/2018-06-01/runtime/").expect("a Runtime API path").to_owned();
    if request.method() == Method::GET && path == "invocation/next" {
        polling.notify_one();
        let Some(invocation) = queue.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let deadline = (SystemTime::now() + FUNCTION_TIMEOUT).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", &invocation.request_id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:job-status")
            .header("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
            .body(Full::from(invocation.event))
            .unwrap();
        pending.lock().unwrap().insert(invocation.request_id, invocation.answer);
        let _ = invocation.handed.send(Instant::now());
        return response;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let end = Instant::now();
    let (request_id, what) =
        path.strip_prefix("invocation/").and_then(|path| path.split_once('/')).unwrap_or(("", &path));
    let payload = match what {
        "response" => Ok(body),
        _ => Err(String::from_utf8_lossy(&body).into_owned()),
    };
    if let Some(answer) = pending.lock().unwrap().remove(request_id) {
        let _ = answer.send((payload, end));
    }
    Response::builder().status(202).body(Full::default()).unwrap()
}
