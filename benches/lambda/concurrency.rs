//! Many polls at once in one environment, as on Lambda Managed Instances. S3 answers after 15 ms, so
//! that an environment mostly waits, and every answer is checked to be about its job.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use local::samples::DONE;
use testbed::{
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

const S3_TIME: Duration = Duration::from_millis(15);

/// Measures every number of callers and prints the table.
pub async fn measure_all(short: bool) {
    println!("\nMany polls at once in one environment, S3 answers after {} ms:\n", S3_TIME.as_millis());
    println!("| at once | runtime | polls/s | of the ceiling | p50 | p90 | p99 | CPU a poll | peak RSS |");
    println!("|--:|---|--:|--:|--:|--:|--:|--:|--:|");
    let rounds = if short { 40 } else { 300 };
    measure(1, 1, rounds).await;
    for calls in [1, 8, 64, 256, 512] {
        measure(calls, calls.max(2), rounds).await;
    }
}

/// Prints a row: `calls` callers, each of which polls again as soon as it is answered, and an
/// environment that is sent up to `limit` invocations at a time.
async fn measure(calls: u32, limit: u32, rounds: u32) {
    let server = FaultS3::start().await;
    server.always_by(|head| {
        let job_id = job_id(head);
        Act::Late(S3_TIME, object(format!(r#"{{"job_status":"done","job_id":"{job_id}","text":"{:900}"}}"#, "")))
    });
    let mut variables = S3::of(server).variables();
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", limit.to_string());
    let function = Arc::new(Function::start(Program::Ours.command(), &variables).await);
    poll(&function, calls, 5).await;

    let (before, started) = (cpu(function.pid()), Instant::now());
    let took = poll(&function, calls, rounds).await;
    let (cpu, elapsed) = (cpu(function.pid()) - before, started.elapsed());
    let rate = f64::from(calls * rounds) / elapsed.as_secs_f64();
    println!(
        "| {calls} | {} | {rate:.0} | {:.0} % | {:.1} ms | {:.1} ms | {:.1} ms | {:.3} ms | {:.1} MB |",
        if limit > 1 { "threads" } else { "one thread" },
        rate * S3_TIME.as_secs_f64() / f64::from(calls) * 100.0,
        took.percentile(50),
        took.percentile(90),
        took.percentile(99),
        cpu.as_secs_f64() * 1e3 / f64::from(calls * rounds),
        peak_rss(function.pid()),
    );
}

/// What each poll took, in ms.
async fn poll(function: &Arc<Function>, callers: u32, rounds: u32) -> Samples {
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
