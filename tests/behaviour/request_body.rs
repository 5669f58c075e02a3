//! What a caller may send with POST, and how it is told what is wrong with it.

use local::samples::{DONE, UNKNOWN};
use serde_json::{Value, json};

use crate::harness::{Environment, Request};

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
