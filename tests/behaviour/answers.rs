//! The answers: the status file in its envelope, and what comes instead of it.

use local::samples::{DONE, FAILED, QUEUED, RUNNING, SUBMITTED, UNKNOWN};
use serde_json::{Value, json};

use crate::harness::{Deployment, Environment, Request, Response, STATUS, assert_response};

#[tokio::test]
async fn a_finished_job_is_answered_with_its_status_file_in_the_envelope() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(DONE).await, @r#"
    200
    etag: W/"2e6202b4bd4953c49ebf407ff2ddf166"
    last-modified: Mon, 23 Nov 2026 11:59:00 GMT
    x-job-outcome: done

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","response":{"job_status":"done","job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","queue_id":140368864456064,"process_id":123456,"response":{"endpoint":"/v1/media/transcribe","code":200,"id":"transcribe_job_123","job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","response":"Transcription completed successfully.","message":"success","pid":123456,"queue_id":140368864456064,"run_time":5.234,"queue_time":1.123,"total_time":6.357,"queue_length":0,"build_number":"1.0.0"}},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
}

#[tokio::test]
async fn an_unfinished_job_says_when_to_ask_again() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(RUNNING).await, @r#"
    200
    etag: W/"2aaf557c60912f410394f5ff73a63ae4"
    last-modified: Mon, 23 Nov 2026 11:58:00 GMT
    retry-after: [spread]
    x-job-outcome: unfinished

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"22222222-2222-4222-8222-222222222222","response":{"job_status":"running","job_id":"22222222-2222-4222-8222-222222222222","queue_id":140368864456064,"process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
    assert_response!(environment.poll(QUEUED).await, @r#"
    200
    etag: W/"1c866e8927c52508b6a7be3375d44fb5"
    last-modified: Mon, 23 Nov 2026 12:00:00 GMT
    retry-after: 1
    x-job-outcome: unfinished

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"11111111-1111-4111-8111-111111111111","response":{"job_status":"queued","job_id":"11111111-1111-4111-8111-111111111111","queue_id":140368864456064,"process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
    assert_response!(environment.poll(SUBMITTED).await, @r#"
    200
    etag: W/"abdd8c661e52313ddada5fd1e9cd87dc"
    last-modified: Mon, 23 Nov 2026 11:50:00 GMT
    retry-after: [spread]
    x-job-outcome: unfinished

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"44444444-4444-4444-8444-444444444444","response":{"job_status":"submitted","job_id":"44444444-4444-4444-8444-444444444444","queue_id":"cloud-run","process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
}

#[tokio::test]
async fn a_failed_job_is_a_successful_poll_without_retry_after_on_both_routes() {
    let environment = Environment::start().await;
    for path in ["/v1/toolkit/job/status", "/paid/get/job/status"] {
        assert_response!(environment.send(Request::job(FAILED).path(path)).await, @r#"
        200
        etag: W/"b35b9599b2b8a989e9958631b73fa24d"
        last-modified: Mon, 23 Nov 2026 11:59:00 GMT
        x-job-outcome: failed

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"33333333-3333-4333-8333-333333333333","response":{"job_status":"failed","job_id":"33333333-3333-4333-8333-333333333333","queue_id":140368864456064,"process_id":123456,"response":{"endpoint":"/v1/media/convert","code":500,"id":"convert_job_7","job_id":"33333333-3333-4333-8333-333333333333","response":null,"message":"The input has no audio stream.","pid":123456,"queue_id":140368864456064,"run_time":0.412,"queue_time":0.02,"total_time":0.432,"queue_length":0,"build_number":"1.0.0"}},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
    }
}

#[tokio::test]
async fn an_unknown_job_is_not_found() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(UNKNOWN).await, @r#"
    404

    {"error":"Job not found","job_id":"00000000-0000-4000-8000-000000000000"}
    "#);
}

/// Asserts that a response is the envelope of [`DONE`] with this reference of the caller, as JSON.
pub fn assert_echoed(response: &Response, id: &str, case: &str) {
    let start =
        format!(r#"{{"endpoint":"/v1/toolkit/job/status","code":200,"id":{id},"job_id":"{DONE}","response":{{"#);
    assert!(response.body.starts_with(&start), "{case}: {response}");
}

#[tokio::test]
async fn the_callers_reference_is_echoed() {
    let environment = Environment::start().await;
    for (id, echoed) in [
        (json!("order 66"), r#""order 66""#),
        (json!("\"quoted\" \\ and \u{1} and é"), r#""\"quoted\" \\ and \u0001 and é""#),
        (json!(""), r#""""#),
        (json!(null), "null"),
    ] {
        let response = environment.send(Request::body(json!({ "job_id": DONE, "id": id }).to_string())).await;
        assert_echoed(&response, echoed, echoed);
    }
}

#[tokio::test]
async fn a_job_id_in_capitals_finds_the_file_and_is_echoed_in_lower_case() {
    let environment = Environment::start().await;
    let response = environment.poll(&DONE.to_uppercase()).await;
    assert_eq!(response.status_file(), environment.poll(DONE).await.status_file());
    assert!(response.body.contains(&format!(r#""id":null,"job_id":"{DONE}","response""#)), "{response}");
    assert_response!(environment.poll("ABCDEFAB-CDEF-4BCD-8FAB-CDEFABCDEFAB").await, @r#"
    404

    {"error":"Job not found","job_id":"abcdefab-cdef-4bcd-8fab-cdefabcdefab"}
    "#);
}

#[tokio::test]
async fn an_environment_has_one_identity_and_every_envelope_names_it() {
    let environment = Environment::start().await;
    let identity = |response: Response| {
        let envelope: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(envelope["total_time"], envelope["run_time"]);
        assert!(envelope["queue_id"].as_u64().unwrap() < 1 << 53);
        (envelope["pid"].clone(), envelope["queue_id"].clone(), envelope["build_number"].clone())
    };
    let first = identity(environment.poll(DONE).await);
    assert_eq!(first.0, std::process::id());
    assert_eq!(first.2, env!("CARGO_PKG_VERSION"));
    assert_eq!(identity(environment.poll(QUEUED).await), first);
    assert_ne!(identity(Environment::start().await.poll(DONE).await).1, first.1);
}

#[tokio::test]
async fn errors_come_in_their_documented_shapes() {
    let environment = Environment::start().await;
    assert_response!(environment.send(Request::job(DONE).path("/v1/toolkit/job/stats")).await, @r#"
    404

    {"error":"Not found","code":404}
    "#);
    assert_response!(environment.send(Request::job(DONE).method("PUT")).await, @r#"
    405
    allow: GET, POST

    {"error":"Method not allowed: use GET or POST","code":405}
    "#);
    assert_response!(environment.send(Request::job(DONE).no_key()).await, @r#"
    401

    {"error":"Unauthorized: send a valid API key in the x-api-key header","code":401}
    "#);
    assert_response!(environment.send(Request::body(format!("{{\"job_id\":\"{}\"}}", "x".repeat(16 * 1024)))).await, @r#"
    413

    {"error":"The request body is too large: at most 16384 bytes are accepted","code":413}
    "#);
    assert_response!(environment.send(Request::body("")).await, @r#"
    400

    {"error":"The request body is empty: send a JSON object such as {\"job_id\":\"<uuid>\"}","code":400}
    "#);
}

#[tokio::test]
async fn a_prefix_is_put_in_front_of_the_jobs_keys() {
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", "state/of-");
    deployment.put("jobs", &format!("state/of-{UNKNOWN}.json"), STATUS);
    let environment = deployment.start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    assert_eq!(environment.poll(DONE).await.status, 404);
}

#[tokio::test]
async fn a_prefix_may_have_characters_that_urls_escape() {
    let prefix = "jobs of söhne & co/(1) 50%+=?#*'!~$:@/";
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", prefix);
    deployment.put("jobs", &format!("{prefix}{UNKNOWN}.json"), STATUS);
    let environment = deployment.start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
}
