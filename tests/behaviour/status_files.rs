//! Status files as workers write them, and as they should not.

use std::time::Duration;

use local::samples::UNKNOWN;
use serde_json::{Value, json};

use crate::{
    ask::{Ask, assert_reply},
    fault_s3::{Act, FaultS3, object, promising},
    world::{Plan, World},
};

#[tokio::test]
async fn content_is_passed_on_byte_for_byte() {
    let world = World::new().await;
    for content in [
        r#"{"n":140368864456064.000,"big":123456789012345678901234567890,"e":-1E+02,"zero":-0.0}"#,
        r#"{"z":1,"a":2,"z":3}"#,
        r#"{"text":"\u00e9\/\ud83d\ude00 é 😀 \ud800"}"#,
        r#"{"lone \udc00 surrogate":1,"job_status":"done"}"#,
        "\r\n\t{ \"job_status\" :\n\"done\" }\n\n",
        "{}",
        r#"{"":null}"#,
    ] {
        assert_eq!(world.poll_file(content).await.status_file(), content);
    }
}

/// The shapes that a no-code-architects-toolkit installation writes, with its indentation.
#[tokio::test]
async fn the_files_of_a_toolkit_installation_are_passed_on_as_they_are() {
    let world = World::new().await;
    let schema = serde_json::from_str(include_str!("../../status.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let result = |code: u16, response: Value, message: Value| {
        json!({
            "endpoint": "/v1/media/transcribe", "code": code, "id": "transcribe_job_123", "job_id": UNKNOWN,
            "response": response, "message": message, "pid": 123_456, "queue_id": 140_368_864_456_064_u64,
            "run_time": 5.234, "queue_time": 1.123, "total_time": 6.357, "queue_length": 0, "build_number": 209,
        })
    };
    let transcript = json!({ "text": "caf\u{e9}", "segments": null });
    for (state, response, again) in [
        ("queued", Value::Null, true),
        ("running", Value::Null, true),
        ("submitted", Value::Null, true),
        ("done", result(200, transcript, json!("success")), false),
        ("done", result(500, Value::Null, json!("No audio stream")), false),
        ("failed", result(500, Value::Null, json!("Out of memory")), false),
    ] {
        let file = json!({
            "job_status": state, "job_id": UNKNOWN, "queue_id": 140_368_864_456_064_u64, "process_id": 123_456,
            "response": response,
        });
        assert!(schema.is_valid(&file), "{file}");
        let content = serde_json::to_string_pretty(&file).unwrap();
        assert!(content.starts_with("{\n  \""), "indented by two spaces: {content}");
        let reply = world.poll_file(&content).await;
        assert_eq!(reply.status_file(), content);
        assert_eq!(reply.header("retry-after").is_some(), again, "{content}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_left_out() {
    let world = World::new().await;
    let reply = world.poll_file("\u{feff}{\"job_status\":\"done\"}").await;
    assert_eq!(reply.status_file(), r#"{"job_status":"done"}"#);
}

#[tokio::test]
async fn only_a_known_unfinished_state_asks_for_another_poll() {
    let world = World::new().await;
    for (content, outcome, again) in [
        (r#"{"job_status":"queued"}"#, "queued", true),
        (r#"{"job_status":"runn\u0069ng"}"#, "running", true),
        (r#"{"job_status":"done","job_status":"submitted"}"#, "submitted", true),
        (r#"{"job_status":"queued","job_status":"done"}"#, "done", false),
        (r#"{"job\u005fstatus":"queued"}"#, "queued", true),
        (r#"{"response":{"job_status":"queued"}}"#, "other", false),
        (r#"{"job_status":"Queued"}"#, "other", false),
        (r#"{"job_status":"\ud800"}"#, "other", false),
        (r#"{"job_status":["queued"]}"#, "other", false),
        (r#"{"job_status":null}"#, "other", false),
        ("{}", "other", false),
    ] {
        let reply = world.poll_file(content).await;
        assert_eq!(reply.status_file(), content);
        assert_eq!(reply.header("retry-after").is_some(), again, "{content}");
        assert_eq!(world.logs.request()["outcome"], outcome, "{content}");
    }
}

#[tokio::test]
async fn content_that_is_not_one_json_object_is_a_500_that_says_so() {
    let world = World::new().await;
    assert_reply!(world.poll_file("").await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status file is empty","code":500}
    "#);
    assert_reply!(world.poll_file(r#"{"job_status":"do"#).await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status file is not a JSON object","code":500}
    "#);
    assert_reply!(world.poll_file(b"{\"job_status\":\"d\xf6ne\"}").await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status file is not UTF-8","code":500}
    "#);
    for (content, message) in [
        (" \n", "the status file is empty"),
        ("\u{feff}", "the status file is empty"),
        ("done", "the status file is not a JSON object"),
        ("null", "the status file is not a JSON object"),
        (r#"[{"job_status":"done"}]"#, "the status file is not a JSON object"),
        (r#"{"job_status":"done"}{}"#, "the status file is not a JSON object"),
        (r#"{"job_status":"done"},"#, "the status file is not a JSON object"),
        (r#"{"job_status":"done",}"#, "the status file is not a JSON object"),
        (r#"{"job_status":'done'}"#, "the status file is not a JSON object"),
        (r#"{"job_status":NaN}"#, "the status file is not a JSON object"),
        (r#"{"n":01}"#, "the status file is not a JSON object"),
        ("{\"in\na name\":1}", "the status file is not a JSON object"),
        ("{\"text\":\"line\nbreak\"}", "the status file is not a JSON object"),
        (r#"{"text":"\x41"}"#, "the status file is not a JSON object"),
        (r#"{"text":"\u00"}"#, "the status file is not a JSON object"),
    ] {
        let reply = world.poll_file(content).await;
        let body = format!(r#"{{"error":"Failed to retrieve job status: {message}","code":500}}"#);
        assert_eq!((reply.status, reply.body), (500, body), "{content}");
        let line = world.logs.request();
        assert_eq!((&line["outcome"], &line["kind"]), (&"failed".into(), &"malformed_status_file".into()), "{line}");
    }
}

#[tokio::test]
async fn nesting_of_any_depth_is_passed_on() {
    let world = World::new().await;
    for (open, close) in [("[", "]"), (r#"{"x":"#, "}")] {
        let content = format!(r#"{{"response":{}1{},"job_status":"done"}}"#, open.repeat(10_000), close.repeat(10_000));
        assert_eq!(world.poll_file(&content).await.status_file(), content);
        let in_status = content.replace("response", "job_status");
        assert_eq!(world.poll_file(&in_status).await.status_file(), in_status);
        assert_eq!(world.poll_file(&content[..15_000]).await.status, 500, "cut off");
    }
}

#[tokio::test]
async fn a_huge_file_is_refused_before_it_is_downloaded() {
    let s3 = FaultS3::start().await;
    let world = Plan::at(s3.url()).start().await;
    // Were it to wait for the body, it would wait for ever.
    s3.then([Act::Hang(promising(50_000_000, "", b"{"))]);
    s3.seen();
    assert_reply!(world.poll(UNKNOWN).await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status is too large","code":500}
    "#);
    assert_eq!(s3.seen().len(), 1, "not tried again");
    let line = world.logs.request();
    assert_eq!(line["error"], "too_large: the object has at least 50000000 bytes, 33554432 are read");
}

#[tokio::test]
async fn a_body_that_outgrows_its_promise_is_cut_off() {
    let s3 = FaultS3::start().await;
    let world = Plan::at(s3.url()).start().await;
    let mut longer = object(r#"{"job_status":"done"}"#);
    longer.extend_from_slice(b"and more than was announced");
    s3.then([Act::Answer(longer), Act::Answer(object(r#"{"job_status":"queued"}"#))]);
    assert_eq!(world.poll(UNKNOWN).await.status_file(), r#"{"job_status":"done"}"#);
    assert_eq!(
        world.poll(UNKNOWN).await.status_file(),
        r#"{"job_status":"queued"}"#,
        "what was too much is not the next answer"
    );

    // Without an announced length the limit itself cuts it off.
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(33));
    s3.then([Act::Hang(endless.into_bytes())]);
    assert_eq!(
        world.poll(UNKNOWN).await.body,
        r#"{"error":"Failed to retrieve job status: the status is too large","code":500}"#
    );
}

#[tokio::test]
async fn a_status_too_large_to_be_sent_as_it_is_can_be_had_compressed() {
    let world = World::new().await;
    // 4 MB, and every other character has to be escaped inside Lambda's answer.
    let quotes = format!(r#"{{"job_status":"done","text":"{}"}}"#, r#"\""#.repeat(2_000_000));
    let plain = world.poll_file(&quotes).await;
    assert_reply!(plain, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status is too large to be sent uncompressed: send accept-encoding: gzip","code":500}
    "#);
    let line = world.logs.request();
    assert_eq!(line["kind"], "response_too_large");
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("the response takes 8000") && error.contains("of the 6291556"), "{error}");
    let compressed = world.send(Ask::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(compressed.status_file(), quotes);
}

#[tokio::test]
async fn the_limit_is_on_the_encoded_answer_of_the_front_door() {
    let world = World::new().await;
    let file = |length: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
    let ask = Ask::job(UNKNOWN);
    let path = format!("{UNKNOWN}.json");
    let mut sizes = Vec::new();
    for (event, limit) in [(ask.http_api(), 6_291_556), (ask.rest_api(), 6_291_556), (ask.load_balancer(), 1_048_576)] {
        for (spare, status) in [(2048 + 400, 200), (2048, 500)] {
            world.put("jobs", &path, file(limit - spare));
            let answer = world.invoke(&event, &ask).await;
            assert_eq!(answer["statusCode"], status);
            sizes.push(limit - answer.to_string().len().min(limit));
        }
    }
    assert!(sizes.iter().all(|spare| *spare > 0), "every answer is within its limit: {sizes:?}");
}

#[tokio::test]
async fn what_fits_neither_way_is_refused() {
    let world = World::new().await;
    let noise: String = std::iter::repeat_with(|| char::from(fastrand::u8(b'0'..=b'z')).to_string().replace('\\', "_"))
        .take(12_000_000)
        .collect();
    let content = format!(r#"{{"text":"{noise}"}}"#);
    let plain = world.poll_file(&content).await;
    let compressed = world.send(Ask::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    for reply in [plain, compressed] {
        assert_eq!(reply.body, r#"{"error":"Failed to retrieve job status: the status is too large","code":500}"#);
    }
}

#[tokio::test]
async fn the_largest_file_is_accepted() {
    let world = World::new().await;
    let segment = r#"{"start":1.5,"text":"and so on, \"quoted\""},"#;
    let content =
        format!(r#"{{"segments":[{}0],"job_status":"done"}}"#, segment.repeat(32 * 1024 * 1024 / segment.len() - 2));
    world.put("jobs", &format!("{UNKNOWN}.json"), &content);
    let ask = Ask::job(UNKNOWN).header("accept-encoding", "gzip").time_left(Duration::from_secs(10));
    assert_eq!(world.send(ask).await.status_file().len(), content.len());
}
