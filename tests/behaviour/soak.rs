//! Tens of thousands of requests through the binary, a twentieth of them with faults. Every answer is
//! about the job that was asked about, and the process does not grow.

use std::{collections::BTreeMap, fs, sync::Arc};

use job_status::limits::MAX_STATUS_FILE;
use testbed::{
    fault_s3::{Act, FaultS3, error_document, job_id, object, object_announced_as, object_with},
    lambda::Function,
    status_file::noisy,
    variables,
};
use uuid::Uuid;

use crate::harness::{Request, send, start_binary};

const REQUESTS: u32 = 20_000;

#[tokio::test]
#[ignore = "takes a minute: .ci/release soak"]
async fn no_answer_is_mixed_up_and_nothing_grows() {
    soak(1, 1000, 512).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: .ci/release soak"]
async fn no_answer_is_mixed_up_and_nothing_grows_while_many_are_under_way() {
    soak(32, 10_000, 1024).await;
}

/// After `warm` requests every buffer, table and pool has reached its size. From then on the resident
/// memory may grow by `growth` KiB. With many threads both numbers are larger.
async fn soak(concurrency: u32, warm: u32, growth: u64) {
    let s3 = FaultS3::start().await;
    s3.always_by(faults());
    let mut variables = variables::with_s3(s3.url());
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
    let function = Arc::new(start_binary(&variables).await);

    let warm_up = poll_all(&function, concurrency, warm).await;
    let before = usage(function.pid());
    let answers = poll_all(&function, concurrency, REQUESTS).await;
    let after = usage(function.pid());
    println!("{warm_up:#?}\n{answers:#?}\nafter {warm} requests {before:?}, after {REQUESTS} more {after:?}");
    assert!(answers["200"] > REQUESTS * 99 / 100, "{answers:#?}");
    assert!(answers.keys().all(|answer| is_documented(answer)), "{answers:#?}");
    assert!(after.resident <= before.resident + growth, "resident memory in KiB: {before:?} {after:?}");
    // Each request that is under way may have a connection that the other side has just closed.
    let allowed = before.descriptors + concurrency as usize;
    assert!(after.descriptors <= allowed, "open files: {before:?} {after:?}");
}

/// Lets `callers` poll until there are `requests` answers; counts the answers by their text.
async fn poll_all(function: &Arc<Function>, callers: u32, requests: u32) -> BTreeMap<String, u32> {
    let polling: Vec<_> = (0..callers)
        .map(|caller| {
            let function = Arc::clone(function);
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(caller.into());
                let mut answers = Vec::new();
                for _ in 0..requests / callers {
                    answers.push(poll(&function, Uuid::from_u128(random.u128(..)).to_string()).await);
                }
                answers
            })
        })
        .collect();
    let mut counts = BTreeMap::new();
    for caller in polling {
        for answer in caller.await.unwrap() {
            *counts.entry(answer).or_default() += 1;
        }
    }
    counts
}

/// Polls a job and checks that the answer is about this job; returns the answer in short.
async fn poll(function: &Function, job_id: String) -> String {
    let response = send(function, &Request::job(&job_id)).await;
    if response.status == 200 {
        assert_eq!(response.status_file(), status_file(&job_id));
        "200".into()
    } else {
        format!("{} {}", response.status, response.body)
    }
}

#[tokio::test]
#[ignore = "takes half a minute: .ci/release soak"]
async fn the_largest_file_is_answered_within_the_memory_of_a_256_mb_function() {
    let segment = r#"{"start":12.5,"text":"And this is what was said, \"more or less\"."},"#;
    let largest = usize::try_from(MAX_STATUS_FILE).unwrap();
    let prose = format!(r#"{{"segments":[{}0]}}"#, segment.repeat((largest - 20) / segment.len()));
    // As much as fits when it is compressed: then the buffers are as large as they can be.
    let noise = String::from_utf8(noisy(largest, 4_400_000)).unwrap();
    let s3 = FaultS3::start().await;
    let function = start_binary(&variables::with_s3(s3.url())).await;
    let request = Request::job("aaaaaaaa-0000-4000-8000-000000000001");
    for content in [&prose, &noise, &prose, &noise] {
        s3.always(Act::Answer(object(content)));
        let compressed = request.clone().header("accept-encoding", "gzip");
        assert_eq!(send(&function, &compressed).await.status_file(), *content);
        assert!(send(&function, &request).await.body.contains("send accept-encoding: gzip"));
    }
    s3.always(Act::Answer(object(noisy(largest, largest - 100))));
    let too_large = send(&function, &request.header("accept-encoding", "gzip")).await;
    assert_eq!(too_large.body, r#"{"error":"Failed to retrieve job status: the status is too large","code":500}"#);
    let peak = usage(function.pid()).peak;
    println!("peak resident memory: {peak} KiB");
    // The rest of the 256 MB is left to Lambda, with a margin.
    assert!(peak < 128 * 1024, "peak resident memory: {peak} KiB");
}

fn is_documented(answer: &str) -> bool {
    answer == "200"
        || answer.starts_with(r#"500 {"error":"Failed to retrieve job status: the status"#)
        || answer == r#"429 {"error":"Too many requests: try again in 5 seconds","code":429}"#
}

fn status_file(job_id: &str) -> String {
    // The lengths differ, so that bytes left over from another answer would show.
    let padding = "x".repeat(usize::from(job_id.as_bytes()[0]) * 10);
    format!(r#"{{"job_status":"done","job_id":"{job_id}","padding":"{padding}"}}"#)
}

/// What S3 does with each request: one in twenty gets a fault.
fn faults() -> impl FnMut(&str) -> Act + Send {
    let mut random = fastrand::Rng::with_seed(2);
    let mut hangs = 4; // each costs a second and a half
    move |head| {
        let job_id = job_id(head);
        let content = status_file(job_id);
        if random.u32(..20) > 0 {
            return Act::Answer(object(content));
        }
        match random.u32(..9) {
            0 => Act::Close(vec![]),
            1 => Act::Close(object_announced_as(content.len(), "", &content.as_bytes()[..50])),
            2 => Act::Reset(object_announced_as(content.len(), "", &content.as_bytes()[..50])),
            3 => Act::Answer(object_with("x-amz-checksum-crc32: AAAAAA==\r\n", content)),
            4 => Act::Answer(error_document(
                "500 Internal Server Error",
                "InternalError",
                "We encountered an internal error.",
            )),
            5 => Act::Answer(error_document("503 Slow Down", "SlowDown", "Please reduce your request rate.")),
            6 => Act::Close(b"garbage\r\n\r\n".to_vec()),
            7 if hangs > 0 => {
                hangs -= 1;
                Act::Hang(vec![])
            }
            _ => Act::AnswerThenClose(object(content)),
        }
    }
}

#[derive(Debug)]
pub struct Usage {
    /// In KiB.
    resident: u64,
    /// The most resident memory so far, in KiB.
    pub peak: u64,
    descriptors: usize,
}

pub fn usage(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    Usage {
        resident: kib("VmRSS:"),
        peak: kib("VmHWM:"),
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    }
}
