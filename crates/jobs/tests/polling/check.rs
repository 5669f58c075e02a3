//! `jobs check`.

use std::{
    fs,
    time::{Duration, Instant},
};

use local::samples::{DONE, UNKNOWN};
use serde_json::Value;
use testbed::fault_s3::FaultS3;

use crate::harness::{answer, end, jobs, local, run, scripted};

/// The findings of `--json`.
fn findings(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn verdicts(findings: &[Value]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding["when"].as_str().unwrap(), finding["verdict"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn everything_holds_at_the_endpoint_itself() {
    let url = local(&[]).await;
    for base in [url.clone(), format!("{url}/prod"), format!("{url}/paid/get/job/status")] {
        let ended = end(jobs(&base, &["check", "--job", DONE, "--json"])).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
        let findings = findings(&ended.stdout);
        assert!(verdicts(&findings).iter().all(|(_, verdict)| *verdict == "holds"), "{findings:#?}");
        let statuses: std::collections::BTreeSet<_> =
            findings.iter().map(|finding| finding["answered"].as_u64()).collect();
        assert_eq!(statuses, [200, 304, 400, 401, 404, 405, 413].map(Some).into());
    }
    let ended = end(jobs(&url, &["check"])).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.starts_with("WHEN "), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("holds\n429 and 500 cannot be asked for.\n"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}'), "colours only on a terminal");
}

#[tokio::test]
async fn a_job_that_is_not_there_and_a_key_that_is_not_accepted_fail_with_a_place_to_read_on() {
    let url = local(&[]).await;
    let ended = end(jobs(&url, &["check", "--job", UNKNOWN])).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let read = format!("it looked for <JOBS_PREFIX><prefix of the key>{UNKNOWN}.json, in lower case");
    let expected = format!("HTTP 404: Job not found\n  {read}\n  see docs/workers.md#the-status-file\n");
    assert!(ended.stdout.contains(&expected), "{}", ended.stdout);
    let mut command = jobs(&url, &["check", "--json"]);
    command.env("JOBS_API_KEY", "wrong");
    let ended = end(command).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    for finding in findings(&ended.stdout) {
        let wrong = finding["verdict"] == "fails";
        assert_eq!(
            wrong,
            ![401, 404, 405].contains(&finding["expected"].as_u64().unwrap()) || wrong && finding["answered"] == 401
        );
        assert!(!wrong || finding["see"] == "docs/keys.md#issue-a-key", "{finding}");
    }
}

#[tokio::test]
async fn what_the_gateway_answers_itself_is_told_apart() {
    let gateway = |status, message: &str| answer(status, "", &format!(r#"{{"message":"{message}"}}"#));
    for act in [gateway(404, "Not Found"), gateway(403, "Missing Authentication Token")] {
        let ended = run(&scripted([act]).await, &["check", "--json"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        let findings = findings(&ended.stdout);
        let by_gateway: Vec<_> = verdicts(&findings).into_iter().filter(|(_, verdict)| *verdict == "gateway").collect();
        let expected = ["another path", "PUT /v1/toolkit/job/status", "PUT /paid/get/job/status"];
        assert_eq!(by_gateway, expected.map(|when| (when, "gateway")));
        assert!(verdicts(&findings).iter().all(|(_, verdict)| *verdict != "holds"), "{findings:#?}");
    }
}

#[tokio::test]
async fn what_is_wrong_everywhere_is_said_once_with_the_first_that_have_it() {
    let ended = run(&scripted([answer(502, "", r#"{"message":"n\n\u001b[2Jo"}"#)]).await, &["check"]).await;
    let said = "\nanother path, PUT /v1/toolkit/job/status, PUT /paid/get/job/status and 20 others\n  the gateway's own \
                HTTP 502: n[2Jo\n  see docs/operations.md#function-errors\n";
    assert!(ended.code == 1 && ended.stdout.contains(said), "{ended:?}");
}

#[tokio::test]
async fn an_answer_is_held_to_the_document_and_not_to_its_status_alone() {
    let headers = "x-request-id: r\r\ncache-control: public\r\nx-content-type-options: nosniff\r\n";
    let body = r#"{"error":"Unauthorized","code":"401"}"#;
    let ended = run(&scripted([answer(401, headers, body)]).await, &["check", "--json"]).await;
    let finding = findings(&ended.stdout).into_iter().find(|finding| finding["when"] == "POST with no key").unwrap();
    assert_eq!((&finding["answered"], &finding["verdict"]), (&401.into(), &"fails".into()));
    let faults = finding["faults"].to_string();
    assert!(faults.contains("cache-control is public") && faults.contains("the body: "), "{faults}");
}

#[tokio::test]
async fn too_many_requests_are_asked_again_after_a_second_and_it_says_so() {
    let limited = || answer(429, "retry-after: 0\r\n", r#"{"message":"x"}"#);
    let unknown = || answer(404, "", r#"{"message":"x"}"#);
    let server = scripted([unknown(), limited(), limited(), unknown()]).await;
    let begin = Instant::now();
    let ended = run(&server, &["check", "--json"]).await;
    assert!(begin.elapsed() >= Duration::from_secs(2), "{ended:?}");
    assert!(findings(&ended.stdout).iter().all(|finding| finding["answered"] == 404), "{ended:?}");
    assert!(ended.stderr.starts_with(&"HTTP 429: too many requests, next one in 1s\n".repeat(2)), "{ended:?}");
}

#[tokio::test]
async fn nobody_there_ends_it_at_once() {
    let server = FaultS3::start().await;
    let ended = end(jobs(&server.url().replace("127.0.0.1", "127.0.0.2"), &["check"])).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (6, ""), "{ended:?}");
}

#[test]
fn the_places_to_read_on_are_there() {
    let source = include_str!("../../src/check/finding.rs");
    let places: Vec<_> = source.split('"').filter(|text| text.contains(".md#")).collect();
    assert!(places.len() > 5, "{places:?}");
    for place in places {
        let (page, anchor) = place.split_once('#').unwrap();
        let text = fs::read_to_string(format!("{}/../../{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
        assert!(headings.any(|heading| heading.to_lowercase().replace(' ', "-") == anchor), "{place}");
    }
}
