//! Which keys are accepted, until when, and for which jobs.

use local::samples::DONE;
use serde_json::{Value, json};
use testbed::keyring::{document, entry, sha256};

use crate::harness::{Deployment, Environment, Request, STATUS, with};

const ACME: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const FILMS: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const SHARED: &str = "aaaaaaaa-0000-4000-8000-000000000003";

#[tokio::test]
async fn each_key_of_the_keyring_is_accepted_and_logged_by_its_name() {
    let upper = with(entry("upper", ""), "sha256", sha256("key of upper").to_uppercase());
    let keyring = document(&[entry("acme", "key of acme"), entry("zeta & co", "key of zeta"), upper]);
    let environment = Deployment::with_samples().await.set("API_KEYS", keyring).start().await;
    for (key, name) in [("key of acme", "acme"), ("key of zeta", "zeta & co"), ("key of upper", "upper")] {
        assert_eq!(environment.status_with(key).await, 200);
        assert_eq!(environment.logs.request()["key"], name);
    }
    assert_eq!(environment.logs.with("event", "keyring_loaded")[0]["key_count"], 3);
    assert_eq!(environment.status_with("key of nobody").await, 401);
    assert_eq!(environment.logs.request()["key"], Value::Null);
    assert_eq!(environment.status_with(&sha256("key of acme")).await, 401, "a digest is no key");
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
    let keyring = document(&[entry("nobody", "")]);
    let environment = Deployment::with_samples().await.set("API_KEYS", keyring).start().await;
    assert_eq!(environment.status_with("").await, 401);
    assert_eq!(environment.send(Request::job(DONE).no_key()).await.status, 401);
}

#[tokio::test]
async fn a_key_works_until_the_moment_it_expires() {
    // The tests' clock starts at 2026-11-23T12:00:00Z.
    let expiring = with(entry("expiring", "expiring"), "expires", "2026-11-23T14:00:10+02:00");
    let expired = with(entry("expired", "expired"), "expires", "2026-11-23T12:00:00Z");
    let keyring = document(&[expiring, expired]);
    let environment = Deployment::with_samples().await.set("API_KEYS", keyring).start().await;
    assert_eq!(environment.statuses_with(["expired", "expiring"]).await, [401, 200]);
    environment.clock.forward(9);
    assert_eq!(environment.status_with("expiring").await, 200);
    environment.clock.forward(1);
    let expired = environment.send(Request::job(DONE).key("expiring")).await;
    let wrong = environment.send(Request::job(DONE).key("wrong")).await;
    assert_eq!((expired.status, expired.to_string()), (401, wrong.to_string()));
}

#[tokio::test]
async fn a_key_with_a_prefix_sees_its_own_jobs_and_no_others() {
    let keyring = document(&[
        with(entry("acme", "acme"), "prefix", "acme/"),
        with(entry("acme-films", "films"), "prefix", "acme/films/"),
        entry("all", "all"),
    ]);
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", "jobs/").set("API_KEYS", keyring);
    for (prefix, job) in [("jobs/acme/", ACME), ("jobs/acme/films/", FILMS), ("jobs/", SHARED)] {
        deployment.put("jobs", &format!("{prefix}{job}.json"), STATUS);
    }
    let environment = deployment.start().await;
    for (key, own) in [("acme", ACME), ("films", FILMS), ("all", SHARED)] {
        for job in [ACME, FILMS, SHARED] {
            let response = environment.send(Request::job(job).key(key)).await;
            if job == own {
                assert_eq!(response.status_file(), STATUS, "{key} {job}");
            } else {
                let body = format!(r#"{{"error":"Job not found","job_id":"{job}"}}"#);
                assert_eq!((response.status, response.body), (404, body), "{key} {job}");
            }
        }
    }
}

#[tokio::test]
async fn during_a_rotation_both_keys_have_the_same_scope() {
    let old = with(entry("acme-2026", "old"), "prefix", "acme/");
    let new = with(entry("acme-2027", "new"), "prefix", "acme/");
    let environment = Environment::with_keyring(document(std::slice::from_ref(&old))).await;
    environment.put("jobs", &format!("acme/{DONE}.json"), STATUS);
    let mut seen = Vec::new();
    for entries in [vec![old.clone()], vec![old, new.clone()], vec![new]] {
        environment.replace_keyring(document(&entries));
        environment.clock.forward(60);
        seen.push(environment.statuses_with(["old", "new"]).await);
    }
    assert_eq!(seen, [[200, 401], [200, 200], [401, 200]]);
}

#[tokio::test]
async fn neither_key_nor_digest_is_ever_printed_or_answered() {
    let environment = Environment::with_keyring(document(&[entry("good", "the good key")])).await;
    let mut bodies = String::new();
    for key in ["the good key", "the wrong key"] {
        bodies += &environment.send(Request::job(DONE).key(key)).await.to_string();
    }
    // Each member of the document that can hold a key or a digest by mistake.
    for document in [
        json!({ "keys": ["the good key"] }),
        json!({ "the good key": sha256("the good key") }),
        json!({ "keys": { "the good key": 1 } }),
        json!({ "keys": [{ "name": "the good key\u{7}", "sha256": "the good key" }] }),
        json!({ "keys": [{ "the good key": "x" }] }),
        json!({ "keys": [{ sha256("the good key"): "x" }] }),
        json!({ "keys": [{ "name": "a", "sha256": sha256("the good key"), "prefix": "the good key", "expires": "the good key" }] }),
        json!({ "keys": [entry("a", "the good key"), entry("b", "the good key")] }),
        json!("the good key"),
    ] {
        environment.replace_keyring(document.to_string());
        environment.clock.forward(60);
        bodies += &environment.send(Request::job(DONE).key("the good key")).await.to_string();
    }
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 9);
    let everything = environment.logs.text() + &bodies;
    for secret in ["the good key", "the wrong key", &sha256("the good key"), &sha256("the wrong key")] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}
