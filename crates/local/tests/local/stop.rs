//! Ctrl-C, sent to the binary.

use std::{path::Path, process::Stdio, time::Duration};

use local::samples::DONE;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

use crate::harness::{Response, connect, list, own_in, s3_in, signed};

/// Twice the grace, and what a busy machine adds.
const AT_MOST: Duration = Duration::from_secs(4);

/// The binary, which serves.
struct Binary {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    printed: String,
    temporary: TempDir,
}

impl Binary {
    async fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        command.args(["--port", "0", "--s3-listen", "127.0.0.1:0"]).args(arguments).env("TMPDIR", temporary.path());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        while !printed.contains("# no such path") {
            printed = printed + &output.next_line().await.unwrap().expect("it ended at its start") + "\n";
        }
        Self { child, output, printed, temporary }
    }

    fn url(&self) -> &str {
        let (_, rest) = self.printed.split_once("running at ").unwrap();
        rest.lines().next().unwrap()
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(self.child.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    /// Sends Ctrl-C, and sees it end.
    async fn ends_at_ctrl_c(self, case: &str) {
        let began = Instant::now();
        self.interrupt();
        self.ends(began, case).await;
    }

    /// Sees it end in time, as it should, and leave nothing behind.
    async fn ends(mut self, began: Instant, case: &str) {
        let ended = timeout(AT_MOST, self.child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{case}: it goes on after {:?}", began.elapsed())).unwrap();
        assert_eq!(ended.code(), Some(0), "{case}");
        let mut last = String::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            last = line;
        }
        assert_eq!(last, "stopped", "{case}");
        assert_eq!(list(self.temporary.path()), <[String; 0]>::default(), "{case}");
    }
}

async fn send(url: &str, request: &str) -> TcpStream {
    let mut stream = connect(url).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn poll(connection: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/toolkit/job/status HTTP/1.1\r\nhost: localhost\r\nconnection: {connection}\r\nx-api-key: demo-key\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn ctrl_c_ends_it_while_a_request_is_unfinished() {
    let whole = poll("keep-alive", &format!(r#"{{"job_id":"{DONE}"}}"#));
    let (half_body, half_head) = (&whole[..whole.len() - 9], &whole[..60]);
    for (case, request) in
        [("no byte", ""), ("half a head", half_head), ("half a body", half_body), ("a connection kept alive", &whole)]
    {
        let local = Binary::start(&[]).await;
        let mut stream = send(local.url(), request).await;
        if request == whole {
            stream.read_exact(&mut [0; 15]).await.unwrap();
        } else {
            sleep(Duration::from_millis(100)).await; // until it has been read
        }
        local.ends_at_ctrl_c(case).await;
    }
}

#[tokio::test]
async fn ctrl_c_ends_it_while_a_request_to_s3_is_unfinished() {
    for (case, sent) in [("half a head", 30), ("half a body", usize::MAX)] {
        let local = Binary::start(&[]).await;
        let line = format!("PUT /jobs/{DONE}.json");
        let headers = signed(&line, "localhost", &own_in(&local.printed), "{}").join("\r\n");
        let request = format!("{line} HTTP/1.1\r\n{headers}\r\ncontent-length: 2\r\n\r\n{{");
        let _stream = send(s3_in(&local.printed), request.get(..sent).unwrap_or(&request)).await;
        sleep(Duration::from_millis(100)).await; // until it has been read
        local.ends_at_ctrl_c(case).await;
    }
}

/// A pipe that nobody writes to, as a disk that hangs.
#[tokio::test]
async fn ctrl_c_ends_it_while_a_file_hangs() {
    let jobs = tempfile::tempdir().unwrap();
    let pipe = jobs.path().join(format!("{DONE}.json"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let local = Binary::start(&["--jobs", jobs.path().to_str().unwrap()]).await;
    let _stream = send(local.url(), &poll("keep-alive", &format!(r#"{{"job_id":"{DONE}"}}"#))).await;
    sleep(Duration::from_millis(300)).await; // until it is being read
    local.ends_at_ctrl_c("a file that hangs").await;
    assert!(Path::new(&pipe).exists());
}

#[tokio::test]
async fn a_request_under_way_at_ctrl_c_is_still_answered() {
    let local = Binary::start(&[]).await;
    let whole = poll("keep-alive", &format!(r#"{{"job_id":"{DONE}"}}"#));
    let (first, rest) = whole.split_at(whole.len() - 9);
    let mut stream = send(local.url(), first).await;
    sleep(Duration::from_millis(100)).await; // until it has been read
    let began = Instant::now();
    local.interrupt();
    let address = local.url().strip_prefix("http://").unwrap().to_owned();
    while TcpStream::connect(&address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(Response::parse(&answer).status, "200 OK");
    local.ends(began, "an answered request").await;
}
