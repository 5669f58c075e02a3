//! How a job stands: `x-job-outcome`, what goes with it, and the log's word.

use local::samples::{DONE, RUNNING};
use serde_json::json;

use crate::harness::{Deployment, Environment, GATEWAYS, Request};

/// Polls for this file. Asserts the header, what goes with it, and the word on the log line.
async fn assert_outcome(environment: &Environment, content: &str, outcome: &str) {
    let response = environment.poll_file(content).await;
    assert_eq!(response.status_file(), content);
    assert_eq!(response.header("x-job-outcome"), Some(outcome), "{content}");
    assert_eq!(response.header("retry-after").is_some(), outcome == "unfinished", "{content}");
    let word = if outcome == "failed" { "job_failed" } else { outcome };
    assert_eq!(environment.logs.request()["outcome"], word, "{content}");
}

#[tokio::test]
async fn the_state_says_how_the_job_stands() {
    let environment = Environment::start().await;
    for (content, outcome) in [
        (r#"{"job_status":"queued"}"#, "unfinished"),
        (r#"{"job_status":"running"}"#, "unfinished"),
        (r#"{"job_status":"submitted"}"#, "unfinished"),
        (r#"{"job_status":"runn\u0069ng"}"#, "unfinished"),
        (r#"{"job_status":"done","job_status":"submitted"}"#, "unfinished"),
        (r#"{"job_status":"queued","job_status":"done"}"#, "done"),
        (r#"{"job\u005fstatus":"queued"}"#, "unfinished"),
        (r#"{"job_status":"failed"}"#, "failed"),
        (r#"{"job_status":"failed","response":{"code":200}}"#, "failed"),
        (r#"{"job_status":"queued","response":{"code":500}}"#, "unfinished"),
        (r#"{"response":{"job_status":"queued"}}"#, "other"),
        (r#"{"job_status":"Queued"}"#, "other"),
        (r#"{"job_status":"processing"}"#, "other"),
        (r#"{"job_status":"\ud800"}"#, "other"),
        (r#"{"job_status":["queued"]}"#, "other"),
        (r#"{"job_status":null}"#, "other"),
        ("{}", "other"),
    ] {
        assert_outcome(&environment, content, outcome).await;
    }
}

#[tokio::test]
async fn a_job_that_is_done_has_failed_if_its_result_has_the_code_of_a_failure() {
    let environment = Environment::start().await;
    for (result, outcome) in [
        (r"{}", "done"),
        (r#"{"code":null}"#, "done"),
        (r#"{"code":200}"#, "done"),
        (r#"{"code":200.0}"#, "done"),
        (r#"{"code":2e2}"#, "done"),
        (r#"{"code":500}"#, "failed"),
        (r#"{"code":201}"#, "failed"),
        (r#"{"code":1e999}"#, "failed"),
        (r#"{"code":"200"}"#, "failed"),
        (r#"{"code":[200]}"#, "failed"),
        (r#"{"code":500,"code":200}"#, "done"),
        (r#"{"code":200,"code":500}"#, "failed"),
        (r#"{"c\u006fde":500}"#, "failed"),
        (r#"{"\ud800":1,"code":500,"x":"\udc00"}"#, "failed"),
        (r#"{"response":{"code":500}}"#, "done"),
        (r#"[{"code":500}]"#, "done"),
        (r#""code 500 \ud800""#, "done"),
        ("1e999", "done"),
        ("null", "done"),
        (r#"{},"response":{"code":500}"#, "failed"),
        (r#"{"code":500},"response":null"#, "done"),
        (r#"{"code":500},"response":{}"#, "done"),
    ] {
        for content in [
            format!(r#"{{"job_status":"done","response":{result}}}"#),
            format!("{{\"resp\\u006fnse\" \n:\t {result} , \"job_status\":\"done\"}}"),
            format!(
                "{{\"x\":{},\"response\":{result},\"job_status\":\"done\"}}",
                "[".repeat(9_000) + &"]".repeat(9_000)
            ),
        ] {
            assert_outcome(&environment, &content, outcome).await;
        }
    }
}

#[tokio::test]
async fn further_states_count_as_unfinished_to_the_letter() {
    let environment =
        Deployment::with_samples().await.set("UNFINISHED_STATES", "processing, pending,\u{e9}").start().await;
    for (state, outcome) in [
        ("processing", "unfinished"),
        ("pending", "unfinished"),
        ("\u{e9}", "unfinished"),
        ("Pending", "other"),
        ("running", "unfinished"),
    ] {
        assert_outcome(&environment, &json!({ "job_status": state }).to_string(), outcome).await;
    }
    let stalled = environment.poll_file(r#"{"job_status":"processing","heartbeat_seconds":1}"#).await;
    assert_eq!(stalled.header("x-job-stalled"), None, "it is new");
}

#[tokio::test]
async fn every_gateway_and_a_304_have_the_header() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        let found = environment.send(Request::get_job(RUNNING).through(gateway)).await;
        assert_eq!(found.header("x-job-outcome"), Some("unfinished"), "{found}");
        let request = Request::get_job(DONE).through(gateway).header("if-none-match", "*");
        let unchanged = environment.send(request).await;
        assert_eq!((unchanged.status, unchanged.header("x-job-outcome")), (304, Some("done")), "{unchanged}");
    }
}
