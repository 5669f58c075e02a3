//! What an answer says about the status in it: how fresh it is, when it goes, whether anybody works on
//! the job, when to come again.

use std::collections::BTreeSet;

use local::samples::{DONE, UNKNOWN};
use proptest::{collection, option, prelude::*};
use testbed::fault_s3::{Act, FaultS3, object, object_version, object_with};

use crate::harness::{Deployment, Environment, GATEWAYS, Request, assert_response};

/// From what the clock of a test says to the `last-modified` of every object of `FaultS3`, in seconds.
const UNTIL_WRITTEN: u64 = 47 * 3600;

/// An environment in front of an S3 whose objects have just been written.
async fn start(stalled_after: &str) -> (FaultS3, Environment) {
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).set("STALLED_AFTER_SECONDS", stalled_after).start().await;
    environment.clock.forward(UNTIL_WRITTEN);
    (s3, environment)
}

fn get(job_id: &str) -> Request {
    Request::get(format!("job_id={job_id}"))
}

/// A poll of the job by GET and one by POST, through each gateway.
fn through_every_door(job_id: &str) -> impl Iterator<Item = Request> {
    GATEWAYS.iter().flat_map(move |gateway| [get(job_id), Request::job(job_id)].map(|request| request.through(gateway)))
}

#[tokio::test]
async fn an_answer_says_when_its_status_was_written_and_when_it_goes() {
    let (s3, environment) = start("").await;
    let expiration =
        "x-amz-expiration: expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT\", rule-id=\"after%2030%20days\"\r\n";
    s3.always(Act::Answer(object_with(expiration, r#"{"job_status":"done"}"#)));
    for request in through_every_door(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        sunset: Fri, 25 Dec 2026 00:00:00 GMT

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"done"},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
    }
    for nonsense in
        ["expiry-date=\"soon\", rule-id=\"x\"", "expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT", "rule-id=\"x\"", ""]
    {
        s3.always(Act::Answer(object_with(&format!("x-amz-expiration: {nonsense}\r\n"), "{}")));
        assert_eq!(environment.poll(UNKNOWN).await.header("sunset"), None, "{nonsense}");
    }
}

#[tokio::test]
async fn a_get_for_a_status_that_the_caller_has_is_a_304_with_the_headers_that_matter() {
    let (s3, environment) = start("").await;
    let expiration = "x-amz-expiration: expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT\", rule-id=\"x\"\r\n";
    s3.always(Act::Answer(object_with(expiration, r#"{"job_status":"running"}"#)));
    for gateway in &GATEWAYS {
        let request = get(UNKNOWN).header("If-None-Match", r#"W/"1""#).through(gateway);
        assert_response!(environment.send(request).await, @r#"
        304
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: 1
        sunset: Fri, 25 Dec 2026 00:00:00 GMT
        "#);
        let line = environment.logs.request();
        assert_eq!((&line["outcome"], &line["status"], &line["bytes"]), (&"running".into(), &304.into(), &24.into()));
    }
    environment.clock.forward(50);
    let later = environment.send(get(UNKNOWN).header("if-none-match", "*")).await;
    assert_eq!((later.status, later.header("retry-after")), (304, Some("5")), "it comes from the file that was read");
}

#[tokio::test]
async fn a_post_is_never_a_304_and_neither_is_anything_but_a_200() {
    let (s3, environment) = start("").await;
    s3.always(Act::Answer(object(r#"{"job_status":"done"}"#)));
    let conditional = |request: Request| request.header("if-none-match", "*");
    assert_eq!(environment.send(conditional(Request::job(UNKNOWN))).await.status, 200);
    assert_eq!(environment.send(conditional(get(UNKNOWN)).no_key()).await.status, 401);
    s3.always(Act::Answer(object(r#"{"job_status":"#)));
    assert_eq!(environment.send(conditional(get(UNKNOWN))).await.status, 500);
    let environment = Environment::start().await;
    assert_eq!(environment.send(conditional(get(UNKNOWN))).await.status, 404);
    assert_eq!(environment.send(conditional(get(DONE))).await.status, 304);
}

#[tokio::test]
async fn if_none_match_is_read_as_a_list_of_tags() {
    let (s3, environment) = start("").await;
    s3.always(Act::Answer(object_version(r#""a,b-2""#, "{}")));
    for (header, status) in [
        (r#"W/"a,b-2""#, 304),
        (r#""a,b-2""#, 304),
        (r#""x", W/"a,b-2""#, 304),
        (r#",, "x","",	"a,b-2","y""#, 304),
        ("*", 304),
        (" * ", 304),
        (r#""x", "y""#, 200),
        (r#""a", "b-2""#, 200),
        (r#""A,B-2""#, 200),
        (r#""x"#, 200),
        ("a,b-2", 200),
        (r#"w/"a,b-2""#, 200),
        (r#"nonsense, "a,b-2""#, 200),
        ("\u{e9}", 200),
        ("", 200),
    ] {
        for gateway in &GATEWAYS {
            let response = environment.send(get(UNKNOWN).header("if-none-match", header).through(gateway)).await;
            assert_eq!(response.status, status, "{header} through {}", gateway.name);
            assert_eq!(response.header("etag"), Some(r#"W/"a,b-2""#));
        }
    }
}

#[tokio::test]
async fn a_worker_says_when_to_come_again() {
    let (s3, environment) = start("").await;
    s3.always(Act::Answer(object(r#"{"job_status":"queued","retry_after_seconds":9}"#)));
    environment.clock.forward(2);
    for request in through_every_door(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: 7

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"queued","retry_after_seconds":9},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
    }
}

#[tokio::test]
async fn an_unfinished_job_whose_worker_is_silent_is_stalled() {
    let (s3, environment) = start("").await;
    s3.always(Act::Answer(object(r#"{"job_status":"running","heartbeat_seconds":30}"#)));
    environment.clock.forward(60);
    let response = environment.poll(UNKNOWN).await;
    assert_eq!((response.header("x-job-stalled"), response.header("retry-after")), (None, Some("6")));
    assert_eq!(environment.logs.request()["stalled"], serde_json::Value::Null);
    environment.clock.forward(1);
    for request in through_every_door(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: [spread]
        x-job-stalled: 61

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"running","heartbeat_seconds":30},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
        let line = environment.logs.request();
        assert_eq!((&line["stalled"], &line["level"]), (&61.into(), &"INFO".into()), "{line}");
    }
    // A caller who has the status already learns it as well: a stalled job's file never changes.
    let known = environment.send(get(UNKNOWN).header("if-none-match", "*")).await;
    assert_eq!((known.status, known.header("x-job-stalled")), (304, Some("61")));
}

#[tokio::test]
async fn invalid_hints_of_a_worker_are_ignored_and_counted() {
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
        assert_eq!(environment.logs.request()["invalid_hints"], serde_json::json!(invalid_hints), "{content}");
    }
}

#[tokio::test]
async fn callers_who_came_together_are_told_to_come_back_one_by_one_from_ten_seconds_on() {
    let (s3, environment) = start("").await;
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

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

const STATES: [(&str, bool); 6] =
    [("queued", true), ("running", true), ("submitted", true), ("done", false), ("failed", false), ("other", false)];

/// Polls a file with these members when it is so many seconds old.
async fn poll_at(s3: &FaultS3, environment: &Environment, age: u64, content: &str) -> crate::harness::Response {
    s3.always(Act::Answer(object(content)));
    environment.clock.forward(age);
    let response = environment.poll(UNKNOWN).await;
    environment.clock.back(age);
    response
}

#[test]
fn any_get_is_a_304_only_if_the_caller_has_the_status() {
    let runtime = runtime();
    let (s3, environment) = runtime.block_on(start(""));
    let tag = ("(W/)?", "\"[ab,]{0,2}\"");
    proptest!(|(current in "\"[ab,]{0,2}\"", known in collection::vec(tag, 0..4))| {
        s3.always(Act::Answer(object_version(&current, "{}")));
        let header = known.iter().map(|(weak, tag)| format!("{weak}{tag}")).collect::<Vec<_>>().join(", ");
        let response = runtime.block_on(environment.send(get(UNKNOWN).header("if-none-match", &header)));
        let has_it = known.iter().any(|(_, tag)| *tag == current);
        prop_assert_eq!(response.status, if has_it { 304 } else { 200 }, "{} for {}", header, current);
        let etag = format!("W/{current}");
        prop_assert_eq!(response.header("etag"), Some(&*etag));
    });
}

#[test]
fn any_job_is_stalled_exactly_by_the_rule() {
    let runtime = runtime();
    for stalled_after in ["", "0", "60", "5000"] {
        let (s3, environment) = runtime.block_on(start(stalled_after));
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
    let (s3, environment) = runtime.block_on(start(""));
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
