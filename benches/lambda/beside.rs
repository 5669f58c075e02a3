//! Small polls beside large ones in one environment with one core, as on Lambda Managed Instances:
//! three callers poll 32 MiB that hardly compress, again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use local::samples::{DONE, LARGE};
use testbed::{
    fault_s3::{Act, FaultS3, job_id, object},
    lambda::Function,
    status_file::noisy,
};

use crate::{
    EVENT,
    concurrency::{poll, status},
    cores::on_last,
    process::{cpu, peak_rss},
    program::Program,
    s3::S3,
    samples::Samples,
    table::Table,
};

/// What S3 takes to answer a small poll.
const S3_TIME: Duration = Duration::from_millis(15);
const SMALL_CALLERS: u32 = 8;
const LARGE_CALLERS: u32 = 3;
/// In MB: the least that an environment on Managed Instances has.
const MEMORY: u32 = 2048;

/// Measures small polls alone and beside large ones, in turns, and prints the table. Returns whether the
/// budget is met.
pub async fn measure_all(short: bool) -> bool {
    let (rounds, polls) = if short { (3, 60) } else { (9, 200) };
    let server = FaultS3::start().await;
    let large = Arc::from(object(noisy(32 << 20, 4_400_000)));
    server.always_by(move |head| match job_id(head) {
        LARGE => Act::AnswerShared(Arc::clone(&large)),
        _ => Act::Late(S3_TIME, status(head)),
    });
    let mut variables = S3::of(server).variables();
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", (SMALL_CALLERS + LARGE_CALLERS).to_string());
    variables.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY.to_string());
    let function = Arc::new(Function::start(on_last(&Program::Ours.command()), &variables).await);
    poll(&function, SMALL_CALLERS, 5).await;
    invoke_large(&function).await;
    let one_large = Samples(vec![peak_rss(function.pid())]);

    let (mut alone, mut beside) = (Samples::default(), Samples::default());
    let (mut large, mut large_cpu) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        alone.0.push(poll(&function, SMALL_CALLERS, polls).await.percentile(99));
        let over = Arc::new(AtomicBool::new(false));
        let before = cpu(function.pid());
        let polling: Vec<_> =
            (0..LARGE_CALLERS).map(|_| tokio::spawn(poll_large(Arc::clone(&function), Arc::clone(&over)))).collect();
        beside.0.push(poll(&function, SMALL_CALLERS, polls).await.percentile(99));
        over.store(true, Ordering::Relaxed);
        let answered = large.0.len();
        for caller in polling {
            large.0.extend(caller.await.unwrap());
        }
        let cpu = cpu(function.pid()) - before;
        large_cpu.0.push(cpu.as_secs_f64() * 1e3 / (large.0.len() - answered) as f64);
    }
    println!("\nSmall polls beside large ones, one core, S3 answers small ones after {} ms:\n", S3_TIME.as_millis());
    let mut table = Table::default();
    table.row("p99 of small polls beside three of 32 MiB, vs alone", "ms", &beside, Some(&alone), Some(3.0));
    table.row("median of those of 32 MiB", "ms", &large, None, None);
    table.row("CPU for each of those, small polls included", "ms", &large_cpu, None, None);
    table.row("peak RSS, one of 32 MiB", "MB", &one_large, None, None);
    table.row("peak RSS, three at once", "MB", &Samples(vec![peak_rss(function.pid())]), None, None);
    table.within
}

/// Polls the large file until it is over. Returns what each poll took, in ms.
async fn poll_large(function: Arc<Function>, over: Arc<AtomicBool>) -> Vec<f64> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        took.push(invoke_large(&function).await);
    }
    took
}

async fn invoke_large(function: &Function) -> f64 {
    let event = EVENT.replace(DONE, LARGE).replace(r#""headers": {"#, r#""headers": { "accept-encoding": "gzip","#);
    let answer = function.invoke(event).await;
    assert!(answer.payload.unwrap().len() > 5_000_000, "the status was sent, compressed");
    answer.took.as_secs_f64() * 1e3
}
