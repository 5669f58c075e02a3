//! What a poll costs: the release binary behind a Runtime API on loopback, against a floor and
//! against Python with boto3, all in one run on one machine.
//!
//! `cargo bench --bench lambda` prints the table of `docs/performance.md` and fails when a figure
//! misses its budget by more than the spread that was measured; `-- --short` takes fewer samples
//! and never fails. CPU is the kernel's own accounting for each process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::format_collect, clippy::unchecked_time_subtraction)]

mod concurrency;
#[path = "../../tests/behaviour/fault_s3.rs"]
#[allow(dead_code)]
mod fault_s3;
mod floor;
#[path = "../../tests/behaviour/lambda.rs"]
#[allow(dead_code)]
mod lambda;
mod status_file;
mod table;

use std::{
    collections::HashMap,
    fs,
    io::Write,
    process::{Command, ExitCode, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use fault_s3::{Act, FaultS3, object, tls};
use lambda::Function;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::resource::{UsageWho, getrusage},
    unistd::Pid,
};
use sha2::{Digest, Sha256};
use status_file::status_file;
use table::{Samples, Table};
use tokio::runtime::Builder;

const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/deployed");
const EVENT: &str = include_str!("../../events/http-api-done.json");

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum Program {
    Ours,
    Floor,
    Python,
}

/// How much is measured.
struct Plan {
    cold_starts: usize,
    warm_rounds: usize,
    warm_requests: u32,
}

struct Cold {
    cpu: Samples,
    wall: Samples,
    first: Samples,
}

struct Warm {
    cpu: Samples,
    wall: Samples,
    peak_rss: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--floor") {
        floor::run().unwrap();
    }
    let short = arguments.iter().any(|argument| argument == "--short");
    let amount = if short {
        Plan { cold_starts: 7, warm_rounds: 5, warm_requests: 400 }
    } else {
        Plan { cold_starts: 41, warm_rounds: 15, warm_requests: 2000 }
    };
    binary(); // a build takes every core
    // A table is made on one core: that is what a function of up to 1,769 MB has for itself and the
    // Runtime API. Left to the scheduler, a program would wait for sleeping cores, or run with
    // another's caches, by chance.
    let every_core = sched_getaffinity(Pid::this()).unwrap();
    let mut one_core = CpuSet::new();
    one_core.set((0..CpuSet::count()).rfind(|core| every_core.is_set(*core) == Ok(true)).unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one_core).unwrap();
    let within = Builder::new_current_thread().enable_all().build().unwrap().block_on(run(&amount));

    sched_setaffinity(Pid::from_raw(0), &every_core).unwrap();
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(concurrency::run(short));
    if within || short { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The program as it is deployed, built if need be: the one that comes with a benchmark has every
/// feature that the tests' dependencies ask for, and is 0.4 MB larger for it. Or another build of
/// it, to see what a choice is worth.
fn binary() -> &'static str {
    static BINARY: LazyLock<String> = LazyLock::new(|| {
        std::env::var("JOB_STATUS_BINARY").unwrap_or_else(|_| {
            let arguments = ["build", "--locked", "--release", "--bin", "job-status", "--target-dir", TARGET];
            let build = Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).status();
            assert!(build.unwrap().success(), "the program can't be built");
            format!("{TARGET}/release/job-status")
        })
    });
    &BINARY
}

async fn run(amount: &Plan) -> bool {
    let kilobyte = status_file(1024);
    let megabyte = status_file(1024 * 1024);
    let python = has_boto3();
    if !python {
        println!("python3 with boto3 is not here: its rows are left out");
    }
    let mut table = Table::default();

    // Alternating, so that whatever else the machine does hits all alike.
    let (mut cold, mut cold_python) = (Cold::new(), Cold::new());
    for _ in 0..amount.cold_starts {
        cold.sample(Program::Ours, &kilobyte).await;
        if python && cold_python.cpu.0.len() < amount.cold_starts.div_ceil(3) {
            cold_python.sample(Program::Python, &kilobyte).await;
        }
    }
    let tls = warm(Program::Ours, amount, &kilobyte, true).await;
    let plain = warm(Program::Ours, amount, &kilobyte, false).await;
    let floor = warm(Program::Floor, amount, &kilobyte, false).await;
    let smaller = Plan { warm_requests: amount.warm_requests / 20, ..*amount };
    let large = warm(Program::Ours, &smaller, &megabyte, false).await;
    let large_floor = warm(Program::Floor, &smaller, &megabyte, false).await;

    if python {
        table.row("cold start to first response, TLS: CPU", "ms", &cold.cpu, Some(&cold_python.cpu), 1.0 / 60.0);
        table.row("cold start to first response, TLS: wall", "ms", &cold.wall, Some(&cold_python.wall), 1.0 / 30.0);
    }
    table.row("first request after init vs warm, TLS: wall", "ms", &cold.first, Some(&tls.wall), 3.0);
    table.row("warm request vs floor, plain HTTP: CPU", "ms", &plain.cpu, Some(&floor.cpu), 2.5);
    if python {
        let slow = Plan { warm_requests: amount.warm_requests / 4, ..*amount };
        let python = warm(Program::Python, &slow, &kilobyte, false).await;
        table.row("warm request vs Python, plain HTTP: CPU", "ms", &plain.cpu, Some(&python.cpu), 1.0 / 8.0);
    }
    table.row("1 MB status vs floor, plain HTTP: CPU", "ms", &large.cpu, Some(&large_floor.cpu), 1.3);
    table.row("peak RSS, 1 KB statuses, TLS", "MB", &Samples(vec![tls.peak_rss]), None, 10.0);
    table.row("zipped binary", "MB", &Samples(vec![zipped_size()]), None, 3.0);
    println!(
        "\nalso: cold {:.2} ms CPU, {:.2} ms wall; warm over TLS {:.3} ms CPU, {:.3} ms wall; plain {:.3} ms wall",
        cold.cpu.median(),
        cold.wall.median(),
        tls.cpu.median(),
        tls.wall.median(),
        plain.wall.median()
    );
    table.within
}

impl Cold {
    fn new() -> Self {
        Self { cpu: Samples::default(), wall: Samples::default(), first: Samples::default() }
    }

    /// One process from its start to its first response over TLS, and, in another, the first
    /// request after the init is over.
    async fn sample(&mut self, program: Program, content: &[u8]) {
        let (s3, bundle) = secure_s3(content).await;
        let environment = environment(&s3, Some(bundle.path().to_str().unwrap()));
        let before = children_cpu();
        let started = Instant::now();
        let function = Function::start_command(command(program), &environment).await;
        let answered = function.invoke(EVENT).await;
        self.wall.0.push(started.elapsed().as_secs_f64() * 1e3);
        assert!(answered.payload.unwrap().len() > content.len(), "the status was sent");
        function.stop().await;
        self.cpu.0.push((children_cpu() - before).as_secs_f64() * 1e3);

        if program == Program::Ours {
            let function = Function::start_command(command(program), &environment).await;
            function.polling().await;
            self.first.0.push(function.invoke(EVENT).await.took.as_secs_f64() * 1e3);
            function.stop().await;
        }
    }
}

async fn warm(program: Program, plan: &Plan, content: &[u8], secure: bool) -> Warm {
    let (s3, bundle) = if secure { secure_s3(content).await } else { (plain_s3(content).await, bundle("")) };
    let bundle = secure.then(|| bundle.path().to_str().unwrap());
    let function = Function::start_command(command(program), &environment(&s3, bundle)).await;
    for _ in 0..plan.warm_requests.min(100) {
        function.invoke(EVENT).await.payload.unwrap();
    }
    let mut warm = Warm { cpu: Samples::default(), wall: Samples::default(), peak_rss: 0.0 };
    for _ in 0..plan.warm_rounds {
        let before = process_cpu(function.pid());
        let mut walls = Samples::default();
        for _ in 0..plan.warm_requests {
            walls.0.push(function.invoke(EVENT).await.took.as_secs_f64() * 1e3);
        }
        let cpu = process_cpu(function.pid()) - before;
        warm.cpu.0.push(cpu.as_secs_f64() * 1e3 / f64::from(plan.warm_requests));
        warm.wall.0.push(walls.median());
        s3.server.seen();
    }
    warm.peak_rss = peak_rss(function.pid());
    function.stop().await;
    warm
}

/// A program to start as Lambda would.
fn command(program: Program) -> tokio::process::Command {
    match program {
        Program::Ours => tokio::process::Command::new(binary()),
        Program::Floor => {
            let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
            command.arg("--floor");
            command
        }
        Program::Python => {
            let mut command = tokio::process::Command::new(python());
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lambda/handler.py"));
            command
        }
    }
}

/// The interpreter itself: a version manager's shim would be measured as well.
fn python() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn has_boto3() -> bool {
    let status = Command::new("python3").args(["-c", "import boto3"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

struct S3 {
    server: FaultS3,
    url: String,
}

async fn plain_s3(content: &[u8]) -> S3 {
    let server = FaultS3::start().await;
    server.always(Act::Answer(object(content)));
    S3 { url: server.url(), server }
}

async fn secure_s3(content: &[u8]) -> (S3, tempfile::NamedTempFile) {
    let (acceptor, pem) = tls();
    let server = FaultS3::start_tls(acceptor).await;
    server.always(Act::Answer(object(content)));
    (S3 { url: format!("https://localhost:{}", server.address.port()), server }, bundle(&pem))
}

fn bundle(pem: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    file
}

fn environment(s3: &S3, bundle: Option<&str>) -> HashMap<&'static str, String> {
    let sha256: String = Sha256::digest("demo-key").iter().map(|byte| format!("{byte:02x}")).collect();
    let mut environment = HashMap::from([
        ("JOBS_BUCKET", "jobs".into()),
        ("API_KEYS", format!(r#"{{"keys":[{{"name":"demo","sha256":"{sha256}"}}]}}"#)),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_SESSION_TOKEN", "token".repeat(100)),
        ("AWS_ENDPOINT_URL_S3", s3.url.clone()),
    ]);
    if let Some(bundle) = bundle {
        environment.insert("AWS_CA_BUNDLE", bundle.into());
    }
    environment
}

/// CPU time of all processes that have ended and been waited for.
fn children_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap();
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}

/// CPU time of a running process, over all its threads.
fn process_cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanos = threads.map(|thread| {
        let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}

fn peak_rss(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// What would be uploaded: the binary alone, deflated as `zip -9` does.
fn zipped_size() -> f64 {
    let binary = fs::read(binary()).unwrap();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&binary).unwrap();
    encoder.finish().unwrap().len() as f64 / 1e6
}
