//! GET: the same question as POST asks, in the query string.

use std::time::Duration;

use local::samples::{DONE, RUNNING, UNKNOWN};
use serde_json::{Value, json};

use crate::{
    answers::assert_echoed,
    harness::{Environment, GATEWAYS, Gateway, REQUEST_ID, Request, Response, assert_response},
};

#[tokio::test]
async fn a_get_is_answered_as_a_post_is() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        for path in ["/v1/toolkit/job/status", "/paid/get/job/status"] {
            let request = Request::get(format!("job_id={RUNNING}&id=order+66")).path(path).through(gateway);
            assert_response!(environment.send(request).await, @r#"
            200
            etag: W/"2aaf557c60912f410394f5ff73a63ae4"
            last-modified: Mon, 23 Nov 2026 11:58:00 GMT
            retry-after: [spread]
            x-job-outcome: unfinished

            {"endpoint":"/v1/toolkit/job/status","code":200,"id":"order 66","job_id":"22222222-2222-4222-8222-222222222222","response":{"job_status":"running","job_id":"22222222-2222-4222-8222-222222222222","queue_id":140368864456064,"process_id":123456,"response":null},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
            "#);
        }
        assert_response!(environment.send(Request::get_job(UNKNOWN).through(gateway)).await, @r#"
        404

        {"error":"Job not found","job_id":"00000000-0000-4000-8000-000000000000"}
        "#);
    }
}

#[tokio::test]
async fn parameters_are_percent_decoded_and_others_are_ignored() {
    let environment = Environment::start().await;
    for (query, echoed) in [
        (format!("job_id={DONE}"), "null"),
        (format!("job_id={}", DONE.to_uppercase()), "null"),
        (format!("&&job_id={DONE}&"), "null"),
        (format!("job%5Fid={}", DONE.replace('-', "%2D")), "null"),
        (format!("job_id={DONE}&id="), r#""""#),
        (format!("job_id={DONE}&id"), r#""""#),
        (format!("job_id={DONE}&id=null"), r#""null""#),
        (format!("job_id={DONE}&id=a+b%20c%2Bd"), r#""a b c+d""#),
        (format!("id=%22%C3%A9%F0%9F%98%80%22%00&job_id={DONE}"), r#""\"é😀\"\u0000""#),
        (format!("job_id={DONE}&id=a%26b%3Dc%2525"), r#""a&b=c%25""#),
        (format!("job_id={DONE}&id=a=b"), r#""a=b""#),
        (format!("job_id={DONE}&Job_id=x&ID=y&x=%FF&%FF=x&x=1&x=2"), "null"),
        (format!("job_id={DONE}&x={}", "x".repeat(16 * 1024 - 46)), "null"),
    ] {
        let response = environment.send_through_each(&Request::get(query.as_str())).await;
        assert_echoed(&response, echoed, &query);
    }
}

#[tokio::test]
async fn a_bad_query_string_gets_a_message_that_says_what_is_wrong() {
    let environment = Environment::start().await;
    for (query, status, error) in [
        (String::new(), 400, "job_id is missing: send the UUID of a job"),
        ("id=x&JOB_ID=x".into(), 400, "job_id is missing: send the UUID of a job"),
        (format!("job_id={DONE}&job_id={DONE}"), 400, "job_id is given more than once: send it once"),
        (format!("job_id={DONE}&job%5fid={UNKNOWN}"), 400, "job_id is given more than once: send it once"),
        ("job_id=".into(), 400, "job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        (
            format!("job_id=+{DONE}"),
            400,
            "job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        ),
        (format!("job_id={DONE}&id=a&id=a"), 400, "id is given more than once: send it once or not at all"),
        (
            format!("job_id={DONE}&x={}", "x".repeat(16 * 1024 - 45)),
            413,
            "The query string is too large: at most 16384 bytes are accepted",
        ),
    ] {
        let body = format!(r#"{{"error":"{error}","code":{status}}}"#);
        let response = environment.send_through_each(&Request::get(query.as_str())).await;
        assert_eq!((response.status, response.body), (status, body), "{query}");
    }
}

#[tokio::test]
async fn what_is_not_utf_8_is_refused_where_the_gateway_lets_it_be_seen() {
    let environment = Environment::start().await;
    let queries = ["job_id=%FF".to_owned(), format!("job_id={DONE}&id=%C3%28")];
    for gateway in GATEWAYS.iter().filter(|gateway| gateway.keeps_query) {
        let [job_id, id] = queries.each_ref().map(|query| Request::get(query.as_str()).through(gateway));
        assert_response!(environment.send(job_id).await, @r#"
        400

        {"error":"job_id is not UTF-8: send the UUID of a job","code":400}
        "#);
        assert_response!(environment.send(id).await, @r#"
        400

        {"error":"id is not UTF-8: send percent-encoded UTF-8 or nothing","code":400}
        "#);
    }
}

#[tokio::test]
async fn a_request_with_several_faults_is_told_the_first_in_the_documented_order() {
    let environment = Environment::start().await;
    let all_wrong = Request::get("x".repeat(20_000)).no_key().path("/nowhere");
    assert_eq!(environment.send(all_wrong.clone()).await.status, 404);
    assert_eq!(environment.send(all_wrong.clone().path("/paid/get/job/status")).await.status, 401);
    assert_eq!(environment.send(Request::get("x".repeat(20_000))).await.status, 413);
    assert_eq!(environment.send(Request::get("x")).await.status, 400);
}

#[tokio::test]
async fn a_get_is_not_asked_for_its_body_nor_a_post_for_its_query_string() {
    let environment = Environment::start().await;
    let body = json!({ "job_id": UNKNOWN }).to_string();
    for request in [
        Request { body: body.into(), ..Request::get_job(DONE) },
        Request { body: "x".repeat(20_000).into(), ..Request::get_job(DONE) },
        Request { query: "job_id=x".into(), ..Request::job(DONE) },
    ] {
        assert_eq!(environment.send_through_each(&request).await.status, 200, "{}", request.event());
    }
}

#[tokio::test]
async fn the_fuller_map_of_parameters_counts_and_null_is_none() {
    let environment = Environment::start().await;
    let status = async |gateway: &'static _, one: Value, many: Value| {
        let mut event = Request::get("").through(gateway).event();
        event["queryStringParameters"] = one;
        event["multiValueQueryStringParameters"] = many;
        Response::unpack(&environment.hand_over(&event, Duration::from_secs(10)).await, "GET", REQUEST_ID).status
    };
    let has_both_maps = |gateway: &&'static Gateway| {
        Request::get("").through(gateway).event().get("multiValueQueryStringParameters").is_some()
    };
    for gateway in GATEWAYS.iter().filter(has_both_maps) {
        let (one, many) = (json!({ "job_id": DONE }), json!({ "job_id": [DONE] }));
        for (one, many, expected) in [
            (one.clone(), Value::Null, 200),
            (one.clone(), json!({}), 200),
            (Value::Null, many, 200),
            (one, json!({ "job_id": [DONE, DONE] }), 400),
            (json!({ "job_id": null }), Value::Null, 400),
            (Value::Null, Value::Null, 400),
        ] {
            let case = format!("{one} and {many} through {}", gateway.name);
            assert_eq!(status(gateway, one, many).await, expected, "{case}");
        }
    }
    let encoded = json!({ "job%5Fid": [DONE.replace('-', "%2d")] });
    for gateway in GATEWAYS.iter().filter(has_both_maps) {
        let expected = if gateway.keeps_query { 200 } else { 400 };
        assert_eq!(status(gateway, Value::Null, encoded.clone()).await, expected, "{}", gateway.name);
    }
}
