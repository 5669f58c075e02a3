//! A thousand callers at once, event by event: environments start, calls wait for CPU and S3,
//! refused callers come back as `docs/clients.md` has them. The same seed makes the same burst.

use std::{cmp::Reverse, collections::BinaryHeap, path::Path};

use fastrand::Rng;
use pages::Table;

use super::{
    assumptions::{
        BURST_CALLERS, BURST_SPREAD_MS, CALLER_JITTER, CALLER_WAITS_S, COLD_CPU_MS, CONNECT_MS, FRONT_DOOR_MS,
        LAMBDA_CONCURRENCY, NEW_ACCOUNT_CONCURRENCY, PLATFORM_MS, PLATFORM_P99, PYTHON_COLD_CPU_MS, PYTHON_WARM_CPU_MS,
        S3_FIRST_BYTE_MS, S3_P99, WARM_CPU_MS,
    },
    chart::{Axis, Corner, Line, decades, draw},
    cost::cpu_share,
    numbers::number,
};

const SEED: u64 = 1_000;

/// What the callers meet. Times are wall time in ms.
struct Fleet {
    name: &'static str,
    /// Environments that are there already.
    warm: usize,
    /// Most environments there can be.
    most: usize,
    /// From process start to the first call, without S3: an init has a full core.
    init: f64,
    /// Reads from S3 before the first call.
    init_reads: usize,
    /// CPU of one call, on its environment's share of a core.
    call: f64,
}

fn fleets() -> [Fleet; 4] {
    let cold = Fleet {
        name: "cold",
        warm: 0,
        most: LAMBDA_CONCURRENCY as usize,
        init: COLD_CPU_MS,
        init_reads: 1, // the probe
        call: WARM_CPU_MS / cpu_share(),
    };
    let python_call = PYTHON_WARM_CPU_MS / cpu_share();
    let python = Fleet { name: "Python, cold", init: PYTHON_COLD_CPU_MS, init_reads: 0, call: python_call, ..cold };
    let new_account = Fleet { name: "cold, quota of 10", most: NEW_ACCOUNT_CONCURRENCY as usize, ..cold };
    [Fleet { name: "warm", warm: BURST_CALLERS, ..cold }, cold, python, new_account]
}

/// What became of the callers.
pub struct Outcome {
    name: &'static str,
    /// From the first attempt to the answer, ms, of those who got one, in ascending order.
    latencies: Vec<f64>,
    /// Environments that had to be started.
    started: usize,
    /// Calls that were refused, repeated ones included.
    refused: usize,
}

impl Outcome {
    /// The latency, ms, that `part` of the answered callers stayed within.
    fn percentile(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part).ceil() as usize;
        self.latencies[index.max(1) - 1]
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An environment has answered a call.
    Done { environment: usize },
    /// A caller calls, after so many refusals.
    Call { began: u64, refusals: usize },
}

struct Environment {
    busy: bool,
    /// When it can take its first call.
    ready: u64,
}

/// The burst, on each kind of fleet.
pub fn bursts() -> [Outcome; 4] {
    fleets().map(|fleet| run(&fleet))
}

fn run(fleet: &Fleet) -> Outcome {
    let mut random = Rng::with_seed(SEED);
    let mut environments: Vec<Environment> = (0..fleet.warm).map(|_| Environment { busy: false, ready: 0 }).collect();
    let mut events: BinaryHeap<_> = (0..BURST_CALLERS)
        .map(|_| micros(random.f64() * BURST_SPREAD_MS))
        .map(|began| Reverse((began, Event::Call { began, refusals: 0 })))
        .collect();
    let mut outcome = Outcome { name: fleet.name, latencies: Vec::new(), started: 0, refused: 0 };

    while let Some(Reverse((now, event))) = events.pop() {
        let (began, refusals) = match event {
            Event::Done { environment } => {
                environments[environment].busy = false;
                continue;
            }
            Event::Call { began, refusals } => (began, refusals),
        };
        let index = if let Some(index) = environments.iter().position(|environment| !environment.busy) {
            index
        } else if environments.len() < fleet.most {
            outcome.started += 1;
            let platform = spread(&mut random, PLATFORM_MS, PLATFORM_P99);
            let probes: f64 = (0..fleet.init_reads).map(|_| s3(&mut random)).sum();
            let ready = now + micros(platform + fleet.init + CONNECT_MS + probes);
            environments.push(Environment { busy: false, ready });
            environments.len() - 1
        } else {
            outcome.refused += 1;
            if let Some(wait) = CALLER_WAITS_S.get(refusals) {
                let again = now + micros(FRONT_DOOR_MS + wait * (1.0 + CALLER_JITTER * random.f64()) * 1e3);
                events.push(Reverse((again, Event::Call { began, refusals: refusals + 1 })));
            }
            continue;
        };
        let environment = &mut environments[index];
        environment.busy = true;
        let done = environment.ready.max(now) + micros(fleet.call) + micros(s3(&mut random));
        events.push(Reverse((done, Event::Done { environment: index })));
        outcome.latencies.push((done - began) as f64 / 1e3 + FRONT_DOOR_MS);
    }
    outcome.latencies.sort_by(f64::total_cmp);
    outcome
}

fn s3(random: &mut Rng) -> f64 {
    spread(random, S3_FIRST_BYTE_MS, S3_P99)
}

/// A log-normal time with this median, of which one in a hundred takes `p99` times as long.
fn spread(random: &mut Rng, median: f64, p99: f64) -> f64 {
    let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
    median * (p99.ln() / 2.326 * normal).exp()
}

fn micros(ms: f64) -> u64 {
    (ms * 1e3).round() as u64
}

/// How long the callers waited.
pub fn burst(bursts: &[Outcome]) -> Table {
    let mut table = Table::new(["", "started", "refused", "gave up", "p50, ms", "p90, ms", "p99, ms", "slowest, ms"]);
    for outcome in bursts {
        let counts = [outcome.started, outcome.refused, BURST_CALLERS - outcome.latencies.len()];
        let times = [0.5, 0.9, 0.99, 1.0].map(|part| outcome.percentile(part));
        table.row(outcome.name, counts.map(|count| count as f64).into_iter().chain(times).map(number));
    }
    table
}

/// How many had their answer when.
pub fn draw_burst(file: &Path, bursts: &[Outcome]) {
    let end = 4e4;
    let lines: Vec<_> = bursts
        .iter()
        .map(|outcome| {
            let answered = outcome.latencies.iter().zip(1..).map(|(&ms, count)| (ms, f64::from(count)));
            let points = answered.chain([(end, outcome.latencies.len() as f64)]).collect();
            Line { name: outcome.name.into(), points }
        })
        .collect();
    let x = Axis { name: "milliseconds since the call", range: decades(1.0, end), label: number };
    let y = Axis { name: "callers answered", range: 0.0..BURST_CALLERS as f64 * 1.05, label: number };
    draw(file, "A thousand callers at once", x, y, Corner::UpperLeft, &lines);
}
