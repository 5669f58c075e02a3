//! The program, an S3 for it, and a publisher that runs.

use std::{
    env,
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    operation::get_object::GetObjectOutput,
};
#[cfg(unix)]
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

/// An S3 with the bucket `jobs`.
pub struct S3 {
    root: TempDir,
    pub address: SocketAddr,
}

impl S3 {
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn start_on(address: SocketAddr) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("jobs")).unwrap();
        let address = local::s3::start(root.path(), address).await.unwrap();
        Self { root, address }
    }

    /// Where the bucket's objects are on the disk.
    pub fn objects(&self) -> PathBuf {
        self.root.path().join("jobs")
    }

    pub fn jobs(&self, arguments: &[&str]) -> Command {
        jobs(self.address, arguments)
    }

    /// It asks once.
    pub fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(local::s3::ACCESS_KEY, local::s3::SECRET_KEY, None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    pub async fn get(&self, key: &str) -> GetObjectOutput {
        self.client().get_object().bucket("jobs").key(key).send().await.unwrap()
    }
}

/// The program, with an S3 in its environment and nothing else.
pub fn jobs(s3: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
    command
        .args(arguments)
        .env_clear()
        .envs(system())
        .env("AWS_ENDPOINT_URL_S3", format!("http://{s3}"))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", local::s3::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", local::s3::SECRET_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What no program of Windows can do without; nothing elsewhere.
fn system() -> Option<(&'static str, OsString)> {
    Some(("SystemRoot", env::var_os("SystemRoot")?))
}

/// The program without an S3.
pub fn offline(arguments: &[&str]) -> Command {
    jobs(SocketAddr::from(([127, 0, 0, 1], 1)), arguments)
}

/// Runs a command to its end: its exit code, stdout and stderr.
pub async fn run(mut command: Command) -> (i32, String, String) {
    outcome(command.output().await.unwrap())
}

/// The same, with something on stdin.
pub async fn run_with(mut command: Command, stdin: &str) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).await.unwrap();
    outcome(child.wait_with_output().await.unwrap())
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A publisher that runs, and its log.
pub struct Publisher {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Publisher {
    /// Starts it and waits until it watches.
    pub async fn start(s3: SocketAddr, directory: &Path, arguments: &[&str]) -> Self {
        let mut command = jobs(s3, &["publish", directory.to_str().unwrap(), "s3://jobs/"]);
        command.args(arguments);
        Self::spawn(command).await
    }

    /// The same with a command of its own.
    pub async fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut publisher = Self { child, log };
        publisher.line("started").await;
        publisher
    }

    /// The next line of this event.
    pub async fn line(&mut self, event: &str) -> Value {
        loop {
            let line = self.log.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended without {event}"));
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of the log: {line}"));
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Bytes that it has read so far, from files and connections. Linux only.
    #[cfg(target_os = "linux")]
    pub fn bytes_read(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id().unwrap())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    /// The most that was resident at a time, in bytes. Linux only.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> usize {
        peak_memory(&self.child)
    }

    /// Sends SIGTERM; the exit code, and what it logged until then.
    #[cfg(unix)]
    pub async fn stop(mut self) -> (Option<i32>, Vec<Value>) {
        self.signal(Signal::SIGTERM);
        let mut lines = Vec::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            lines.extend(serde_json::from_str(&line)); // all but the last words
        }
        (self.ended().await.code(), lines)
    }

    /// Sends a signal and reads no more of its log; the exit code.
    #[cfg(unix)]
    pub async fn abandon(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.ended().await.code()
    }

    /// Ends it as a crash of the machine would.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().unwrap().try_into().unwrap()), signal).unwrap();
    }

    #[cfg(unix)]
    async fn ended(&mut self) -> std::process::ExitStatus {
        self.child.wait().await.unwrap()
    }
}

/// The most that a process had resident at a time, in bytes.
pub fn peak_memory(child: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    peak.trim().parse::<usize>().unwrap() * 1024
}

/// The files of a directory, with their content, by name.
pub fn files(directory: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}
