//! What `jobs publish` takes, against `cargo local`'s S3 on loopback: 10,000 files at a start, then
//! single changes, and changes beside files that S3 does not take. Prints the figures of
//! docs/design/performance.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStderr, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testbed::fault_s3::{Act, FaultS3, error_document, job_id, object};
use uuid::Uuid;

const FILES: u128 = 10_000;
const CHANGES: u128 = 200;
const REFUSED: u128 = 40;

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
    end(&mut publisher);
    println!("| beside {REFUSED} files that S3 … | median | at most |");
    let refusal = |status, code| Act::Answer(error_document(status, code, "No."));
    for (name, act) in [
        ("refuses: 403", refusal("403 Forbidden", "AccessDenied")),
        ("refuses: 413", refusal("413 Payload Too Large", "EntityTooLarge")),
        ("refuses: 429", refusal("429 Too Many Requests", "TooManyRequests")),
        ("fails to take: 503", refusal("503 Slow Down", "SlowDown")),
        ("does not answer", Act::Hang(Vec::new())),
    ] {
        let delays = runtime.block_on(beside_refused_files(&act));
        println!("| {name} | {} ms | {} ms |", delays[delays.len() / 2], delays[delays.len() - 1]);
    }
}

/// Milliseconds from a change of a file to S3, in order, while S3 has `act` for others that are
/// rewritten again and again.
async fn beside_refused_files(act: &Act) -> Vec<u64> {
    const HEALTHY: u128 = 1 << 32;
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    let refusal = act.clone();
    let number = |head: &str| Uuid::parse_str(job_id(head)).unwrap().as_u128();
    server.always_by(move |head| if number(head) < HEALTHY { refusal.clone() } else { Act::Answer(object("")) });
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let (mut publisher, mut log) = publish(server.address(), path.to_str().unwrap());
        let write = |number, content: &str| {
            fs::write(path.join(format!("{}.json", Uuid::from_u128(number))), content).unwrap();
        };
        for round in 0..40_u32 {
            (0..REFUSED).for_each(|number| write(number, &format!(r#"{{"round":{round}}}"#)));
            if round >= 20 {
                write(HEALTHY + u128::from(round), "{}");
            }
            sleep(Duration::from_millis(200));
        }
        let mut delays: Vec<_> = (0..20).map(|_| published(&mut log)["delay_ms"].as_u64().unwrap()).collect();
        end(&mut publisher);
        delays.sort_unstable();
        delays
    })
    .await
    .unwrap()
}

fn end(publisher: &mut Child) {
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
            Some("started" | "summary" | "upload_failed" | "recovered") => false,
            _ => panic!("{line}"),
        })
        .unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "it is ten thousand")]
fn per_second(took: Duration) -> f64 {
    FILES as f64 / took.as_secs_f64()
}
