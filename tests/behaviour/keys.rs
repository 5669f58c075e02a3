//! The keyring, through the front door.

use std::{fs, sync::Arc, time::Duration};

use futures_util::future::join_all;
use local::samples::DONE;
use serde_json::{Value, json};
use testbed::{
    fault_s3::{Act, FaultS3, error_document, object},
    keyring::{self, DEMO_KEY, entry, sha256},
};
use tokio::{
    runtime::Builder,
    sync::Barrier,
    time::{Instant, sleep},
};

use crate::harness::{Deployment, Environment, Request, assert_response, fast_timers, seed};

const ACME: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const FILMS: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const SHARED: &str = "aaaaaaaa-0000-4000-8000-000000000003";
const STATUS: &str = r#"{"job_status":"done"}"#;

fn with(mut entry: Value, member: &str, value: impl Into<Value>) -> Value {
    entry[member] = value.into();
    entry
}

async fn status(environment: &Environment, key: &str) -> u16 {
    environment.send(Request::job(DONE).key(key)).await.status
}

/// An environment with its keyring in S3.
async fn with_ring_in_s3(entries: &[Value]) -> Environment {
    let deployment = Deployment::with_samples().await.set("API_KEYS", "s3://config/keys/ring.json");
    deployment.put("config", "keys/ring.json", keyring::document(entries));
    deployment.start().await
}

fn replace_ring(environment: &Environment, document: impl AsRef<[u8]>) {
    environment.put("config", "keys/ring.json", document);
}

#[tokio::test]
async fn each_key_of_the_ring_is_accepted_and_logged_by_its_name() {
    let entries = [entry("acme", "key of acme"), entry("zeta & co", "key of zeta")];
    let upper = with(entry("upper", ""), "sha256", sha256("key of upper").to_uppercase());
    let environment = Deployment::with_samples()
        .await
        .set("API_KEYS", keyring::document(&[&entries[..], &[upper]].concat()))
        .start()
        .await;
    for (key, name) in [("key of acme", "acme"), ("key of zeta", "zeta & co"), ("key of upper", "upper")] {
        assert_eq!(status(&environment, key).await, 200);
        assert_eq!(environment.logs.request()["key"], name);
    }
    assert_eq!(environment.logs.with("event", "keyring_loaded")[0]["key_count"], 3);
    assert_eq!(status(&environment, "key of nobody").await, 401);
    assert_eq!(environment.logs.request()["key"], Value::Null);
    assert_eq!(status(&environment, &sha256("key of acme")).await, 401, "a digest is no key");
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
async fn a_key_works_until_the_moment_it_expires() {
    // The tests' clock starts at 2026-11-23T12:00:00Z.
    let expiring = with(entry("expiring", "expiring"), "expires", "2026-11-23T14:00:10+02:00");
    let expired = with(entry("expired", "expired"), "expires", "2026-11-23T12:00:00Z");
    let environment =
        Deployment::with_samples().await.set("API_KEYS", keyring::document(&[expiring, expired])).start().await;
    assert_eq!(status(&environment, "expired").await, 401);
    assert_eq!(status(&environment, "expiring").await, 200);
    environment.clock.forward(9);
    assert_eq!(status(&environment, "expiring").await, 200);
    environment.clock.forward(1);
    let expired = environment.send(Request::job(DONE).key("expiring")).await;
    let wrong = environment.send(Request::job(DONE).key("wrong")).await;
    assert_eq!((expired.status, expired.to_string()), (401, wrong.to_string()));
}

#[tokio::test]
async fn a_key_with_a_prefix_sees_its_own_jobs_and_no_others() {
    let deployment = Deployment::with_samples().await.set("JOBS_PREFIX", "jobs/").set(
        "API_KEYS",
        keyring::document(&[
            with(entry("acme", "acme"), "prefix", "acme/"),
            with(entry("acme-films", "films"), "prefix", "acme/films/"),
            entry("all", "all"),
        ]),
    );
    for (folder, job) in [("jobs/acme/", ACME), ("jobs/acme/films/", FILMS), ("jobs/", SHARED)] {
        deployment.put("jobs", &format!("{folder}{job}.json"), STATUS);
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
    let environment = with_ring_in_s3(std::slice::from_ref(&old)).await;
    environment.put("jobs", &format!("acme/{DONE}.json"), STATUS);
    let mut seen = Vec::new();
    for ring in [vec![old.clone()], vec![old, new.clone()], vec![new]] {
        replace_ring(&environment, keyring::document(&ring));
        environment.clock.forward(60);
        seen.push((status(&environment, "old").await, status(&environment, "new").await));
    }
    assert_eq!(seen, [(200, 401), (200, 200), (401, 200)]);
}

#[tokio::test]
async fn a_revoked_key_stops_working_and_a_new_one_starts_within_60_seconds() {
    let environment = with_ring_in_s3(&[entry("revoked", "revoked")]).await;
    replace_ring(&environment, keyring::document(&[entry("new", "new")]));
    environment.clock.forward(59);
    assert_eq!((status(&environment, "revoked").await, status(&environment, "new").await), (200, 401));
    environment.clock.forward(1);
    assert_eq!(
        status(&environment, "revoked").await,
        401,
        "the request that finds the ring stale is checked against the new one"
    );
    assert_eq!(status(&environment, "new").await, 200);
}

#[tokio::test]
async fn a_malformed_replacement_is_kept_out_and_reported() {
    let environment = with_ring_in_s3(&[entry("good", "good")]).await;
    for document in [
        "",
        "{",
        "[]",
        r#"{"keys":[{"name":"x","sha256":"good"}]}"#,
        r#"{"keys":[{"name":"eternal","sha256":"0","expire":"2020"}]}"#,
    ] {
        replace_ring(&environment, document);
        environment.clock.forward(60);
        assert_eq!(status(&environment, "good").await, 200, "{document}");
    }
    let failures = environment.logs.with("event", "keyring_refresh_failed");
    assert_eq!(failures.len(), 5);
    assert_eq!((&failures[4]["level"], &failures[4]["age"]), (&json!("ERROR"), &json!(300)));
    assert_eq!(
        failures[4]["error"],
        "the object that API_KEYS names is not a valid keyring: keys[0]: unknown field expire; expected one of name, sha256, prefix, expires, keys[0]: sha256 is not 64 hexadecimal digits"
    );
    replace_ring(&environment, keyring::document(&[entry("better", "better")]));
    environment.clock.forward(60);
    assert_eq!((status(&environment, "good").await, status(&environment, "better").await), (401, 200));
}

#[tokio::test]
async fn an_empty_ring_accepts_nobody_and_is_a_warning() {
    let environment = with_ring_in_s3(&[entry("last", "last")]).await;
    replace_ring(&environment, keyring::document(&[]));
    environment.clock.forward(60);
    assert_eq!(status(&environment, "last").await, 401);
    assert_eq!(environment.logs.with("event", "keyring_empty")[0]["level"], "WARN");

    let environment = Deployment::with_samples().await.set("API_KEYS", keyring::document(&[])).start().await;
    assert_eq!(status(&environment, "last").await, 401);
    assert_eq!(environment.logs.with("event", "keyring_empty").len(), 1);
}

#[tokio::test]
async fn the_last_good_ring_stays_in_force_for_15_minutes_and_then_nobody_gets_in() {
    let environment = with_ring_in_s3(&[entry("good", "good")]).await;
    let ring = environment.object("config", "keys/ring.json");
    let kept = fs::read(&ring).unwrap();
    fs::remove_file(&ring).unwrap();
    for minute in 1..15 {
        environment.clock.forward(60);
        assert_eq!(status(&environment, "good").await, 200, "minute {minute}");
        assert_eq!(status(&environment, "wrong").await, 401, "minute {minute}");
    }
    environment.clock.forward(60);
    assert_response!(environment.send(Request::job(DONE).key("good")).await, @r#"
    500

    {"error":"Failed to retrieve job status: API keys cannot be checked at the moment","code":500}
    "#);
    assert_eq!(environment.logs.request()["kind"], "keyring_stale");
    assert_eq!(status(&environment, "wrong").await, 500);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 15, "one a minute");

    fs::write(&ring, kept).unwrap();
    assert_eq!(status(&environment, "good").await, 500, "the next try comes 5 seconds after the last one");
    environment.clock.forward(5);
    assert_eq!(status(&environment, "good").await, 200, "and the ring is good again");
    assert_eq!(status(&environment, "wrong").await, 401);
}

#[tokio::test]
async fn the_ring_is_read_again_after_the_clock_was_set_back() {
    let environment = with_ring_in_s3(&[entry("old", "old")]).await;
    replace_ring(&environment, keyring::document(&[entry("new", "new")]));
    environment.clock.back(3600);
    assert_eq!((status(&environment, "old").await, status(&environment, "new").await), (401, 200));
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_has_not_changed_is_not_sent_again() {
    fast_timers();
    let s3 = FaultS3::start().await;
    s3.then([Act::Answer(object(keyring::document(&[entry("good", "good")])))]);
    let environment = Deployment::with_s3(s3.url()).set("API_KEYS", "s3://config/ring.json").start().await;
    let seen = s3.take_requests();
    assert!(seen[0].starts_with("GET /config/ring.json"), "{}", seen[0]);
    assert!(seen[1].starts_with("GET /jobs/00000000-0000-0000-0000-000000000000.json"), "{}", seen[1]);
    assert_eq!(seen.len(), 2, "at start-up");
    assert_eq!(s3.connections(), 1);

    environment.clock.forward(60);
    s3.then([Act::Answer(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".to_vec()), Act::Answer(object(STATUS))]);
    assert_eq!(status(&environment, "good").await, 200);
    let seen = s3.take_requests();
    assert!(
        seen[0].starts_with("GET /config/ring.json") && seen[0].contains("if-none-match: \"1\"\r\n"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with(&format!("GET /jobs/{DONE}.json")), "{}", seen[1]);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed"), Vec::<Value>::new());

    environment.clock.forward(59);
    s3.then([Act::Answer(object(STATUS))]);
    assert_eq!(status(&environment, "good").await, 200);
    assert_eq!(s3.take_requests().len(), 1, "confirmed a minute ago");
    assert_eq!(s3.connections(), 1, "all on the connection that was opened at start-up");
}

/// An environment that is due to read its keyring again, in front of an S3 that has a status for every
/// job and does `ring` with each request for the keyring.
async fn with_ring_due(ring: Act) -> (FaultS3, Environment) {
    let s3 = FaultS3::start().await;
    s3.always(Act::Answer(object(keyring::document(&[entry("good", "good")]))));
    let environment = Deployment::with_s3(s3.url()).set("API_KEYS", "s3://config/ring.json").start().await;
    environment.clock.forward(60);
    s3.take_requests();
    s3.always_by(move |head| if is_for_ring(head) { ring.clone() } else { Act::Answer(object(STATUS)) });
    (s3, environment)
}

fn is_for_ring(head: &str) -> bool {
    head.starts_with("GET /config/ring.json")
}

/// What a poll takes by the timers' clock, in ms.
async fn time_of_poll(environment: &Environment) -> u128 {
    let started = Instant::now();
    assert_eq!(status(environment, "good").await, 200);
    started.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_stalled_ring_holds_up_one_poll_by_250_ms_and_no_other() {
    fast_timers();
    let (s3, environment) = with_ring_due(Act::Hang(vec![])).await;
    let first = time_of_poll(&environment).await;
    assert!((250..350).contains(&first), "{first} ms");
    for _ in 0..20 {
        let next = time_of_poll(&environment).await;
        assert!(next < 100, "{next} ms");
    }
    assert_eq!(s3.take_requests().into_iter().filter(|head| is_for_ring(head)).count(), 1, "one read at a time");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_ring_holds_up_eight_polls_at_once_rarely_and_by_250_ms() {
    fast_timers();
    let (_s3, environment) = with_ring_due(Act::Hang(vec![])).await;
    let mut slow = 0;
    for second in 0..60 {
        let took = join_all((0..8).map(|_| time_of_poll(&environment))).await;
        assert!(took.iter().all(|took| *took < 350), "in second {second}: {took:?} ms");
        slow += took.iter().filter(|took| **took > 100).count();
        sleep(Duration::from_secs(1)).await;
        environment.clock.forward(1);
    }
    // A refresh gives up after 12 s, and each holds up those who come while it starts.
    assert!((8..=6 * 8).contains(&slow), "{slow} of 480");
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 1, "once a minute");
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_cannot_be_read_is_reported_once_a_minute() {
    fast_timers();
    let (s3, environment) = with_ring_due(Act::Hang(vec![])).await;
    for _ in 0..24 {
        assert_eq!(status(&environment, "good").await, 200);
        sleep(Duration::from_secs(13)).await; // all attempts of a refresh
        environment.clock.forward(5);
    }
    let reports = environment.logs.with("event", "keyring_refresh_failed");
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert_eq!(reports[0]["error"], "timed_out: deadline has elapsed");
    assert!(
        s3.take_requests().into_iter().filter(|head| is_for_ring(head)).count() > 60,
        "it is tried again all the time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_takes_two_seconds_comes_into_force() {
    fast_timers();
    let ring = object(keyring::document(&[entry("new", "new")]));
    let (_s3, environment) = with_ring_due(Act::Late(Duration::from_secs(2), ring)).await;
    assert_eq!((status(&environment, "good").await, status(&environment, "new").await), (200, 401));
    sleep(Duration::from_secs(2)).await;
    assert_eq!((status(&environment, "good").await, status(&environment, "new").await), (401, 200));
}

/// The environment runs only while it is polled, as on Lambda.
#[test]
fn a_ring_that_arrives_while_the_environment_is_frozen_comes_into_force() {
    let outside = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let inside = Builder::new_current_thread().enable_all().build().unwrap();
    let s3 = outside.block_on(FaultS3::start());
    s3.always(Act::Answer(object(keyring::document(&[entry("good", "good")]))));
    let environment =
        inside.block_on(async { Deployment::with_s3(s3.url()).set("API_KEYS", "s3://config/ring.json").start().await });
    environment.clock.forward(60);
    let (ring, released) = (object(keyring::document(&[entry("new", "new")])), Arc::new(Barrier::new(2)));
    let late = Act::Together(Arc::clone(&released), ring);
    s3.always_by(move |head| if is_for_ring(head) { late.clone() } else { Act::Answer(object(STATUS)) });
    assert_eq!(inside.block_on(status(&environment, "good")), 200);
    outside.block_on(released.wait());
    let is_revoked = |_| inside.block_on(status(&environment, "good")) == 401;
    assert!((0..1000).any(is_revoked), "the new ring has been there all the time");
    assert_eq!(inside.block_on(status(&environment, "new")), 200);
}

#[tokio::test]
async fn requests_that_come_during_a_refresh_are_checked_against_the_new_ring() {
    let (s3, environment) = with_ring_due(Act::Answer(object(keyring::document(&[entry("new", "new")])))).await;
    let revoked = (0..8).map(|_| status(&environment, "good"));
    assert_eq!(join_all(revoked).await, [401; 8]);
    assert_eq!(s3.take_requests().len(), 1, "the ring was read once, and no status");
}

#[tokio::test]
async fn the_grace_does_not_end_when_the_clock_is_set_back() {
    let environment = with_ring_in_s3(&[entry("good", "good")]).await;
    fs::remove_file(environment.object("config", "keys/ring.json")).unwrap();
    environment.clock.back(3600);
    assert_eq!(status(&environment, "good").await, 200);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 1);
    environment.clock.forward(13 * 60);
    assert_eq!(status(&environment, "good").await, 200);
    environment.clock.forward(60);
    assert_eq!(status(&environment, "good").await, 500, "it counts from when the clock was set back");
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_cannot_be_loaded_fails_the_init() {
    fast_timers();
    let s3 = FaultS3::start().await;
    for (answer, expected) in [
        (
            error_document("403 Forbidden", "AccessDenied", "Access Denied"),
            "the keyring cannot be read: access_denied: ",
        ),
        (
            error_document("404 Not Found", "NoSuchKey", "The specified key does not exist."),
            "the keyring cannot be read: no_such_key: ",
        ),
        (
            object("demo-key"),
            "the object that API_KEYS names is not a valid keyring: it is not valid JSON (line 1, column 1)",
        ),
    ] {
        s3.always(Act::Answer(answer));
        let failed =
            Deployment::with_s3(s3.url()).set("API_KEYS", "s3://config/ring.json").try_start().await.err().unwrap();
        let text = job_status::chain(&*failed);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn a_ring_of_8_mib_is_read_and_one_byte_more_is_not() {
    let s3 = FaultS3::start().await;
    let ring = |size: usize| {
        let mut document = keyring::document(&[entry("demo", DEMO_KEY)]).into_bytes();
        document.resize(size, b' ');
        document
    };
    let deployment = || Deployment::with_s3(s3.url()).set("API_KEYS", "s3://config/ring.json");
    s3.then([Act::Answer(object(ring(8_388_608)))]);
    assert_eq!(status(&deployment().start().await, DEMO_KEY).await, 404, "accepted; there is no such job");
    s3.then([Act::Answer(object(ring(8_388_609)))]);
    let failed = deployment().try_start().await.err().unwrap();
    assert_eq!(
        job_status::chain(&*failed),
        "the keyring cannot be read: too_large: the object has at least 8388609 bytes, 8388608 are read"
    );
}

#[tokio::test]
async fn neither_key_nor_digest_is_ever_printed_or_answered() {
    let environment = with_ring_in_s3(&[entry("good", "the good key")]).await;
    let mut bodies = String::new();
    for key in ["the good key", "the wrong key"] {
        bodies += &environment.send(Request::job(DONE).key(key)).await.to_string();
    }
    // Every place in the document into which a key or a digest can get by mistake.
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
        replace_ring(&environment, document.to_string());
        environment.clock.forward(60);
        bodies += &environment.send(Request::job(DONE).key("the good key")).await.to_string();
    }
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed").len(), 9);
    let everything = environment.logs.text() + &bodies;
    for secret in ["the good key", "the wrong key", &sha256("the good key"), &sha256("the wrong key")] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}

/// Documents, and for each whether it is a keyring.
fn documents() -> Vec<(Value, bool)> {
    let good = entry("acme", "k");
    let sha = sha256("k");
    let mut documents = vec![
        (json!({ "keys": [] }), true),
        (json!({ "keys": [good] }), true),
        (json!({}), false),
        (json!([]), false),
        (json!(null), false),
        (json!({ "keys": null }), false),
        (json!({ "keys": {} }), false),
        (json!({ "keys": [], "version": 1 }), false),
        (json!({ "keys": [null] }), false),
        (json!({ "keys": ["acme"] }), false),
        (json!({ "keys": [{ "name": "acme" }] }), false),
        (json!({ "keys": [{ "sha256": sha }] }), false),
        (json!({ "keys": [with(good.clone(), "expire", "2027-06-30T00:00:00Z")] }), false),
        (json!({ "keys": [with(good.clone(), "Prefix", "acme/")] }), false),
    ];
    for (member, values) in [
        (
            "name",
            vec![
                (json!("a"), true),
                (json!("A b-c_d.e/f@g (h)~"), true),
                (json!("x".repeat(64)), true),
                (json!("x".repeat(65)), false),
                (json!(""), false),
                (json!("caf\u{e9}"), false),
                (json!("a\nb"), false),
                (json!("\u{7f}"), false),
                (json!(7), false),
                (json!(null), false),
            ],
        ),
        (
            "sha256",
            vec![
                (json!(sha.to_uppercase()), true),
                (json!(&sha[1..]), false),
                (json!(format!("{sha}0")), false),
                (json!(sha.replace(&sha[..1], "g")), false),
                (json!(format!("+{}", &sha[1..])), false),
                (json!(format!(" {}", &sha[1..])), false),
                (json!("\u{e9}".repeat(32)), false),
                (json!(""), false),
                (json!(null), false),
                (json!([sha]), false),
            ],
        ),
        (
            "prefix",
            vec![
                (json!("acme/"), true),
                (json!("a/b-c/D_e/0.9/"), true),
                (json!("a..b/"), true),
                (json!(format!("{}/", "x".repeat(64))), true),
                (json!(format!("{}/", "x".repeat(65))), false),
                (json!("x/".repeat(256)), true),
                (json!("x/".repeat(257)), false),
                (json!(""), false),
                (json!("/"), false),
                (json!("acme"), false),
                (json!("/acme/"), false),
                (json!("acme//"), false),
                (json!("../"), false),
                (json!("acme/../zeta/"), false),
                (json!("./"), false),
                (json!(".hidden/"), false),
                (json!("a b/"), false),
                (json!("a%2Fb/"), false),
                (json!("a\\b/"), false),
                (json!("caf\u{e9}/"), false),
                (json!("a/\n"), false),
                (json!(null), false),
                (json!(1), false),
            ],
        ),
        (
            "expires",
            vec![
                (json!("2027-06-30T00:00:00Z"), true),
                (json!("2027-06-30T23:59:59.999999+05:30"), true),
                (json!("2024-02-29T00:00:00-08:00"), true),
                (json!("1999-01-01T00:00:00Z"), true),
                (json!("2027-02-29T00:00:00Z"), false),
                (json!("2027-13-01T00:00:00Z"), false),
                (json!("2027-06-30T24:00:00Z"), false),
                (json!("2027-06-30T00:00:00"), false),
                (json!("2027-06-30"), false),
                (json!("2027-06-30 00:00:00Z"), false),
                (json!("2027-06-30t00:00:00Z"), false),
                (json!("2027-06-30T00:00:00z"), false),
                (json!("30 June 2027"), false),
                (json!("2027-06-30T00:00:00+0200"), false),
                (json!(""), false),
                (json!(1_814_313_600), false),
                (json!(null), false),
            ],
        ),
    ] {
        documents.extend(
            values
                .into_iter()
                .map(|(value, is_keyring)| (json!({ "keys": [with(good.clone(), member, value)] }), is_keyring)),
        );
    }
    documents
}

#[test]
fn the_schema_and_the_parser_accept_the_same_documents() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/keyring.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for (document, is_keyring) in documents() {
        let text = document.to_string();
        seed("keyring", text.as_bytes());
        let parsed = job_status::Keyring::parse(text.as_bytes());
        assert_eq!(parsed.is_ok(), is_keyring, "parser on {document}");
        assert_eq!(schema.is_valid(&document), is_keyring, "schema on {document}");
    }
}

#[test]
fn each_fault_is_named_with_its_entry() {
    let mut answers = String::new();
    let twice = format!(r#"{{"keys":[{{"name":"a","name":"b","sha256":"{}"}}]}}"#, sha256("k"));
    let other = entry("acme", "other");
    for document in [
        "{\"keys\":[\n}".to_owned(),
        twice,
        json!({ "keys": [entry("acme", "k"), other] }).to_string(),
        json!({ "keys": [entry("acme", "k"), entry("zeta", "k")] }).to_string(),
        json!({ "keys": [entry("acme", "k"), {}, with(entry("x", "y"), "prefix", "x"), with(entry("z", "z"), "expires", "soon")] }).to_string(),
        json!({ "keys": vec![json!({}); 10] }).to_string(),
    ] {
        seed("keyring", document.as_bytes());
        let faults = job_status::Keyring::parse(document.as_bytes()).err().unwrap();
        answers += &format!("{faults}\n");
    }
    insta::assert_snapshot!(answers, @"
    is not a valid keyring: it is not valid JSON (line 2, column 1)
    is not a valid keyring: keys[0]: name is given twice
    is not a valid keyring: keys[1] has the name of keys[0]
    is not a valid keyring: keys[1] (zeta) has the sha256 of acme
    is not a valid keyring: keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: prefix is not of the form acme/ (segments of letters, digits, - _ . each ending in /), keys[3]: expires is not a moment such as 2027-06-30T00:00:00Z (RFC 3339, with offset)
    is not a valid keyring: keys[0]: name is missing, keys[0]: sha256 is missing, keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: name is missing, keys[2]: sha256 is missing, keys[3]: name is missing, keys[3]: sha256 is missing, and 12 more
    ");
}
