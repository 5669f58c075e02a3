//! Status files: as workers write them, and as they should not.

use local::samples::UNKNOWN;
use serde_json::{Value, json};

use crate::harness::{Environment, failure};

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
async fn content_that_is_not_one_json_object_is_a_500_that_says_so() {
    let environment = Environment::start().await;
    let not_utf_8 = b"{\"job_status\":\"d\xf6ne\"}";
    assert_eq!(environment.poll_file(not_utf_8).await.to_string(), failure("the status file is not UTF-8"));
    for (content, message) in [
        ("", "the status file is empty"),
        (" \n", "the status file is empty"),
        ("\u{feff}", "the status file is empty"),
        (r#"{"job_status":"do"#, "the status file is not a JSON object"),
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
        assert_eq!(environment.poll_file(content).await.to_string(), failure(message), "{content}");
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
