//! When callers are told to come again, and that a job is stalled.

use std::{
    collections::BTreeSet,
    fs::File,
    time::{Duration, SystemTime},
};

use local::samples::{QUEUED, UNKNOWN};
use proptest::{option, prelude::*};
use serde_json::{Value, json};
use testbed::fault_s3::{Act, FaultS3, object};

use crate::harness::{Environment, Request, Response, assert_response, runtime};

#[tokio::test]
async fn retry_after_is_a_tenth_of_the_files_age_between_1_and_30_seconds() {
    let environment = Environment::start().await;
    for (forward, expected) in [
        (0, 1..=1),
        (9, 1..=1),
        (10, 1..=1),
        (1, 2..=2),
        (79, 9..=9),
        (1, 9..=11),
        (195, 27..=31),
        (5, 27..=33),
        (1, 27..=33),
        (100_000, 27..=33),
    ] {
        environment.clock.forward(forward);
        let seconds = environment.poll(QUEUED).await.header("retry-after").unwrap().parse().unwrap();
        assert!(expected.contains(&seconds), "{seconds} is not in {expected:?}");
    }
}

#[tokio::test]
async fn a_file_with_a_date_in_the_future_counts_as_new() {
    let environment = Environment::start().await;
    environment.poll_file(r#"{"job_status":"running"}"#).await; // written now by the real clock
    let path = environment.object("jobs", &format!("{UNKNOWN}.json"));
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)).unwrap();
    assert_eq!(environment.poll(UNKNOWN).await.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_worker_says_when_to_come_again() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    s3.always(Act::Answer(object(r#"{"job_status":"queued","retry_after_seconds":9}"#)));
    environment.clock.forward(2);
    for request in Request::every_poll(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: 7
        x-job-outcome: unfinished

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"queued","retry_after_seconds":9},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
    }
}

#[tokio::test]
async fn an_unfinished_job_whose_worker_is_silent_is_stalled() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    s3.always(Act::Answer(object(r#"{"job_status":"running","heartbeat_seconds":30}"#)));
    environment.clock.forward(60);
    let response = environment.poll(UNKNOWN).await;
    assert_eq!((response.header("x-job-stalled"), response.header("retry-after")), (None, Some("6")));
    assert_eq!(environment.logs.request()["stalled"], Value::Null);
    environment.clock.forward(1);
    for request in Request::every_poll(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: [spread]
        x-job-outcome: unfinished
        x-job-stalled: 61

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"running","heartbeat_seconds":30},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
        let line = environment.logs.request();
        assert_eq!((&line["stalled"], &line["level"]), (&61.into(), &"INFO".into()), "{line}");
    }
    // A caller who has the status already learns it as well: a stalled job's file never changes.
    let known = environment.send(Request::get_job(UNKNOWN).header("if-none-match", "*")).await;
    assert_eq!((known.status, known.header("x-job-stalled")), (304, Some("61")));
}

#[tokio::test]
async fn an_invalid_hint_of_a_worker_is_ignored_and_counted() {
    let environment = Environment::start().await;
    for (members, retry_after, invalid_hints) in [
        (r#""retry_after_seconds":9"#, "9", None),
        (r#""retry_after_seconds":8.2"#, "9", None),
        (r#""retry_after_seconds":0"#, "1", None),
        (r#""retry_after_seconds":-0.0"#, "1", None),
        (r#""retry_after_seconds":0.5e1"#, "5", None),
        (r#""retry\u005fafter_seconds":9"#, "9", None),
        (r#""retry_after_seconds":"x","retry_after_seconds":9"#, "9", None),
        (r#""retry_after_seconds":9,"retry_after_seconds":-1"#, "1", Some(1)),
        (r#""retry_after_seconds":86400.001"#, "1", Some(1)),
        (r#""retry_after_seconds":1e999"#, "1", Some(1)),
        (r#""retry_after_seconds":"9""#, "1", Some(1)),
        (r#""retry_after_seconds":null,"heartbeat_seconds":[9]"#, "1", Some(2)),
        (r#""heartbeat_seconds":0"#, "1", Some(1)),
        (r#""heartbeat_seconds":86400"#, "1", None),
        (r#""response":{"retry_after_seconds":9,"heartbeat_seconds":-1}"#, "1", None),
    ] {
        let content = format!(r#"{{"job_status":"queued",{members}}}"#);
        let response = environment.poll_file(&content).await;
        assert_eq!(response.status_file(), content);
        assert_eq!(
            (response.header("retry-after"), response.header("x-job-stalled")),
            (Some(retry_after), None),
            "{content}"
        );
        assert_eq!(environment.logs.request()["invalid_hints"], json!(invalid_hints), "{content}");
    }
}

#[tokio::test]
async fn callers_who_came_together_are_told_to_come_back_one_by_one_from_ten_seconds_on() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    for (age, all) in [(99, &["9"][..]), (100, &["10", "11", "9"])] {
        let mut told = BTreeSet::new();
        for _ in 0..100 {
            let response = poll_at(&s3, &environment, age, r#"{"job_status":"running"}"#).await;
            told.insert(response.header("retry-after").unwrap().to_owned());
        }
        assert!(told.iter().eq(all), "{told:?}");
    }
}

/// Whether `retry-after` is this, spread by up to a tenth from 10 on.
fn is_spread(header: Option<&str>, seconds: u64) -> bool {
    let tenth = if seconds < 10 { 0 } else { seconds / 10 };
    let header = header.unwrap().parse().unwrap();
    (seconds - tenth..=seconds + tenth).contains(&header)
}

const STATES: [(&str, bool); 6] =
    [("queued", true), ("running", true), ("submitted", true), ("done", false), ("failed", false), ("other", false)];

/// Polls a file with these members when it is so many seconds old.
async fn poll_at(s3: &FaultS3, environment: &Environment, age: u64, content: &str) -> Response {
    s3.always(Act::Answer(object(content)));
    environment.clock.forward(age);
    let response = environment.poll(UNKNOWN).await;
    environment.clock.back(age);
    response
}

#[test]
fn any_job_is_stalled_exactly_by_the_rule() {
    let runtime = runtime();
    for stalled_after in ["", "0", "60", "5000"] {
        let (s3, environment) =
            runtime.block_on(Environment::with_fresh_objects(&[("STALLED_AFTER_SECONDS", stalled_after)]));
        let setting = stalled_after.parse().ok().filter(|seconds| *seconds > 0);
        let case = (option::of(1..=86_400_u64), 0..STATES.len()).prop_flat_map(move |(heartbeat, state)| {
            let limit = heartbeat.map(|seconds| 2 * seconds).or(setting);
            let near = limit.unwrap_or(100);
            (prop_oneof![0..200_000_u64, near - 1..=near + 1], Just(heartbeat), Just(limit), Just(STATES[state]))
        });
        proptest!(|((age, heartbeat, limit, (state, unfinished)) in case)| {
            let heartbeat = heartbeat.map_or(String::new(), |seconds| format!(r#","heartbeat_seconds":{seconds}"#));
            let content = format!(r#"{{"job_status":"{state}"{heartbeat}}}"#);
            let response = runtime.block_on(poll_at(&s3, &environment, age, &content));
            let stalled = (unfinished && limit.is_some_and(|limit| age > limit)).then(|| age.to_string());
            prop_assert_eq!(response.header("x-job-stalled"), stalled.as_deref(), "{} {}", content, age);
            prop_assert_eq!(response.header("retry-after").is_some(), unfinished);
            if stalled.is_some() {
                prop_assert!(is_spread(response.header("retry-after"), 30), "{}", response);
            }
        });
    }
}

#[test]
fn any_number_of_a_workers_seconds_counts_from_its_write() {
    let runtime = runtime();
    let (s3, environment) = runtime.block_on(Environment::with_fresh_objects(&[]));
    let case = prop_oneof![0..=86_400_u32, 0..=400_u32].prop_flat_map(|said| (Just(said), 0..3_u32, 0..=said + 10));
    proptest!(|((said, quarters, age) in case, (state, unfinished) in (0..STATES.len()).prop_map(|index| STATES[index]))| {
        prop_assume!(said < 86_400 || quarters == 0);
        let content = format!(r#"{{"retry_after_seconds":{}.{},"job_status":"{state}"}}"#, said, [0, 25, 50][quarters as usize]);
        let response = runtime.block_on(poll_at(&s3, &environment, age.into(), &content));
        let left = u64::from((said + u32::from(quarters > 0)).saturating_sub(age)).clamp(1, 300);
        if unfinished {
            prop_assert!(is_spread(response.header("retry-after"), left), "{} {} {}", content, age, response);
        } else {
            prop_assert_eq!(response.header("retry-after"), None);
        }
    });
}
