//! The keyring, through the front door.

use std::fs;

use local::samples::{DONE, UNKNOWN};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, assert_reply},
    clock::fast_timers,
    fault_s3::{Act, FaultS3, error, object},
    world::{Plan, World, keyring, sha256},
};

const ACME: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const FILMS: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const SHARED: &str = "aaaaaaaa-0000-4000-8000-000000000003";
const STATUS: &str = r#"{"job_status":"done"}"#;

fn entry(name: &str, key: &str) -> Value {
    json!({ "name": name, "sha256": sha256(key) })
}

fn with(mut entry: Value, member: &str, value: impl Into<Value>) -> Value {
    entry[member] = value.into();
    entry
}

async fn status(world: &World, key: &str) -> u16 {
    world.send(Ask::job(DONE).key(key)).await.status
}

/// A world with its keyring in S3.
async fn in_s3(entries: &[Value]) -> World {
    let plan = Plan::new().await.set("API_KEYS", "s3://config/keys/ring.json");
    plan.put("config", "keys/ring.json", keyring(entries));
    plan.start().await
}

fn replace(world: &World, document: impl AsRef<[u8]>) {
    world.put("config", "keys/ring.json", document);
}

#[tokio::test]
async fn each_key_of_the_ring_is_accepted_and_logged_by_its_name() {
    let entries = [entry("acme", "key of acme"), entry("zeta & co", "key of zeta")];
    let upper = with(entry("upper", ""), "sha256", sha256("key of upper").to_uppercase());
    let world = Plan::new().await.set("API_KEYS", keyring(&[&entries[..], &[upper]].concat())).start().await;
    for (key, name) in [("key of acme", "acme"), ("key of zeta", "zeta & co"), ("key of upper", "upper")] {
        assert_eq!(status(&world, key).await, 200);
        assert_eq!(world.logs.request()["key"], name);
    }
    assert_eq!(status(&world, "key of nobody").await, 401);
    assert_eq!(world.logs.request()["key"], Value::Null);
    assert_eq!(status(&world, &sha256("key of acme")).await, 401, "a digest is no key");
}

#[tokio::test]
async fn a_key_works_until_the_moment_it_expires() {
    // The tests' clock starts at 2026-11-23T12:00:00Z.
    let expiring = with(entry("expiring", "expiring"), "expires", "2026-11-23T14:00:10+02:00");
    let expired = with(entry("expired", "expired"), "expires", "2026-11-23T12:00:00Z");
    let world = Plan::new().await.set("API_KEYS", keyring(&[expiring, expired])).start().await;
    assert_eq!(status(&world, "expired").await, 401);
    assert_eq!(status(&world, "expiring").await, 200);
    world.clock.forward(9);
    assert_eq!(status(&world, "expiring").await, 200);
    world.clock.forward(1);
    let expired = world.send(Ask::job(DONE).key("expiring")).await;
    let wrong = world.send(Ask::job(DONE).key("wrong")).await;
    assert_eq!((expired.status, expired.to_string()), (401, wrong.to_string()));
}

#[tokio::test]
async fn a_key_with_a_prefix_sees_its_own_jobs_and_no_others() {
    let plan = Plan::new().await.set("JOBS_PREFIX", "jobs/").set(
        "API_KEYS",
        keyring(&[
            with(entry("acme", "acme"), "prefix", "acme/"),
            with(entry("acme-films", "films"), "prefix", "acme/films/"),
            entry("all", "all"),
        ]),
    );
    for (folder, job) in [("jobs/acme/", ACME), ("jobs/acme/films/", FILMS), ("jobs/", SHARED)] {
        plan.put("jobs", &format!("{folder}{job}.json"), STATUS);
    }
    let world = plan.start().await;
    for (key, own) in [("acme", ACME), ("films", FILMS), ("all", SHARED)] {
        for job in [ACME, FILMS, SHARED] {
            let reply = world.send(Ask::job(job).key(key)).await;
            if job == own {
                assert_eq!(reply.status_file(), STATUS, "{key} {job}");
            } else {
                let body = format!(r#"{{"error":"Job not found","job_id":"{job}"}}"#);
                assert_eq!((reply.status, reply.body), (404, body), "{key} {job}");
            }
        }
    }
}

#[tokio::test]
async fn rotation_is_two_keys_with_one_scope_for_a_while() {
    let old = with(entry("acme-2026", "old"), "prefix", "acme/");
    let new = with(entry("acme-2027", "new"), "prefix", "acme/");
    let world = in_s3(std::slice::from_ref(&old)).await;
    world.put("jobs", &format!("acme/{DONE}.json"), STATUS);
    let mut seen = Vec::new();
    for ring in [vec![old.clone()], vec![old, new.clone()], vec![new]] {
        replace(&world, keyring(&ring));
        world.clock.forward(60);
        seen.push((status(&world, "old").await, status(&world, "new").await));
    }
    assert_eq!(seen, [(200, 401), (200, 200), (401, 200)]);
}

#[tokio::test]
async fn a_revoked_key_stops_working_and_a_new_one_starts_within_60_seconds() {
    let world = in_s3(&[entry("revoked", "revoked")]).await;
    replace(&world, keyring(&[entry("new", "new")]));
    world.clock.forward(59);
    assert_eq!((status(&world, "revoked").await, status(&world, "new").await), (200, 401));
    world.clock.forward(1);
    assert_eq!(status(&world, "revoked").await, 401, "the request that finds the ring stale is judged by the new one");
    assert_eq!(status(&world, "new").await, 200);
}

#[tokio::test]
async fn a_malformed_replacement_is_kept_out_and_reported() {
    let world = in_s3(&[entry("good", "good")]).await;
    for document in [
        "",
        "{",
        "[]",
        r#"{"keys":[{"name":"x","sha256":"good"}]}"#,
        r#"{"keys":[{"name":"eternal","sha256":"0","expire":"2020"}]}"#,
    ] {
        replace(&world, document);
        world.clock.forward(60);
        assert_eq!(status(&world, "good").await, 200, "{document}");
    }
    let failures = world.logs.with("event", "keyring_refresh_failed");
    assert_eq!(failures.len(), 5);
    assert_eq!((&failures[4]["level"], &failures[4]["age"]), (&json!("ERROR"), &json!(300)));
    assert_eq!(
        failures[4]["error"],
        "the object that API_KEYS names is not a valid keyring: keys[0]: there is no member expire, keys[0]: sha256 is not 64 hexadecimal digits"
    );
    replace(&world, keyring(&[entry("better", "better")]));
    world.clock.forward(60);
    assert_eq!((status(&world, "good").await, status(&world, "better").await), (401, 200));
}

#[tokio::test]
async fn an_emptied_ring_accepts_nobody_and_warns() {
    let world = in_s3(&[entry("last", "last")]).await;
    replace(&world, keyring(&[]));
    world.clock.forward(60);
    assert_eq!(status(&world, "last").await, 401);
    assert_eq!(world.logs.with("event", "keyring_empty")[0]["level"], "WARN");

    let world = Plan::new().await.set("API_KEYS", keyring(&[])).start().await;
    assert_eq!(status(&world, "last").await, 401);
    assert_eq!(world.logs.with("event", "keyring_empty").len(), 1);
}

#[tokio::test]
async fn the_last_good_ring_stays_in_force_for_15_minutes_and_then_nobody_gets_in() {
    let world = in_s3(&[entry("good", "good")]).await;
    let ring = world.object("config", "keys/ring.json");
    let kept = fs::read(&ring).unwrap();
    fs::remove_file(&ring).unwrap();
    for minute in 1..15 {
        world.clock.forward(60);
        assert_eq!(status(&world, "good").await, 200, "minute {minute}");
        assert_eq!(status(&world, "wrong").await, 401, "minute {minute}");
    }
    world.clock.forward(60);
    assert_reply!(world.send(Ask::job(DONE).key("good")).await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: API keys cannot be checked at the moment","code":500}
    "#);
    assert_eq!(world.logs.request()["kind"], "keyring_stale");
    assert_eq!(status(&world, "wrong").await, 500);
    assert_eq!(world.logs.with("event", "keyring_refresh_failed").len(), 15, "one a minute");

    fs::write(&ring, kept).unwrap();
    assert_eq!(status(&world, "good").await, 500, "the next try comes 5 seconds after the last");
    world.clock.forward(5);
    assert_eq!(status(&world, "good").await, 200, "and then all is well");
    assert_eq!(status(&world, "wrong").await, 401);
}

#[tokio::test]
async fn a_clock_that_was_set_back_has_the_ring_read_again() {
    let world = in_s3(&[entry("old", "old")]).await;
    replace(&world, keyring(&[entry("new", "new")]));
    world.clock.back(3600);
    assert_eq!((status(&world, "old").await, status(&world, "new").await), (401, 200));
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_has_not_changed_is_not_sent_again() {
    fast_timers();
    let s3 = FaultS3::start().await;
    s3.then([Act::Answer(object(keyring(&[entry("good", "good")])))]);
    let world = Plan::at(s3.url()).set("API_KEYS", "s3://config/ring.json").start().await;
    let seen = s3.seen();
    assert!(seen[0].starts_with("GET /config/ring.json"), "{}", seen[0]);
    assert!(seen[1].starts_with("GET /jobs/00000000-0000-0000-0000-000000000000.json"), "{}", seen[1]);
    assert_eq!(seen.len(), 2, "at start-up");
    assert_eq!(s3.connections(), 1);

    world.clock.forward(60);
    s3.then([Act::Answer(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".to_vec()), Act::Answer(object(STATUS))]);
    assert_eq!(status(&world, "good").await, 200);
    let seen = s3.seen();
    assert!(
        seen[0].starts_with("GET /config/ring.json") && seen[0].contains("if-none-match: \"1\"\r\n"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with(&format!("GET /jobs/{DONE}.json")), "{}", seen[1]);
    assert_eq!(world.logs.with("event", "keyring_refresh_failed"), Vec::<Value>::new());

    world.clock.forward(59);
    s3.then([Act::Answer(object(STATUS))]);
    assert_eq!(status(&world, "good").await, 200);
    assert_eq!(s3.seen().len(), 1, "confirmed a minute ago");
    assert_eq!(s3.connections(), 1, "all on the connection that the start-up opened");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_s3_during_a_refresh_leaves_time_for_the_status() {
    fast_timers();
    let s3 = FaultS3::start().await;
    s3.always(Act::Answer(object(keyring(&[entry("good", "good")]))));
    let world = Plan::at(s3.url()).set("API_KEYS", "s3://config/ring.json").start().await;
    world.clock.forward(60);
    s3.seen();
    s3.then([Act::Hang(vec![]), Act::Hang(vec![])]);
    s3.always(Act::Answer(object(STATUS)));
    assert_eq!(world.send(Ask::job(UNKNOWN).key("good")).await.status_file(), STATUS);
    assert_eq!(s3.seen().len(), 3, "two attempts at the ring, one at the status");
    assert_eq!(world.logs.with("event", "keyring_refresh_failed").len(), 1);
    assert_eq!(status(&world, "good").await, 200);
    assert_eq!(s3.seen().len(), 1, "the next request does not wait for the ring again");
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_cannot_be_loaded_fails_the_init() {
    fast_timers();
    let s3 = FaultS3::start().await;
    for (answer, expected) in [
        (error("403 Forbidden", "AccessDenied", "Access Denied"), "the keyring cannot be read: access_denied: "),
        (
            error("404 Not Found", "NoSuchKey", "The specified key does not exist."),
            "the keyring cannot be read: no_such_key: ",
        ),
        (
            object("demo-key"),
            "the object that API_KEYS names is not a valid keyring: it is not valid JSON (line 1, column 1)",
        ),
    ] {
        s3.always(Act::Answer(answer));
        let failed = Plan::at(s3.url()).set("API_KEYS", "s3://config/ring.json").try_start().await.err().unwrap();
        let text = job_status::error::chain(&failed);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn neither_key_nor_digest_is_ever_printed_or_answered() {
    let world = in_s3(&[entry("good", "the good key")]).await;
    let mut bodies = String::new();
    for key in ["the good key", "the wrong key"] {
        bodies += &world.send(Ask::job(DONE).key(key)).await.to_string();
    }
    // Every way in which a key or digest can get into the wrong place of the document.
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
        replace(&world, document.to_string());
        world.clock.forward(60);
        bodies += &world.send(Ask::job(DONE).key("the good key")).await.to_string();
    }
    assert_eq!(world.logs.with("event", "keyring_refresh_failed").len(), 9);
    let everything = world.logs.text() + &bodies;
    for secret in ["the good key", "the wrong key", &sha256("the good key"), &sha256("the wrong key")] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}

/// Documents that parser and schema must agree on; the flag is the verdict.
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
                .map(|(value, verdict)| (json!({ "keys": [with(good.clone(), member, value)] }), verdict)),
        );
    }
    documents
}

#[test]
fn the_schema_and_the_parser_come_to_the_same_verdict() {
    let schema: Value = serde_json::from_str(include_str!("../../keyring.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for (document, verdict) in documents() {
        let parsed = job_status::keyring::Keyring::parse(document.to_string().as_bytes());
        assert_eq!(parsed.is_ok(), verdict, "parser on {document}");
        assert_eq!(schema.is_valid(&document), verdict, "schema on {document}");
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
        let faults = job_status::keyring::Keyring::parse(document.as_bytes()).err().unwrap();
        answers += &format!("{faults}\n");
    }
    insta::assert_snapshot!(answers, @"
    is not a valid keyring: it is not valid JSON (line 2, column 1)
    is not a valid keyring: keys[0]: name is given twice
    is not a valid keyring: keys[1] has the name of keys[0]
    is not a valid keyring: keys[1] (zeta) has the sha256 of acme
    is not a valid keyring: keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: prefix is not a folder such as acme/ (segments of letters, digits, - _ . each ending in /), keys[3]: expires is not a moment such as 2027-06-30T00:00:00Z (RFC 3339, with offset)
    is not a valid keyring: keys[0]: name is missing, keys[0]: sha256 is missing, keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: name is missing, keys[2]: sha256 is missing, keys[3]: name is missing, keys[3]: sha256 is missing, and 12 more
    ");
}
