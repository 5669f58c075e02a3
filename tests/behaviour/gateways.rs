//! Each gateway sends events of its own shape and gets answers of its own shape. Its callers see no difference.

use std::time::Duration;

use job_status::{Gateway, gateway};
use local::samples::{DONE, RUNNING, UNKNOWN};
use serde_json::{Value, json};

use crate::harness::{Environment, GATEWAYS, REQUEST_ID, Request};

#[test]
fn every_gateway_is_tested_with_its_own_limit() {
    let gateways = GATEWAYS.each_ref().map(|gateway| (gateway.name, gateway.max_answer));
    assert_eq!(gateways, Gateway::ALL.map(|gateway| (gateway.name(), gateway.max_payload())));
}

#[tokio::test]
async fn every_gateway_gets_the_answer_in_its_own_shape() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        let mut expected = json!({
            "statusCode": 404,
            "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "x-content-type-options": "nosniff",
                "x-request-id": REQUEST_ID,
            },
            "multiValueHeaders": {},
            "body": r#"{"error":"Job not found","job_id":"00000000-0000-4000-8000-000000000000"}"#,
            "isBase64Encoded": false,
        });
        match gateway.name {
            "API Gateway HTTP API or function URL" => expected["cookies"] = json!([]),
            "API Gateway REST API" => {}
            "Application Load Balancer" => {
                expected["statusDescription"] = json!("404 Not Found");
                expected["multiValueHeaders"] = json!({
                    "cache-control": ["no-store"],
                    "content-type": ["application/json"],
                    "x-content-type-options": ["nosniff"],
                    "x-request-id": [REQUEST_ID],
                });
            }
            name => panic!("the shape of the answer to {name} is not tested"),
        }
        let answer = environment.invoke(&Request::job(UNKNOWN).through(gateway)).await;
        assert_eq!(answer, expected, "{}", gateway.name);
    }
}

#[tokio::test]
async fn every_gateway_gets_the_same_response() {
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
        environment.send_through_each(&request).await; // asserts that it is the same
    }
}

#[tokio::test]
async fn a_base64_body_is_decoded() {
    let environment = Environment::start().await;
    let request = Request::bytes(json!({ "job_id": DONE }).to_string().as_bytes());
    assert_eq!(environment.send_through_each(&request).await.status, 200);
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
    assert_eq!(environment.send_through_each(&request).await.status, 200);
}

#[tokio::test]
async fn header_names_are_read_in_any_case() {
    let environment = Environment::start().await;
    let request = Request::job(DONE).no_key().header("X-API-Key", "demo-key");
    assert_eq!(environment.send_through_each(&request).await.status, 200);
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
