//! What `jobs publish` takes, against `cargo local`'s S3 on loopback: 10,000 files at a start, then
//! single changes. Prints the figures of docs/design/performance.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use uuid::Uuid;

const FILES: u128 = 10_000;
const CHANGES: u128 = 200;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (root, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(root.path().join("jobs")).unwrap();
    let s3 = runtime.block_on(local::s3::start(root.path(), (Ipv4Addr::LOCALHOST, 0).into())).unwrap();
    let write = |number, state: &str| {
        let status = json!({ "job_status": state, "response": "x".repeat(1000) });
        fs::write(directory.path().join(format!("{}.json", Uuid::from_u128(number))), status.to_string()).unwrap();
    };
    (0..FILES).for_each(|number| write(number, "running"));

    let started = Instant::now();
    let (mut publisher, mut log) = publish(s3, directory.path().to_str().unwrap());
    for _ in 0..FILES {
        published(&mut log);
    }
    let took = started.elapsed();
    println!("| {FILES} files of 1 KB at a start | {:.1} s, {:.0} a second |", took.as_secs_f64(), per_second(took));

    let mut delays: Vec<_> = (0..CHANGES)
        .map(|number| {
            write(number, "done");
            published(&mut log)["delay_ms"].as_u64().unwrap()
        })
        .collect();
    delays.sort_unstable();
    let [p50, p99, slowest] =
        [50, 99, 100].map(|percent| delays.iter().take(delays.len() * percent / 100).max().unwrap());
    println!("| from a change to S3, 200 ms of settling included | p50 {p50} ms, p99 {p99} ms, at most {slowest} ms |");

    let memory = fs::read_to_string(format!("/proc/{}/status", publisher.id())).unwrap();
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("| peak RSS | {} |", peak.trim());
    publisher.kill().unwrap();
    publisher.wait().unwrap();
}

fn publish(s3: SocketAddr, directory: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
    command.args(["publish", directory, "s3://jobs/"]).env_clear().stderr(Stdio::piped());
    command.env("AWS_ENDPOINT_URL_S3", format!("http://{s3}")).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", local::s3::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", local::s3::SECRET_KEY);
    let mut child = command.spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, log)
}

/// The next line that says that a file is in S3.
fn published(log: &mut Lines<BufReader<ChildStderr>>) -> Value {
    log.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|line| match line["event"].as_str() {
            Some("published") => true,
            Some("started" | "summary") => false,
            _ => panic!("{line}"),
        })
        .unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "it is ten thousand")]
fn per_second(took: Duration) -> f64 {
    FILES as f64 / took.as_secs_f64()
}
