//! The line that each request logs for the operator.

use local::samples::{DONE, FAILED, QUEUED, RUNNING, SUBMITTED, UNKNOWN};
use serde_json::json;
use testbed::keyring::sha256;

use crate::harness::{Environment, REQUEST_ID, Request};

#[tokio::test]
async fn each_request_logs_one_line_for_the_operator() {
    let environment = Environment::start().await;
    environment.poll(DONE).await;
    let line = environment.logs.request();
    for (member, value) in [
        ("level", json!("INFO")),
        ("message", json!("request")),
        ("request_id", json!(REQUEST_ID)),
        ("key", json!("demo")),
        ("job_id", json!(DONE)),
        ("outcome", json!("done")),
        ("status", json!(200)),
        ("bytes", json!(454)),
        ("s3_attempts", json!(null)),
        ("cold", json!(true)),
    ] {
        assert_eq!(line[member], value, "{member} in {line}");
    }
    assert!(line["s3_time"].as_f64().unwrap() > 0.0 && line["run_time"].as_f64() >= line["s3_time"].as_f64(), "{line}");

    let mut outcomes = Vec::new();
    for request in [
        Request::job(RUNNING),
        Request::job(QUEUED),
        Request::job(SUBMITTED),
        Request::job(FAILED),
        Request::job(UNKNOWN),
        Request::job("x"),
        Request::job(DONE).no_key(),
        Request::job(DONE).method("PUT"),
        Request::job(DONE).path("/"),
        Request::body("x".repeat(17_000)),
    ] {
        environment.send(request).await;
        let line = environment.logs.request();
        assert_eq!((&line["cold"], &line["level"]), (&json!(null), &json!("INFO")), "{line}");
        outcomes.push(format!("{} {}", line["outcome"].as_str().unwrap(), line["status"]));
    }
    assert_eq!(
        outcomes,
        [
            "unfinished 200",
            "unfinished 200",
            "unfinished 200",
            "job_failed 200",
            "not_found 404",
            "bad_request 400",
            "unauthorized 401",
            "method_not_allowed 405",
            "unknown_path 404",
            "too_large 413",
        ]
    );
    assert_eq!(environment.logs.with("message", "request").len(), 11);
}

#[tokio::test]
async fn logs_have_neither_keys_nor_status_content_at_the_finest_level() {
    let environment = Environment::start().await;
    environment.poll_file(r#"{"job_status":"content-of-status","response":"content-of-result"}"#).await;
    environment.send(Request::job(DONE).key("presented-secret")).await;
    let log = environment.logs.text();
    assert_eq!(environment.logs.request()["outcome"], "unauthorized");
    for secret in ["demo-key", "presented-secret", "content-of", &sha256("demo-key")] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
