//! What a poll takes, counted in instructions: unlike time, they hardly depend on the machine's load.
//!
//! `cargo bench --bench instructions` runs each benchmark once under callgrind. It needs valgrind, and
//! `gungraun-runner` in the version of the library. A warm poll is counted from its event to the bytes that
//! go to Lambda, connection to S3 included. Not counted are the set-up, S3, which has a thread of its own, and
//! what `lambda_runtime` does around a poll.
//!
//! The clock of the timers stands still, so that no deadline passes while callgrind slows everything down.
//! From run to run, even on a busy machine, the same build gave the same figures within 0.02 %.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    fmt::Write,
    hint::black_box,
    sync::mpsc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::config::Credentials;
use aws_smithy_async::time::SharedTimeSource;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use job_status::{Endpoint, Gateway, Invocation, Keyring, Reply, Request, Settings, gateway, log};
use testbed::{
    fault_s3::{Act, FaultS3, object},
    keyring::sha256,
    status_file::transcript,
    variables,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc::channel, oneshot},
};
use tracing::level_filters::LevelFilter;

const HTTP_API: &str = include_str!("../events/http-api-done.json");
const LOAD_BALANCER: &str = include_str!("../events/load-balancer-done.json");
const REST_API: &str = include_str!("../events/rest-api-done.json");
const WITHOUT_KEY: &str = include_str!("../events/http-api-missing-key.json");

/// An environment that has answered polls before. Its clock for timers stands still.
struct Environment {
    endpoint: Endpoint,
    _s3: oneshot::Sender<()>,
    runtime: Runtime,
}

impl Environment {
    /// In front of an S3 with a status file of about this size.
    fn warm(size: usize) -> Self {
        let (failed, _) = channel(1);
        log::init(LevelFilter::INFO, failed);
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (url, s3) = s3(&runtime, &transcript(size));
        let variables = variables::with_s3(&url);
        let settings = Settings::from_variables(|name| variables.get(name).cloned()).unwrap();
        let token = Some("token".repeat(100)); // on Lambda there is one
        let credentials = Credentials::new("AKIDEXAMPLE", "example-secret", token, None, "bench");
        let start = Endpoint::start(settings, credentials, SharedTimeSource::default());
        let environment = Self { endpoint: runtime.block_on(start).unwrap(), _s3: s3, runtime };
        for _ in 0..5 {
            environment.poll(HTTP_API);
        }
        environment
    }

    /// What `serve` does with an event, and `lambda_runtime` with the answer.
    fn poll(&self, event: &str) -> Vec<u8> {
        self.runtime.block_on(async {
            let (gateway, request) = gateway::read(event).unwrap();
            let reply = self.endpoint.answer(&request, &invocation()).await;
            serde_json::to_vec(&gateway.write(reply)).unwrap()
        })
    }
}

/// An S3 on a thread of its own: its URL, and what ends it. As a blocking task of `runtime` it keeps
/// that one's paused clock from jumping to the next timer.
fn s3(runtime: &Runtime, content: &[u8]) -> (String, oneshot::Sender<()>) {
    let answer = Act::AnswerShared(object(content).into());
    let (started, url) = mpsc::channel();
    let (end, ended) = oneshot::channel();
    runtime.spawn_blocking(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let server = FaultS3::start().await;
            server.always(answer);
            started.send(server.url().to_owned()).unwrap();
            let _ = ended.await;
        });
    });
    (url.recv().unwrap(), end)
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f".into(),
        trace_id: None,
        deadline: SystemTime::now() + Duration::from_secs(10),
    }
}

#[library_benchmark(setup = Environment::warm)]
#[bench::of_1_kb(1 << 10)]
#[bench::of_100_kb(100 << 10)]
#[bench::of_1_mb(1 << 20)]
fn a_warm_poll(environment: Environment) -> (Environment, Vec<u8>) {
    let answer = environment.poll(black_box(HTTP_API));
    (environment, answer)
}

#[library_benchmark(setup = Environment::warm)]
#[bench::without_a_key(1 << 10)]
fn a_refusal(environment: Environment) -> (Environment, Vec<u8>) {
    let answer = environment.poll(black_box(WITHOUT_KEY));
    (environment, answer)
}

fn keyring(keys: usize) -> Keyring {
    let mut document = String::from(r#"{"keys":["#);
    for index in 0..keys {
        let separator = if index == 0 { "" } else { "," };
        write!(document, r#"{separator}{{"name":"customer-{index}","sha256":"{}"}}"#, sha256(&key(index))).unwrap();
    }
    Keyring::parse((document + "]}").as_bytes()).map_err(|faults| faults.to_string()).unwrap()
}

fn key(index: usize) -> String {
    format!("key {index} of a customer")
}

#[library_benchmark(setup = keyring)]
#[bench::among_1_key(1)]
#[bench::among_10_000_keys(10_000)]
fn a_keyring_look_up(keyring: Keyring) -> (bool, Keyring) {
    (keyring.find(black_box(b"key 0 of a customer"), SystemTime::UNIX_EPOCH).is_some(), keyring)
}

#[library_benchmark]
#[bench::of_an_http_api(HTTP_API)]
#[bench::of_a_load_balancer(LOAD_BALANCER)]
#[bench::of_a_rest_api(REST_API)]
fn reading_an_event(event: &str) -> Option<(Gateway, Request)> {
    gateway::read(black_box(event))
}

/// What a poll of 1 KB is answered with.
fn reply(event: &str) -> (Gateway, Reply) {
    let Environment { runtime, endpoint, .. } = &Environment::warm(1 << 10);
    let (gateway, request) = gateway::read(event).unwrap();
    (gateway, runtime.block_on(endpoint.answer(&request, &invocation())))
}

#[library_benchmark(setup = reply)]
#[bench::for_an_http_api(HTTP_API)]
#[bench::for_a_load_balancer(LOAD_BALANCER)]
#[bench::for_a_rest_api(REST_API)]
fn writing_an_answer((gateway, reply): (Gateway, Reply)) -> Vec<u8> {
    serde_json::to_vec(&gateway.write(reply)).unwrap()
}

library_benchmark_group!(name = polls; benchmarks = a_warm_poll, a_refusal);
library_benchmark_group!(name = parts; benchmarks = reading_an_event, a_keyring_look_up, writing_an_answer);
main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]).format([EventKind::Ir]));
    library_benchmark_groups = polls, parts
);
