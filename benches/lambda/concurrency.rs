//! Many polls at once in one environment, as on Lambda Managed Instances. S3 answers after a while, so
//! that an environment mostly waits, and every answer is checked to be about its job.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use local::samples::DONE;
use testbed::{
    express::{DIRECTORY_BUCKET, Express},
    fault_s3::{Act, FaultS3, job_id, object},
    lambda::Function,
};
use uuid::Uuid;

use crate::{
    EVENT,
    process::{cpu, peak_rss},
    program::Program,
    s3::S3,
    samples::Samples,
};

/// Where status files are.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Standard,
    Express,
}

impl Class {
    /// What S3 takes to answer.
    const fn time(self) -> Duration {
        Duration::from_millis(match self {
            Self::Standard => 15,
            Self::Express => 4,
        })
    }

    /// An S3 that has a status file for every job, and what a function needs to read from it.
    async fn start(self) -> (FaultS3, &'static str) {
        match self {
            Self::Standard => {
                let server = FaultS3::start().await;
                server.always_by(move |head| Act::Late(self.time(), status(head)));
                (server, "jobs")
            }
            Self::Express => {
                let express = Express::start().await;
                express.hold(status);
                express.take(self.time());
                (express.server, DIRECTORY_BUCKET)
            }
        }
    }
}

/// A small status file that names its job.
pub fn status(head: &str) -> Vec<u8> {
    object(format!(r#"{{"job_status":"done","job_id":"{}","text":"{:900}"}}"#, job_id(head), ""))
}

/// Measures every number of callers and prints the tables.
pub async fn measure_all(short: bool) {
    let rounds = if short { 40 } else { 300 };
    for (class, name) in [(Class::Standard, "S3"), (Class::Express, "S3 Express One Zone")] {
        println!("\nMany polls at once in one environment, {name} answers after {} ms:\n", class.time().as_millis());
        println!("| at once | runtime | polls/s | of the ceiling | p50 | p90 | p99 | billed | CPU a poll | peak RSS |");
        println!("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        measure(class, 1, 1, rounds).await;
        let calls: &[u32] = if class == Class::Standard { &[1, 8, 64, 256, 512] } else { &[1, 8, 64] };
        for calls in calls {
            measure(class, *calls, (*calls).max(2), rounds).await;
        }
    }
}

/// Prints a row: `calls` callers, each of which polls again as soon as it is answered, and an
/// environment that is sent up to `limit` invocations at a time.
async fn measure(class: Class, calls: u32, limit: u32, rounds: u32) {
    let (server, bucket) = class.start().await;
    let mut variables = S3::of(server).variables();
    variables.insert("JOBS_BUCKET", bucket.into());
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", limit.to_string());
    let function = Arc::new(Function::start(Program::Ours.command(), &variables).await);
    poll(&function, calls, 5).await;

    let (before, started) = (cpu(function.pid()), Instant::now());
    let took = poll(&function, calls, rounds).await;
    let (cpu, elapsed) = (cpu(function.pid()) - before, started.elapsed());
    let rate = f64::from(calls * rounds) / elapsed.as_secs_f64();
    println!(
        "| {calls} | {} | {rate:.0} | {:.0} % | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {:.3} ms | {:.1} MB |",
        if limit > 1 { "threads" } else { "one thread" },
        rate * class.time().as_secs_f64() / f64::from(calls) * 100.0,
        took.percentile(50),
        took.percentile(90),
        took.percentile(99),
        took.0.iter().map(|took| took.ceil()).sum::<f64>() / took.0.len() as f64, // Lambda bills begun milliseconds
        cpu.as_secs_f64() * 1e3 / f64::from(calls * rounds),
        peak_rss(function.pid()),
    );
}

/// What each poll took, in ms.
pub async fn poll(function: &Arc<Function>, callers: u32, rounds: u32) -> Samples {
    let polling: Vec<_> = (0..callers)
        .map(|_| {
            let function = Arc::clone(function);
            tokio::spawn(async move {
                let mut took = Vec::new();
                for _ in 0..rounds {
                    let job_id = Uuid::new_v4().to_string();
                    let answer = function.invoke(EVENT.replace(DONE, &job_id)).await;
                    took.push(answer.took.as_secs_f64() * 1e3);
                    let payload = String::from_utf8_lossy(&answer.payload.unwrap()).into_owned();
                    assert_eq!(payload.matches(&job_id).count(), 2, "the envelope and the status file name the job");
                    assert!(payload.contains(&answer.request_id), "the answer is this request's");
                }
                took
            })
        })
        .collect();
    let mut samples = Samples::default();
    for caller in polling {
        samples.0.extend(caller.await.unwrap());
    }
    samples
}
