//! The keyring in S3 is read again every minute. A change comes into force; without a good keyring the last one stays
//! in force for a while.

use std::fs;

use local::samples::DONE;
use serde_json::json;

use crate::harness::{Deployment, Environment, Request, accepting, failure};

#[tokio::test]
async fn a_revoked_key_stops_working_and_a_new_one_starts_within_60_seconds() {
    let environment = Environment::with_keyring(accepting(["revoked"])).await;
    environment.replace_keyring(accepting(["new"]));
    environment.clock.forward(59);
    assert_eq!(environment.statuses_with(["revoked", "new"]).await, [200, 401]);
    environment.clock.forward(1);
    assert_eq!(
        environment.status_with("revoked").await,
        401,
        "the request that finds the keyring stale is checked against the new one"
    );
    assert_eq!(environment.status_with("new").await, 200);
}

#[tokio::test]
async fn a_malformed_replacement_is_kept_out_and_reported() {
    let environment = Environment::with_keyring(accepting(["good"])).await;
    for document in [
        "",
        "{",
        "[]",
        r#"{"keys":[{"name":"x","sha256":"good"}]}"#,
        r#"{"keys":[{"name":"eternal","sha256":"0","expire":"2020"}]}"#,
    ] {
        environment.replace_keyring(document);
        environment.clock.forward(60);
        assert_eq!(environment.status_with("good").await, 200, "{document}");
    }
    let failures = environment.logs.with("event", "keyring_refresh_failed");
    assert_eq!(failures.len(), 5);
    assert_eq!((&failures[4]["level"], &failures[4]["age"]), (&json!("ERROR"), &json!(300)));
    assert_eq!(
        failures[4]["error"],
        "the object that API_KEYS names is not a valid keyring: keys[0]: unknown field expire; expected one of name, sha256, prefix, expires, keys[0]: sha256 is not 64 hexadecimal digits"
    );
    environment.replace_keyring(accepting(["better"]));
    environment.clock.forward(60);
    assert_eq!(environment.statuses_with(["good", "better"]).await, [401, 200]);
}

#[tokio::test]
async fn an_empty_keyring_accepts_nobody_and_is_a_warning() {
    let environment = Environment::with_keyring(accepting(["last"])).await;
    environment.replace_keyring(accepting([]));
    environment.clock.forward(60);
    assert_eq!(environment.status_with("last").await, 401);
    assert_eq!(environment.logs.with("event", "keyring_empty")[0]["level"], "WARN");

    let environment = Deployment::with_samples().await.set("API_KEYS", accepting([])).start().await;
    assert_eq!(environment.status_with("last").await, 401);
    assert_eq!(environment.logs.with("event", "keyring_empty").len(), 1);
}

#[tokio::test]
async fn the_last_good_keyring_stays_in_force_for_15_minutes_and_then_nobody_gets_in() {
    let environment = Environment::with_keyring(accepting(["good"])).await;
    let keyring = environment.keyring();
    let kept = fs::read(&keyring).unwrap();
    fs::remove_file(&keyring).unwrap();
    for minute in 1..15 {
        environment.clock.forward(60);
        assert_eq!(environment.statuses_with(["good", "wrong"]).await, [200, 401], "minute {minute}");
    }
    environment.clock.forward(60);
    let response = environment.send(Request::job(DONE).key("good")).await;
    assert_eq!(response.to_string(), failure("API keys cannot be checked at the moment"));
    assert_eq!(environment.logs.request()["kind"], "keyring_stale");
    assert_eq!(environment.status_with("wrong").await, 500);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 15, "one a minute");

    fs::write(&keyring, kept).unwrap();
    assert_eq!(environment.status_with("good").await, 500, "the next try comes 5 seconds after the last one");
    environment.clock.forward(5);
    assert_eq!(environment.statuses_with(["good", "wrong"]).await, [200, 401], "and the keyring is good again");
}

#[tokio::test]
async fn the_keyring_is_read_again_after_the_clock_was_set_back() {
    let environment = Environment::with_keyring(accepting(["old"])).await;
    environment.replace_keyring(accepting(["new"]));
    environment.clock.back(3600);
    assert_eq!(environment.statuses_with(["old", "new"]).await, [401, 200]);
}

#[tokio::test]
async fn the_grace_does_not_end_when_the_clock_is_set_back() {
    let environment = Environment::with_keyring(accepting(["good"])).await;
    fs::remove_file(environment.keyring()).unwrap();
    environment.clock.back(3600);
    assert_eq!(environment.status_with("good").await, 200);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 1);
    environment.clock.forward(13 * 60);
    assert_eq!(environment.status_with("good").await, 200);
    environment.clock.forward(60);
    assert_eq!(environment.status_with("good").await, 500, "it counts from when the clock was set back");
}
