//! Status files: as workers write them, and as they should not.

use std::time::Duration;

use job_status::{
    Body, Gzip, encode,
    limits::{GZIP_FROM, PAYLOAD_OVERHEAD},
};
use local::samples::UNKNOWN;
use serde_json::{Value, json};
use testbed::{
    fault_s3::{Act, FaultS3, object, object_announced_as},
    status_file::noisy,
};

use crate::harness::{Deployment, Environment, GATEWAYS, Request, assert_response};

#[tokio::test]
async fn content_is_passed_on_byte_for_byte() {
    let environment = Environment::start().await;
    for content in [
        r#"{"n":140368864456064.000,"big":123456789012345678901234567890,"e":-1E+02,"zero":-0.0}"#,
        r#"{"z":1,"a":2,"z":3}"#,
        r#"{"text":"\u00e9\/\ud83d\ude00 é 😀 \ud800"}"#,
        r#"{"lone \udc00 surrogate":1,"job_status":"done"}"#,
        "\r\n\t{ \"job_status\" :\n\"done\" }\n\n",
        "{}",
        r#"{"":null}"#,
    ] {
        assert_eq!(environment.poll_file(content).await.status_file(), content);
    }
}

#[tokio::test]
async fn numbers_of_python_that_json_has_not_become_null_and_the_rest_stays_as_it_is() {
    let environment = Environment::start().await;
    for (content, answered, repaired) in [
        (
            r#"{"job_status":"done","response":{"segments":[{"avg_logprob":NaN}]}}"#,
            r#"{"job_status":"done","response":{"segments":[{"avg_logprob":null}]}}"#,
            1,
        ),
        (
            "{\"a\":[NaN,Infinity, -Infinity ,\n1.0e5],\"b\":-Infinity}",
            "{\"a\":[null,null, null ,\n1.0e5],\"b\":null}",
            4,
        ),
        (
            r#"{"text":"NaN, [NaN] \"NaN:Infinity\\","é":NaN,"NaN":"Büro","x":140368864456064.000}"#,
            r#"{"text":"NaN, [NaN] \"NaN:Infinity\\","é":null,"NaN":"Büro","x":140368864456064.000}"#,
            1,
        ),
        ("\u{feff}{\"x\" : NaN\t}", "{\"x\" : null\t}", 1),
    ] {
        assert_eq!(environment.poll_file(content).await.status_file(), answered);
        assert_eq!(environment.logs.request()["repaired"], json!(repaired), "{content}");
    }
    environment.poll_file("{}").await;
    assert_eq!(environment.logs.request()["repaired"], json!(null));
    for content in [
        r#"{"a":Nan}"#,
        r#"{"a":+Infinity}"#,
        "{NaN:1}",
        r#"{"a":1,NaN:1}"#,
        r#"{"a":-NaN}"#,
        r#"{"a":NaNs}"#,
        r#"{"a":1NaN}"#,
        r#"{"a":NaN NaN}"#,
        r#"{"a":--Infinity}"#,
        r#"{"a":nan}"#,
        r#"{"a":"NaN}"#,
        r#"{"a":NaN"#,
        r#"{"a":[NaN}"#,
        "NaN",
        "[NaN]",
    ] {
        let response = environment.poll_file(content).await;
        let body = r#"{"error":"Failed to retrieve job status: the status file is not a JSON object","code":500}"#;
        assert_eq!(response.body, body, "{content}");
    }
}

/// The shapes that a no-code-architects-toolkit installation writes, with its indentation.
#[tokio::test]
async fn the_files_of_a_toolkit_installation_are_passed_on_as_they_are() {
    let environment = Environment::start().await;
    let schema = serde_json::from_str(include_str!("../../schemas/status.schema.json")).unwrap();
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
        let response = environment.poll_file(&content).await;
        assert_eq!(response.status_file(), content);
        assert_eq!(response.header("retry-after").is_some(), again, "{content}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_left_out() {
    let environment = Environment::start().await;
    let response = environment.poll_file("\u{feff}{\"job_status\":\"done\"}").await;
    assert_eq!(response.status_file(), r#"{"job_status":"done"}"#);
}

#[tokio::test]
async fn only_a_known_unfinished_state_asks_for_another_poll() {
    let environment = Environment::start().await;
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
        let response = environment.poll_file(content).await;
        assert_eq!(response.status_file(), content);
        assert_eq!(response.header("retry-after").is_some(), again, "{content}");
        assert_eq!(environment.logs.request()["outcome"], outcome, "{content}");
    }
}

#[tokio::test]
async fn content_that_is_not_one_json_object_is_a_500_that_says_so() {
    let environment = Environment::start().await;
    assert_response!(environment.poll_file("").await, @r#"
    500

    {"error":"Failed to retrieve job status: the status file is empty","code":500}
    "#);
    assert_response!(environment.poll_file(r#"{"job_status":"do"#).await, @r#"
    500

    {"error":"Failed to retrieve job status: the status file is not a JSON object","code":500}
    "#);
    assert_response!(environment.poll_file(b"{\"job_status\":\"d\xf6ne\"}").await, @r#"
    500

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
        (r#"{"job_status":Nan}"#, "the status file is not a JSON object"),
        (r#"{"n":01}"#, "the status file is not a JSON object"),
        ("{\"in\na name\":1}", "the status file is not a JSON object"),
        ("{\"text\":\"line\nbreak\"}", "the status file is not a JSON object"),
        (r#"{"text":"\x41"}"#, "the status file is not a JSON object"),
        (r#"{"text":"\u00"}"#, "the status file is not a JSON object"),
    ] {
        let response = environment.poll_file(content).await;
        let body = format!(r#"{{"error":"Failed to retrieve job status: {message}","code":500}}"#);
        assert_eq!((response.status, response.body), (500, body), "{content}");
        let line = environment.logs.request();
        assert_eq!((&line["outcome"], &line["kind"]), (&"failed".into(), &"malformed_status_file".into()), "{line}");
    }
}

#[tokio::test]
async fn nesting_of_any_depth_is_passed_on() {
    let environment = Environment::start().await;
    for (open, close) in [("[", "]"), (r#"{"x":"#, "}")] {
        let content = format!(r#"{{"response":{}1{},"job_status":"done"}}"#, open.repeat(10_000), close.repeat(10_000));
        assert_eq!(environment.poll_file(&content).await.status_file(), content);
        let in_status = content.replace("response", "job_status");
        assert_eq!(environment.poll_file(&in_status).await.status_file(), in_status);
        assert_eq!(environment.poll_file(&content[..15_000]).await.status, 500, "cut off");
    }
}

#[tokio::test]
async fn a_huge_file_is_refused_before_it_is_downloaded() {
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).start().await;
    // If it waited for the body, it would wait for ever.
    s3.then([Act::Hang(object_announced_as(50_000_000, "", b"{"))]);
    s3.take_requests();
    let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_response!(response, @r#"
    500

    {"error":"Failed to retrieve job status: the status is too large","code":500}
    "#);
    assert_eq!(s3.take_requests().len(), 1, "not tried again");
    let line = environment.logs.request();
    assert_eq!(line["error"], "too_large: the object has at least 50000000 bytes, 33554432 are read");
}

#[tokio::test]
async fn a_file_that_cannot_fit_uncompressed_is_refused_before_it_is_downloaded() {
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).start().await;
    let compress = "the status is too large to be sent uncompressed: send accept-encoding: gzip";
    for (size, gateway, message) in [
        (7_000_000, &GATEWAYS[0], compress),
        (1_100_000, &GATEWAYS[1], compress),
        (7_000_000, &GATEWAYS[2], "the status is too large"),
        (50_000_000, &GATEWAYS[0], "the status is too large"),
    ] {
        // If it waited for the body, it would wait for ever.
        s3.then([Act::Hang(object_announced_as(size, "", b"{"))]);
        s3.take_requests();
        let response = environment.send(Request::job(UNKNOWN).through(gateway)).await;
        let body = format!(r#"{{"error":"Failed to retrieve job status: {message}","code":500}}"#);
        assert_eq!((response.status, response.body), (500, body), "{size} through {}", gateway.name);
        assert_eq!(s3.take_requests().len(), 1, "not tried again");
        let line = environment.logs.request();
        assert!(line["error"].as_str().unwrap().contains(&size.to_string()), "{line}");
    }
}

#[tokio::test]
async fn a_body_longer_than_announced_is_cut_off() {
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).start().await;
    let mut longer = object(r#"{"job_status":"done"}"#);
    longer.extend_from_slice(b"and more than was announced");
    s3.then([Act::Answer(longer), Act::Answer(object(r#"{"job_status":"queued"}"#))]);
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), r#"{"job_status":"done"}"#);
    assert_eq!(
        environment.poll(UNKNOWN).await.status_file(),
        r#"{"job_status":"queued"}"#,
        "the bytes beyond the announced length are not taken for the next answer"
    );

    // Without an announced length the limit itself cuts it off.
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(33));
    s3.then([Act::Hang(endless.into_bytes())]);
    assert_eq!(
        environment.poll(UNKNOWN).await.body,
        r#"{"error":"Failed to retrieve job status: the status is too large","code":500}"#
    );
}

#[tokio::test]
async fn a_status_too_large_to_be_sent_as_it_is_can_be_sent_compressed() {
    let environment = Environment::start().await;
    // 4 MB, and every other character has to be escaped inside Lambda's answer.
    let quotes = format!(r#"{{"job_status":"done","text":"{}"}}"#, r#"\""#.repeat(2_000_000));
    let plain = environment.poll_file(&quotes).await;
    assert_response!(plain, @r#"
    500

    {"error":"Failed to retrieve job status: the status is too large to be sent uncompressed: send accept-encoding: gzip","code":500}
    "#);
    let line = environment.logs.request();
    assert_eq!(line["kind"], "response_too_large");
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("the response takes 8000") && error.contains("of the 6291556"), "{error}");
    let compressed = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(compressed.status_file(), quotes);
}

#[tokio::test]
async fn the_limit_is_on_the_encoded_answer_of_each_front_door() {
    let environment = Environment::start().await;
    let file = |length: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
    let path = format!("{UNKNOWN}.json");
    let mut sizes = Vec::new();
    for gateway in &GATEWAYS {
        for (spare, status) in [(2048 + 400, 200), (2048, 500)] {
            environment.put("jobs", &path, file(gateway.max_answer - spare));
            let answer = environment.invoke(&Request::job(UNKNOWN).through(gateway)).await;
            assert_eq!(answer["statusCode"], status, "{}", gateway.name);
            sizes.push(gateway.max_answer - answer.to_string().len().min(gateway.max_answer));
        }
    }
    assert!(sizes.iter().all(|spare| *spare > 0), "every answer is within its limit: {sizes:?}");
}

/// Not through the front door: how well an envelope compresses depends on the times in it.
#[test]
fn a_compressed_body_fits_to_the_byte() {
    for size in GZIP_FROM..GZIP_FROM + 50 {
        let content = noisy(size, size / 2);
        let encoded = |limit| encode(&[str::from_utf8(&content).unwrap()], Gzip::Accepted, limit);
        let Body::Gzip(compressed) = encoded(usize::MAX).ok().unwrap().body else { panic!("{size}: not compressed") };
        let base64 = compressed.len().div_ceil(3) * 4;
        assert!(encoded(base64 + PAYLOAD_OVERHEAD).is_ok(), "{size}: {base64} bytes fit exactly");
        assert!(encoded(base64 + PAYLOAD_OVERHEAD - 1).is_err(), "{size}: {base64} bytes are one too many");
    }
}

#[tokio::test]
async fn a_status_that_is_too_large_even_compressed_is_refused() {
    let environment = Environment::start().await;
    let noise: String = std::iter::repeat_with(|| char::from(fastrand::u8(b'0'..=b'z')).to_string().replace('\\', "_"))
        .take(12_000_000)
        .collect();
    let content = format!(r#"{{"text":"{noise}"}}"#);
    environment.put("jobs", &format!("{UNKNOWN}.json"), content);
    let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(response.body, r#"{"error":"Failed to retrieve job status: the status is too large","code":500}"#);
}

#[tokio::test]
async fn the_largest_file_is_accepted() {
    let environment = Environment::start().await;
    let segment = r#"{"start":1.5,"text":"and so on, \"quoted\""},"#;
    let content =
        format!(r#"{{"segments":[{}0],"job_status":"done"}}"#, segment.repeat(32 * 1024 * 1024 / segment.len() - 2));
    environment.put("jobs", &format!("{UNKNOWN}.json"), &content);
    let request = Request::job(UNKNOWN).header("accept-encoding", "gzip").time_left(Duration::from_secs(10));
    assert_eq!(environment.send(request).await.status_file().len(), content.len());
}

#[tokio::test]
async fn an_envelope_of_8_kib_is_compressed_and_one_byte_less_is_not() {
    let environment = Environment::start().await;
    let file = |padding: usize| format!(r#"{{"padding":"{}"}}"#, "x".repeat(padding));
    let around = environment.poll_file(file(0)).await.body.len();
    for (size, coding) in [(8191, None), (8192, Some("gzip"))] {
        environment.put("jobs", &format!("{UNKNOWN}.json"), file(size - around));
        let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
        assert_eq!(response.body.len(), size);
        assert_eq!(response.header("content-encoding"), coding, "{size}");
        assert_eq!(response.header("vary"), coding.map(|_| "accept-encoding"), "{size}");
    }
}
