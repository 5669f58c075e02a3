//! Many large status files at once: they wait for a permit and for a core, and small ones do not.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use job_status::limits::MAX_STATUS_FILE;
use local::samples::{DONE, LARGE, QUEUED, RUNNING};
use serde_json::json;
use testbed::{
    fault_s3::{Act, FaultS3, job_id, object, object_announced_as},
    status_file::noisy,
    variables,
};
use tokio::time::Instant;

use crate::harness::{Deployment, Request, fast_timers, send, start_binary};
#[cfg(target_os = "linux")]
use crate::soak::usage;

const SMALL_FILE: &str = r#"{"job_status":"running"}"#;

fn poll_large() -> Request {
    Request::job(LARGE).header("accept-encoding", "gzip")
}

/// A function that Lambda sends many requests at a time.
fn concurrent(s3: &FaultS3) -> Deployment {
    Deployment::with_s3(s3.url()).set("AWS_LAMBDA_MAX_CONCURRENCY", "8")
}

/// Five of the largest files stall one after the other, because there is memory for one at a time with its answer,
/// though for two without. Behind them one of 128 KiB gets no permit, and one of a byte less needs none.
#[tokio::test(start_paused = true)]
async fn large_files_wait_for_a_permit_within_their_budget_and_small_ones_do_not() {
    fast_timers();
    let s3 = FaultS3::start().await;
    let environment = concurrent(&s3).set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "140").start().await;
    let largest = usize::try_from(MAX_STATUS_FILE).unwrap();
    let stalled = object_announced_as(largest, "", b"{");
    s3.always_by(move |head| match job_id(head) {
        LARGE => Act::Hang(stalled.clone()),
        QUEUED => Act::Late(Duration::from_secs(1), object(noisy(128 * 1024, 0))),
        RUNNING => Act::Answer(object(noisy(128 * 1024 - 1, 0))),
        _ => Act::Answer(object(SMALL_FILE)),
    });
    let started = Instant::now();
    let large = [LARGE, LARGE, LARGE, LARGE, LARGE, QUEUED];
    let large = join_all(large.map(|job_id| environment.send(Request::job(job_id).header("accept-encoding", "gzip"))));
    let small = async {
        assert_eq!(environment.poll(RUNNING).await.status, 200);
        let mut slowest = started.elapsed();
        while started.elapsed() < Duration::from_secs(4) {
            let started = Instant::now();
            assert_eq!(environment.poll(DONE).await.status_file(), SMALL_FILE);
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let (large, slowest) = join(large, small).await;
    let took = started.elapsed();
    assert!(slowest < Duration::from_millis(100), "a small file took {slowest:?}");
    assert!(took <= Duration::from_millis(5100), "{took:?}");
    for response in large {
        assert_eq!(response.body, r#"{"error":"Failed to retrieve job status: the request timed out","code":500}"#);
    }
    let lines = environment.logs.with("outcome", "failed");
    assert_eq!(lines.len(), 6);
    for line in lines {
        let (s3_time, wait_time) = (line["s3_time"].as_f64().unwrap(), line["wait_time"].as_f64().unwrap());
        assert_eq!((&line["kind"], wait_time > s3_time), (&json!("busy"), true), "{line}");
        let rest = (5.0 - s3_time - wait_time).max(0.0);
        let named = format!("{s3_time:.1} s for S3, {wait_time:.1} s waiting for a permit, {rest:.1} s for the rest");
        assert!(line["error"].as_str().unwrap().contains(&named), "{line}");
    }
}

/// There are permits for two of the largest at once, even with one core.
#[tokio::test(start_paused = true)]
async fn large_files_that_s3_alone_holds_up_are_s3s_fault() {
    fast_timers();
    let s3 = FaultS3::start().await;
    let environment = concurrent(&s3).start().await;
    s3.always(Act::Hang(object_announced_as(usize::try_from(MAX_STATUS_FILE).unwrap(), "", b"{")));
    let responses = join(environment.send(poll_large()), environment.send(poll_large())).await;
    assert_eq!((responses.0.status, responses.1.status), (500, 500));
    let lines = environment.logs.with("outcome", "failed");
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!((&line["kind"], &line["s3_attempts"]), (&json!("timed_out"), &json!(3)), "{line}");
    }
}

#[tokio::test]
async fn a_permit_is_free_again_after_every_kind_of_answer() {
    let s3 = FaultS3::start().await;
    let environment = concurrent(&s3).set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1").start().await;
    let good = noisy(1_000_000, 0);
    let damaged = good.strip_suffix(b"}").unwrap();
    // Of memory for half of one, nothing may be lost.
    for content in [&good[..], damaged, b"\xff".repeat(1_000_000).as_slice(), &noisy(12_000_000, 11_000_000)] {
        for _ in 0..3 {
            s3.always(Act::Answer(object(content)));
            environment.send(poll_large()).await;
            s3.then([Act::Close(object_announced_as(1_000_000, "", b"{"))]);
            environment.send(poll_large()).await;
        }
    }
    let outcomes: Vec<_> =
        environment.logs.with("message", "request").iter().map(|line| line["kind"].clone()).collect();
    let expected =
        [json!(null), json!("malformed_status_file"), json!("malformed_status_file"), json!("response_too_large")];
    assert_eq!(outcomes, expected.iter().flat_map(|kind| vec![kind.clone(); 6]).collect::<Vec<_>>());
}

/// The noise is as much as fits when compressed, so that every buffer is as large as it can be.
/// Linux only: the memory of a process is in /proc.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn many_large_files_at_once_stay_within_the_memory_of_the_function() {
    const CALLERS: usize = 24;
    const MEMORY: u64 = 256;
    let s3 = FaultS3::start().await;
    s3.always(Act::AnswerShared(object(noisy(16 << 20, 4_400_000)).into()));
    let mut variables = variables::with_s3(s3.url());
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", CALLERS.to_string());
    variables.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY.to_string());
    let function = Arc::new(start_binary(&variables).await);
    let polling: Vec<_> = (0..CALLERS)
        .map(|_| {
            let function = Arc::clone(&function);
            tokio::spawn(async move { send(&function, &poll_large()).await })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for response in join_all(polling).await {
        let response = response.unwrap();
        let answer = if response.status == 200 { "200".into() } else { response.body };
        *answers.entry(answer).or_insert(0) += 1;
    }
    let peak = usage(function.pid()).peak;
    println!("{answers:#?}, peak resident memory: {peak} KiB");
    let timed_out = r#"{"error":"Failed to retrieve job status: the request timed out","code":500}"#;
    assert!(answers.keys().all(|answer| answer == "200" || answer == timed_out), "{answers:#?}");
    assert!(answers.contains_key("200"), "{answers:#?}");
    assert!(peak < MEMORY * 1024, "peak resident memory: {peak} KiB");
}
