//! The compiled binary, started as Lambda starts it.

use std::{fs, net::Ipv4Addr, process, sync::Arc, time::SystemTime};

use futures_util::future::join_all;
use local::{s3, samples};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{
    fault_s3::{Act, FaultS3, object},
    keyring::{DEMO_KEY, sha256},
    lambda::Function,
    variables::{self, Variables},
};
use tokio::{process::Command, sync::Barrier};

use crate::harness::{BINARY, Request, Response, seed, send, start_binary};

/// The function in front of an S3 server with the sample jobs, and what is behind that server.
async fn start_with_samples(more: &[(&'static str, &str)]) -> (Function, TempDir) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("jobs")).unwrap();
    samples::write(&root.path().join("jobs"), SystemTime::now()).unwrap();
    let address = s3::start(root.path(), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let mut variables = variables::with_s3(&format!("http://{address}"));
    for (name, value) in [("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY)] {
        variables.insert(name, value.into());
    }
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    (start_binary(&variables).await, root)
}

/// The rows of the table in `events/README.md`: event, status, body.
fn documented() -> Vec<(String, u16, String)> {
    let readme = fs::read_to_string("events/README.md").unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| [`"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].split('`').nth(1).unwrap();
        (name.into(), cells[2].parse().unwrap(), cells[3].into())
    })
    .collect()
}

#[tokio::test]
async fn every_sample_event_gets_its_documented_answer() {
    let documented = documented();
    let mut files: Vec<_> = fs::read_dir("events")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name != "env")
        .collect();
    files.sort();
    let mut names: Vec<_> = documented.iter().map(|row| row.0.clone()).collect();
    names.sort();
    assert_eq!(files, names, "the table in events/README.md lists every event");

    let (function, _s3) = start_with_samples(&[]).await;
    for (name, status, body) in documented {
        let event = fs::read_to_string(format!("events/{name}.json")).unwrap();
        seed("event", event.as_bytes());
        let method = if event.contains(r#"ethod": "GET""#) { "GET" } else { "POST" };
        let answer = function.invoke(event).await;
        let response = Response::unpack(&answer.json(), method, &answer.request_id);
        assert_eq!(response.status, status, "{name}: {response}");
        if status == 200 {
            let file: Value = serde_json::from_str(response.status_file()).unwrap();
            let state = file["job_status"].as_str().unwrap();
            assert_eq!(body, format!("the envelope, `job_status` `{state}`"), "{name}: {response}");
        } else if status == 304 {
            assert_eq!((&*response.body, &*body), ("", "none"), "{name}");
        } else {
            assert_eq!(format!("`{}`", response.body), body, "{name}");
        }
    }
}

#[tokio::test]
async fn an_event_that_is_no_http_request_is_answered_without_an_error_and_logged_once() {
    let (function, _s3) = start_with_samples(&[]).await;
    let events = ["{}", "[]", "\"ping\"", r#"{"source":"serverless-plugin-warmup"}"#, r#"{"key1":"value1"}"#];
    for event in events {
        let answer = function.invoke(event).await.json();
        let message = "This event is no HTTP request: nothing was done. Requests come from: \
            API Gateway HTTP API or function URL, Application Load Balancer, API Gateway REST API";
        assert_eq!(answer, json!({ "message": message }), "{event}");
    }
    assert_eq!(send(&function, &Request::job(samples::DONE)).await.status, 200);
    let output = function.stop().await;
    let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = lines.iter().filter(|line| line["event"] == "no_request").map(|line| &line["level"]);
    assert_eq!(events.collect::<Vec<_>>(), ["INFO"; 5], "{output}");
    assert!(lines.iter().all(|line| line["level"] == "INFO"), "{output}");
    assert_eq!(lines.iter().filter(|line| !line["outcome"].is_null()).count(), 1, "{output}");
}

#[tokio::test]
async fn what_is_printed_is_json_lines_without_secrets() {
    let (function, _s3) = start_with_samples(&[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]).await;
    for request in
        [Request::job(samples::DONE), Request::job(samples::DONE).key("presented-secret"), Request::body("x")]
    {
        send(&function, &request).await;
    }
    let output = function.stop().await;
    let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> =
        lines.iter().filter(|line| line["message"] == "request").map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["done", "unauthorized", "bad_request"]);
    let traces = lines.iter().filter(|line| line["message"] == "request").map(|line| &line["xray_trace_id"]);
    assert!(traces.into_iter().all(|trace| trace == "1-5759e988-bd862e3fe1be46a994272793"), "{output}");
    let started = lines.iter().find(|line| line["event"] == "started").unwrap();
    assert_eq!((&started["trust_store"], &started["version"]), (&json!("amazon"), &json!(env!("CARGO_PKG_VERSION"))));
    for secret in [DEMO_KEY, &sha256(DEMO_KEY), "presented-secret", s3::SECRET_KEY, "Transcription completed"] {
        assert!(!output.contains(secret), "{secret} in {output}");
    }
}

#[tokio::test]
async fn settings_that_are_missing_or_malformed_fail_the_init_in_one_line() {
    let variables = Variables::from([
        ("JOBS_PREFIX", "/jobs/".into()),
        ("AWS_REGION", "eu-central-1".into()),
        ("API_KEYS", r#"{"keys":["demo-key"]}"#.into()),
        ("AWS_ENDPOINT_URL_S3", "localhost:9001".into()),
    ]);
    let (status, output) = start_binary(&variables).await.wait().await;
    assert_eq!(status.code(), Some(1));
    let line: Value = serde_json::from_str(&output).expect("one line of JSON");
    assert_eq!((&line["level"], &line["event"]), (&json!("ERROR"), &json!("stopped")));
    assert_eq!(
        line["error"],
        "cannot start: AWS_ENDPOINT_URL_S3 is not a URL such as http://localhost:9001; \
         JOBS_BUCKET is not set: expected the bucket of the status files; \
         JOBS_PREFIX is not a key prefix such as jobs/ (no slash in front, no double slash); \
         API_KEYS is not a valid keyring: keys[0] is not an object"
    );
}

#[tokio::test]
async fn a_bucket_that_cannot_be_read_is_a_warning_at_init_and_does_not_stop_it() {
    let function = start_binary(&variables::with_s3("http://127.0.0.1:1")).await;
    assert_eq!(send(&function, &Request::job("x")).await.status, 400);
    let output = function.stop().await;
    let probe = output.lines().find(|line| line.contains("probe_failed")).expect("a warning");
    assert!(probe.contains(r#""level":"WARN""#) && probe.contains("AWS_ENDPOINT_URL_S3"), "{probe}");
}

#[test]
fn outside_lambda_it_says_what_it_is_and_how_to_run_it() {
    let output = process::Command::new(BINARY).env_remove("AWS_LAMBDA_RUNTIME_API").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "job-status is an AWS Lambda function that answers job-status polls; to run it on this machine, use `cargo local` in its repository\n"
    );
}

#[tokio::test]
async fn where_lambda_sends_many_at_a_time_they_are_served_at_the_same_time() {
    let s3 = FaultS3::start().await;
    let mut variables = variables::with_s3(s3.url());
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", "8".into());
    let function = start_binary(&variables).await;
    function.initialized().await;
    // S3 answers none of the eight before it has all of them.
    s3.always(Act::Together(Arc::new(Barrier::new(8)), object(r#"{"job_status":"queued"}"#)));
    let request = Request::job(samples::DONE);
    for _ in 0..3 {
        for response in join_all((0..8).map(|_| send(&function, &request))).await {
            assert_eq!(response.status_file(), r#"{"job_status":"queued"}"#);
        }
    }
    assert_eq!(s3.connections(), 8, "every request has a connection, and they are kept");
}

/// Otherwise the test would wait for ever.
#[tokio::test]
async fn a_process_that_ends_instead_of_serving_fails_its_test_at_once() {
    let start = async || {
        let mut program = Command::new("sh");
        program.args(["-c", "echo on stdout; echo on stderr >&2; exit 3"]);
        Arc::new(Function::start(program, &Variables::new()).await)
    };
    let (function, uninitialized) = (start().await, start().await);
    let mut waiting = vec![tokio::spawn(async move { uninitialized.initialized().await })];
    for _ in 0..8 {
        let function = Arc::clone(&function);
        waiting.push(tokio::spawn(async move {
            function.invoke("{}").await;
        }));
    }
    for test in waiting {
        let panic = test.await.unwrap_err().into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("the function ended instead of serving (exit status: 3); "), "{message}");
        assert!(message.contains("on stdout\n") && message.contains("on stderr\n"), "{message}");
    }
}
