//! The contract with callers.

use std::time::Duration;

use job_status::{Gateway, gateway};
use local::samples::{DONE, FAILED, LARGE, QUEUED, RUNNING, SUBMITTED, UNKNOWN};
use serde_json::{Value, json};
use testbed::keyring::{self, entry, sha256};

use crate::harness::{Deployment, Environment, GATEWAYS, REQUEST_ID, Request, Response, assert_response};

#[tokio::test]
async fn a_finished_job_is_answered_with_its_status_file_in_the_envelope() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(DONE).await, @r#"
    200
    etag: W/"2e6202b4bd4953c49ebf407ff2ddf166"
    last-modified: Mon, 23 Nov 2026 11:59:00 GMT

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

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"22222222-2222-4222-8222-222222222222","response":{"job_status":"running","job_id":"22222222-2222-4222-8222-222222222222","queue_id":140368864456064,"process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
    assert_response!(environment.poll(QUEUED).await, @r#"
    200
    etag: W/"1c866e8927c52508b6a7be3375d44fb5"
    last-modified: Mon, 23 Nov 2026 12:00:00 GMT
    retry-after: 1

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"11111111-1111-4111-8111-111111111111","response":{"job_status":"queued","job_id":"11111111-1111-4111-8111-111111111111","queue_id":140368864456064,"process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
    assert_response!(environment.poll(SUBMITTED).await, @r#"
    200
    etag: W/"abdd8c661e52313ddada5fd1e9cd87dc"
    last-modified: Mon, 23 Nov 2026 11:50:00 GMT
    retry-after: [spread]

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"44444444-4444-4444-8444-444444444444","response":{"job_status":"submitted","job_id":"44444444-4444-4444-8444-444444444444","queue_id":"cloud-run","process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
}

#[tokio::test]
async fn a_failed_job_is_a_successful_poll_without_retry_after() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(FAILED).await, @r#"
    200
    etag: W/"b35b9599b2b8a989e9958631b73fa24d"
    last-modified: Mon, 23 Nov 2026 11:59:00 GMT

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"33333333-3333-4333-8333-333333333333","response":{"job_status":"failed","job_id":"33333333-3333-4333-8333-333333333333","queue_id":140368864456064,"process_id":123456,"response":{"endpoint":"/v1/media/convert","code":500,"id":"convert_job_7","job_id":"33333333-3333-4333-8333-333333333333","response":null,"message":"The input has no audio stream.","pid":123456,"queue_id":140368864456064,"run_time":0.412,"queue_time":0.02,"total_time":0.432,"queue_length":0,"build_number":"1.0.0"}},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
}

#[tokio::test]
async fn an_unknown_job_is_not_found() {
    let environment = Environment::start().await;
    assert_response!(environment.poll(UNKNOWN).await, @r#"
    404

    {"error":"Job not found","job_id":"00000000-0000-4000-8000-000000000000"}
    "#);
}

#[tokio::test]
async fn both_routes_give_the_same_answer() {
    let environment = Environment::start().await;
    let toolkit = environment.send(Request::job(FAILED)).await;
    let paid = environment.send(Request::job(FAILED).path("/paid/get/job/status")).await;
    assert_eq!(paid.status_file(), toolkit.status_file());
    assert_response!(paid, @r#"
    200
    etag: W/"b35b9599b2b8a989e9958631b73fa24d"
    last-modified: Mon, 23 Nov 2026 11:59:00 GMT

    {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"33333333-3333-4333-8333-333333333333","response":{"job_status":"failed","job_id":"33333333-3333-4333-8333-333333333333","queue_id":140368864456064,"process_id":123456,"response":{"endpoint":"/v1/media/convert","code":500,"id":"convert_job_7","job_id":"33333333-3333-4333-8333-333333333333","response":null,"message":"The input has no audio stream.","pid":123456,"queue_id":140368864456064,"run_time":0.412,"queue_time":0.02,"total_time":0.432,"queue_length":0,"build_number":"1.0.0"}},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
    "#);
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
        let start = format!(
            r#"{{"endpoint":"/v1/toolkit/job/status","code":200,"id":{echoed},"job_id":"{DONE}","response":{{"#
        );
        assert!(response.body.starts_with(&start), "{response}");
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
    let file =
        std::fs::File::options().write(true).open(environment.object("jobs", &format!("{UNKNOWN}.json"))).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000)).unwrap();
    assert_eq!(environment.poll(UNKNOWN).await.header("retry-after"), Some("1"));
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
async fn a_missing_an_empty_and_a_wrong_key_get_the_same_bytes() {
    let environment = Environment::start().await;
    let missing = environment.send(Request::job(DONE).no_key()).await.to_string();
    assert!(missing.starts_with("401\n"), "{missing}");
    for key in ["", " ", "wrong", "DEMO-KEY", "demo-key ", "demo-key, demo-key", "\u{e9}\u{20ac}"] {
        assert_eq!(environment.send(Request::job(DONE).key(key)).await.to_string(), missing, "{key:?}");
    }
}

#[tokio::test]
async fn an_empty_key_is_refused_even_if_its_digest_is_configured() {
    let keys = keyring::document(&[entry("nobody", "")]);
    let environment = Deployment::with_samples().await.set("API_KEYS", keys).start().await;
    assert_eq!(environment.send(Request::job(DONE).key("")).await.status, 401);
    assert_eq!(environment.send(Request::job(DONE).no_key()).await.status, 401);
}

#[tokio::test]
async fn a_bad_body_gets_a_message_that_says_what_is_wrong() {
    let environment = Environment::start().await;
    let error = async |request: Request| {
        let response = environment.send(request).await;
        assert_eq!(response.status, 400, "{response}");
        let body: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body, json!({ "error": body["error"], "code": 400 }));
        body["error"].as_str().unwrap().to_owned()
    };
    let mut answers = String::new();
    for body in [
        "",
        " ",
        "job_id",
        "{\"job_id\":",
        "{\"job_id\":\"\u{1}\"}",
        "{'job_id':1}",
        "null",
        "[]",
        "\"x\"",
        "17",
        "{} {}",
        "{}x",
        "{}",
        r#"{"Job_id":"x"}"#,
        r#"{"job_id":null}"#,
        r#"{"job_id":42}"#,
        r#"{"job_id":["x"]}"#,
        r#"{"job_id":{"a":1}}"#,
        r#"{"job_id":"\ud800"}"#,
        r#"{"job_id":""}"#,
        r#"{"job_id":"../../etc/passwd"}"#,
        r#"{"job_id":"e6d7f3c09c9f4b8ab7c3f0e3c9f6b9d7"}"#,
        r#"{"job_id":"{e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7}"}"#,
        r#"{"job_id":"urn:uuid:e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}"#,
        r#"{"job_id":" e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}"#,
        r#"{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9dg"}"#,
        r#"{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}"#,
        r#"{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","id":[7]}"#,
        r#"{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","id":"a","id":"a"}"#,
        "\u{feff}{\"job_id\":\"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7\"}",
    ] {
        answers += &format!("{}\n    {}\n", body.replace(['\u{1}', '\u{feff}'], "?"), error(Request::body(body)).await);
    }
    answers += &format!("(no body at all)\n    {}\n", error(Request::body("").no_body()).await);
    answers += &format!("(not UTF-8)\n    {}\n", error(Request::bytes(b"{\"job_id\":\"\xff\"}")).await);
    answers += &format!("(not base64)\n    {}\n", error(Request::body("{\"job_id\":\"$\"}").base64()).await);
    insta::assert_snapshot!(answers, @r#"

        The request body is empty: send a JSON object such as {"job_id":"<uuid>"}
     
        The request body is not valid JSON (line 1, column 1): send an object such as {"job_id":"<uuid>"}
    job_id
        The request body is not valid JSON (line 1, column 1): send an object such as {"job_id":"<uuid>"}
    {"job_id":
        The request body is not valid JSON (line 1, column 10): send an object such as {"job_id":"<uuid>"}
    {"job_id":"?"}
        The request body is not valid JSON (line 1, column 11): send an object such as {"job_id":"<uuid>"}
    {'job_id':1}
        The request body is not valid JSON (line 1, column 2): send an object such as {"job_id":"<uuid>"}
    null
        The request body is not a JSON object: send one such as {"job_id":"<uuid>"}
    []
        The request body is not a JSON object: send one such as {"job_id":"<uuid>"}
    "x"
        The request body is not a JSON object: send one such as {"job_id":"<uuid>"}
    17
        The request body is not a JSON object: send one such as {"job_id":"<uuid>"}
    {} {}
        The request body has trailing data after the JSON object (line 1, column 4): send one object alone
    {}x
        The request body has trailing data after the JSON object (line 1, column 3): send one object alone
    {}
        job_id is missing: send the UUID of a job
    {"Job_id":"x"}
        job_id is missing: send the UUID of a job
    {"job_id":null}
        job_id is not a string: send the UUID of a job as a string
    {"job_id":42}
        job_id is not a string: send the UUID of a job as a string
    {"job_id":["x"]}
        job_id is not a string: send the UUID of a job as a string
    {"job_id":{"a":1}}
        job_id is not a string: send the UUID of a job as a string
    {"job_id":"\ud800"}
        job_id is not a string: send the UUID of a job as a string
    {"job_id":""}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"../../etc/passwd"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"e6d7f3c09c9f4b8ab7c3f0e3c9f6b9d7"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"{e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7}"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"urn:uuid:e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":" e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9dg"}
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    {"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}
        job_id is given more than once: send it once
    {"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","id":[7]}
        id is not a string or a number: send one of these, null, or nothing
    {"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","id":"a","id":"a"}
        id is given more than once: send it once or not at all
    ?{"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"}
        The request body is not valid JSON (line 1, column 1): send an object such as {"job_id":"<uuid>"}
    (no body at all)
        The request body is empty: send a JSON object such as {"job_id":"<uuid>"}
    (not UTF-8)
        The request body is not UTF-8: send JSON in UTF-8
    (not base64)
        job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    "#);
}

#[tokio::test]
async fn other_members_white_space_and_escapes_in_the_body_are_fine() {
    let environment = Environment::start().await;
    let escaped = DONE.replace('e', "\\u0065");
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    for body in [
        format!(" \r\n\t{{ \"job_id\" : \"{DONE}\" }} \n"),
        format!(r#"{{"webhook_url":"x","options":{{"job_id":3}},"job_id":"{DONE}","n":1e999}}"#),
        format!(r#"{{"job\u005fid":"{escaped}"}}"#),
        format!(r#"{{"x":{deep},"job_id":"{DONE}"}}"#),
    ] {
        assert_eq!(environment.send(Request::body(&body)).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn a_body_of_16_kib_is_accepted_and_one_byte_more_is_not() {
    let environment = Environment::start().await;
    let body = |length: usize| {
        let body = format!(r#"{{"job_id":"{DONE}","x":""}}"#);
        body.replace(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(length - body.len())))
    };
    assert_eq!(environment.send(Request::body(body(16 * 1024))).await.status, 200);
    assert_eq!(environment.send(Request::body(body(16 * 1024 + 1))).await.status, 413);
    assert_eq!(
        environment.send(Request::bytes(body(16 * 1024).as_bytes())).await.status,
        200,
        "the limit is on the decoded body"
    );
}

#[tokio::test]
async fn a_request_with_several_faults_is_told_the_first_in_the_documented_order() {
    let environment = Environment::start().await;
    let all_wrong = Request::body("x".repeat(20_000)).method("PUT").no_key().path("/nowhere");
    assert_eq!(environment.send(all_wrong.clone()).await.status, 404);
    assert_eq!(environment.send(all_wrong.clone().path("/paid/get/job/status")).await.status, 405);
    let rest = Request::body("x".repeat(20_000));
    assert_eq!(environment.send(rest.clone().no_key()).await.status, 401);
    assert_eq!(environment.send(rest).await.status, 413);
    assert_eq!(environment.send(Request::body("x")).await.status, 400);
    assert_eq!(environment.poll(UNKNOWN).await.status, 404);
}

#[test]
fn every_front_door_is_tested_through_its_gateway() {
    let gateways = GATEWAYS.each_ref().map(|gateway| (gateway.name, gateway.max_answer));
    assert_eq!(gateways, Gateway::ALL.map(|gateway| (gateway.name(), gateway.max_payload())));
}

#[tokio::test]
async fn every_front_door_gets_the_answer_in_its_own_shape() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        let answer = environment.invoke(&Request::job(UNKNOWN).through(gateway)).await;
        match gateway.name {
            "API Gateway HTTP API or function URL" => insta::assert_json_snapshot!(answer, @r#"
                {
                  "body": "{\"error\":\"Job not found\",\"job_id\":\"00000000-0000-4000-8000-000000000000\"}",
                  "cookies": [],
                  "headers": {
                    "cache-control": "no-store",
                    "content-type": "application/json",
                    "x-content-type-options": "nosniff",
                    "x-request-id": "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f"
                  },
                  "isBase64Encoded": false,
                  "multiValueHeaders": {},
                  "statusCode": 404
                }
                "#),
            "API Gateway REST API" => insta::assert_json_snapshot!(answer, @r#"
                {
                  "body": "{\"error\":\"Job not found\",\"job_id\":\"00000000-0000-4000-8000-000000000000\"}",
                  "headers": {
                    "cache-control": "no-store",
                    "content-type": "application/json",
                    "x-content-type-options": "nosniff",
                    "x-request-id": "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f"
                  },
                  "isBase64Encoded": false,
                  "multiValueHeaders": {},
                  "statusCode": 404
                }
                "#),
            "Application Load Balancer" => insta::assert_json_snapshot!(answer, @r#"
                {
                  "body": "{\"error\":\"Job not found\",\"job_id\":\"00000000-0000-4000-8000-000000000000\"}",
                  "headers": {
                    "cache-control": "no-store",
                    "content-type": "application/json",
                    "x-content-type-options": "nosniff",
                    "x-request-id": "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f"
                  },
                  "isBase64Encoded": false,
                  "multiValueHeaders": {
                    "cache-control": [
                      "no-store"
                    ],
                    "content-type": [
                      "application/json"
                    ],
                    "x-content-type-options": [
                      "nosniff"
                    ],
                    "x-request-id": [
                      "8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f"
                    ]
                  },
                  "statusCode": 404,
                  "statusDescription": "404 Not Found"
                }
                "#),
            name => panic!("the answer's shape has no snapshot for {name}: {answer}"),
        }
    }
}

#[tokio::test]
async fn every_front_door_gets_the_same_response() {
    let environment = Environment::start().await;
    for request in [
        Request::job(RUNNING),
        Request::job(UNKNOWN),
        Request::job(DONE).no_key(),
        Request::job(DONE).method("PUT"),
        Request::job(DONE).path("/"),
        Request::bytes(b"{}"),
        Request::body("").no_body(),
        Request::get(format!("job_id={RUNNING}&id=%C3%A9%20a%2Bb+%26%3D%25%2541")),
        Request::get(format!("id=a&job_id={DONE}&id=a")),
        Request::get(""),
    ] {
        let through = async |gateway| {
            fastrand::seed(1); // or `retry-after` is spread differently
            let response = environment.send(request.clone().through(gateway)).await;
            // The end of an envelope has the times, which differ.
            let body = response.body.split(r#","message":"success","pid":"#).next().unwrap().to_owned();
            (response.status, response.headers, body)
        };
        let first = through(&GATEWAYS[0]).await;
        for gateway in &GATEWAYS[1..] {
            assert_eq!(through(gateway).await, first, "{}", gateway.name);
        }
    }
}

#[tokio::test]
async fn a_route_may_have_whole_segments_in_front() {
    let environment = Environment::start().await;
    for (path, status) in [
        ("/paid/get/job/status", 200),
        ("/v1/toolkit/job/status", 200),
        ("/prod/paid/get/job/status", 200),
        ("/api/v1/toolkit/job/status", 200),
        ("/api/v2/prod/paid/get/job/status", 200),
        ("/v1/toolkit/job/status/", 200),
        ("/v1/toolkit/job/status//", 404),
        ("/unpaid/get/job/status", 404),
        ("/xv1/toolkit/job/status", 404),
        ("/paid/get/job/status/x", 404),
        ("/paid/get/job", 404),
        ("/PAID/get/job/status", 404),
        ("paid/get/job/status", 404),
        ("/paid%2Fget/job/status", 404),
        ("/v1/toolkit/job/%73tatus", 404),
        ("/", 404),
        ("", 404),
        ("/caf\u{e9} and \u{0}", 404),
    ] {
        for gateway in &GATEWAYS {
            let response = environment.send(Request::job(DONE).path(path).through(gateway)).await;
            assert_eq!(response.status, status, "{path:?} through {}", gateway.name);
        }
    }
}

#[tokio::test]
async fn no_method_but_get_and_post_is_served() {
    let environment = Environment::start().await;
    for method in ["get", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "PROPFIND", "not a method", ""] {
        for gateway in &GATEWAYS {
            let response = environment.send(Request::job(DONE).method(method).through(gateway)).await;
            let found = (response.status, response.header("allow"));
            assert_eq!(found, (405, Some("GET, POST")), "{method:?} through {}", gateway.name);
        }
    }
}

#[tokio::test]
async fn a_base64_body_is_decoded() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        let request = Request::bytes(json!({ "job_id": DONE }).to_string().as_bytes());
        assert_eq!(environment.send(request.through(gateway)).await.status, 200, "{}", gateway.name);
    }
}

#[tokio::test]
async fn other_headers_may_have_any_name_and_value() {
    let environment = Environment::start().await;
    let request = Request::job(DONE)
        .header("host", "not a host:99999999")
        .header("x-forwarded-proto", "\u{0}")
        .header("cloudfront-viewer-city", "S\u{e3}o Paulo")
        .header("", "")
        .header("\u{1f600}", "\n");
    for gateway in &GATEWAYS {
        assert_eq!(environment.send(request.clone().through(gateway)).await.status, 200, "{}", gateway.name);
    }
}

#[tokio::test]
async fn header_names_are_read_in_any_case() {
    let environment = Environment::start().await;
    let request = Request::job(DONE).no_key().header("X-API-Key", "demo-key");
    for gateway in &GATEWAYS {
        assert_eq!(environment.send(request.clone().through(gateway)).await.status, 200, "{}", gateway.name);
    }
}

#[tokio::test]
async fn null_is_absent_and_the_fuller_map_of_headers_counts() {
    let environment = Environment::start().await;
    let event = |gateway, members: &[(&str, Value)]| {
        let mut event = Request::job(DONE).no_key().through(gateway).event();
        for (name, value) in members {
            event[*name] = value.clone();
        }
        event
    };
    let key = || json!({ "x-api-key": "demo-key" });
    let keys = || json!({ "x-api-key": ["demo-key"] });
    let (one, many) = ("headers", "multiValueHeaders");
    for (members, status) in [
        (vec![(one, json!({ "x-api-key": null })), (many, json!(null))], 401),
        (vec![(one, json!({ "x-api-key": null })), (many, json!({ "x-api-key": null }))], 401),
        (vec![(one, json!(null)), (many, json!({ "x-api-key": [null] }))], 401),
        (vec![(one, json!({ "x-api-key": null })), (many, keys())], 200),
        (vec![(one, json!(null)), (many, keys())], 200),
        (vec![(one, json!({})), (many, keys())], 200),
        (vec![(one, key()), (many, json!({}))], 200),
        (vec![(one, key()), (many, json!(null))], 200),
        (vec![(one, key()), (many, json!({ "x-api-key": null }))], 200),
        (vec![(one, key()), (many, json!({ "x-api-key": [] }))], 200),
        (vec![(one, key()), (many, json!({ "accept": ["*/*"] }))], 200),
    ] {
        for gateway in &GATEWAYS[1..] {
            let answer = environment.hand_over(&event(gateway, &members), Duration::from_secs(10)).await;
            assert_eq!(answer["statusCode"], status, "{members:?} through {}", gateway.name);
        }
    }
    let nothing = event(&GATEWAYS[0], &[(one, json!({ "x-api-key": null, "accept-encoding": null }))]);
    assert_eq!(environment.hand_over(&nothing, Duration::from_secs(10)).await["statusCode"], 401);
}

#[test]
fn an_event_that_no_gateway_sends_is_no_request() {
    for event in [
        json!({}),
        json!([]),
        json!("ping"),
        json!({ "key1": "value1" }),
        json!({ "source": "aws.events" }),
        json!({ "requestContext": null, "headers": null }),
        json!({ "requestContext": { "http": {} }, "httpMethod": "POST" }),
        json!({ "httpMethod": 1 }),
    ] {
        assert!(gateway::read(&event.to_string()).is_none(), "{event}");
    }
}

#[tokio::test]
async fn a_prefix_is_put_in_front_of_the_jobs_keys() {
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", "state/of-");
    deployment.put("jobs", &format!("state/of-{UNKNOWN}.json"), r#"{"job_status":"done"}"#);
    let environment = deployment.start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), r#"{"job_status":"done"}"#);
    assert_eq!(environment.poll(DONE).await.status, 404);
}

#[tokio::test]
async fn a_prefix_may_have_characters_that_urls_escape() {
    let prefix = "jobs of söhne & co/(1) 50%+=?#*'!~$:@/";
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", prefix);
    deployment.put("jobs", &format!("{prefix}{UNKNOWN}.json"), r#"{"job_status":"done"}"#);
    let environment = deployment.start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), r#"{"job_status":"done"}"#);
}

#[tokio::test]
async fn large_envelopes_are_compressed_for_callers_who_accept_gzip() {
    let environment = Environment::start().await;
    let plain = environment.poll(LARGE).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    for (accept, coding) in [
        ("gzip", Some("gzip")),
        ("br, GZIP;q=0.5", Some("gzip")),
        ("*", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip; q=0.000, *", None),
        ("br, identity", None),
        ("", None),
    ] {
        let response = environment.send(Request::job(LARGE).header("accept-encoding", accept)).await;
        assert_eq!(response.header("content-encoding"), coding, "{accept}");
        assert_eq!(response.status_file(), plain.status_file(), "{accept}");
        assert_eq!(response.header("vary"), Some("accept-encoding"), "{accept}");
    }
    let small = environment.send(Request::job(DONE).header("accept-encoding", "gzip")).await;
    assert_eq!((small.header("content-encoding"), small.header("vary")), (None, None));
}

#[tokio::test]
async fn envelopes_are_compressed_only_for_gateways_that_pass_them_on() {
    let environment = Environment::start().await;
    let plain = environment.poll(LARGE).await;
    for gateway in &GATEWAYS {
        let request = Request::job(LARGE).header("accept-encoding", "gzip").through(gateway);
        let response = environment.send(request).await;
        let compressed = (response.header("content-encoding"), response.header("vary"));
        let expected = if gateway.passes_gzip { (Some("gzip"), Some("accept-encoding")) } else { (None, None) };
        assert_eq!(compressed, expected, "{}", gateway.name);
        assert_eq!(response.status_file(), plain.status_file(), "{}", gateway.name);
    }
}

#[tokio::test]
async fn each_request_logs_one_line_for_the_operator() {
    let environment = Environment::start().await;
    environment.poll(DONE).await;
    let line = environment.logs.request();
    for (member, value) in [
        ("level", json!("INFO")),
        ("message", json!("request")),
        ("request_id", json!(REQUEST_ID)),
        ("method", json!("POST")),
        ("route", json!("/v1/toolkit/job/status")),
        ("key", json!("demo")),
        ("job_id", json!(DONE)),
        ("outcome", json!("done")),
        ("status", json!(200)),
        ("bytes", json!(454)),
        ("s3_attempts", json!(1)),
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
        assert_eq!((&line["cold"], &line["level"]), (&json!(false), &json!("INFO")), "{line}");
        outcomes.push(format!("{} {}", line["outcome"].as_str().unwrap(), line["status"]));
    }
    assert_eq!(
        outcomes,
        [
            "running 200",
            "queued 200",
            "submitted 200",
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
