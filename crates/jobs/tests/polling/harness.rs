//! The binary, and what it asks.

use std::{env, ffi::OsString, process::Stdio};

use clap::Parser;
use local::{Options, Server};
use testbed::fault_s3::{Act, FaultS3};
use tokio::process::Command;

/// What the binary asks with. It must never print it.
pub const KEY: &str = "the-key-of-the-tests";
pub const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

/// How the binary ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary, with a URL and the key in its environment and nothing else.
pub fn jobs(url: &str, arguments: &[&str]) -> Command {
    program(env!("CARGO_BIN_EXE_jobs"), url, arguments)
}

/// Linux only: the binary in a shell, whose line begins it by `"$0" "$@"`.
pub fn jobs_in_shell(line: &str, url: &str, arguments: &[&str]) -> Command {
    program("/bin/sh", url, &[&["-c", line, env!("CARGO_BIN_EXE_jobs")], arguments].concat())
}

fn program(name: &str, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .envs(system())
        .env("JOBS_URL", url)
        .env("JOBS_API_KEY", KEY)
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// What no program of Windows can do without; nothing elsewhere.
fn system() -> Option<(&'static str, OsString)> {
    Some(("SystemRoot", env::var_os("SystemRoot")?))
}

/// Runs it to its end.
pub async fn end(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!stdout.contains(KEY) && !stderr.contains(KEY), "{stdout}{stderr}");
    Ended { code: output.status.code().unwrap(), stdout, stderr }
}

/// Runs it with these arguments against a server.
pub async fn run(server: &FaultS3, arguments: &[&str]) -> Ended {
    end(jobs(server.url(), arguments)).await
}

/// A server that gives these answers, one after the other, and the last one for ever.
pub async fn scripted(answers: impl IntoIterator<Item = Act>) -> FaultS3 {
    let server = FaultS3::start().await;
    let answers: Vec<Act> = answers.into_iter().collect();
    server.always(answers.last().unwrap().clone());
    server.then(answers);
    server
}

/// A whole answer. Header lines end in CRLF.
pub fn answer(status: u16, headers: &str, body: &str) -> Act {
    Act::Answer(bytes(status, headers, body, body.len()))
}

/// An answer whose body is announced as longer or shorter than it is.
pub fn bytes(status: u16, headers: &str, body: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A 200 with this status file.
pub fn found(headers: &str, file: &str) -> Act {
    let body = format!(
        r#"{{"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"{JOB}","response":{file},"message":"success","pid":8,"queue_id":1,"run_time":0.001,"queue_time":0.0,"total_time":0.001,"queue_length":0,"build_number":"0.1.0"}}"#
    );
    answer(200, headers, &body)
}

/// The endpoint of `cargo local`; its URL.
pub async fn local(arguments: &[&str]) -> String {
    let fixed = ["cargo local", "--port", "0", "--s3-listen", "127.0.0.1:0", "--api-key", KEY];
    let options = Options::try_parse_from(fixed.iter().chain(arguments)).unwrap();
    let server = Server::start(options).await.unwrap_or_else(|error| panic!("{error}"));
    let url = server.url().to_owned();
    tokio::spawn(server.run(std::future::pending()));
    url
}

/// The first lines of the requests that a server got.
pub fn asked(server: &FaultS3) -> Vec<String> {
    server.take_requests().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
}
