//! Directory buckets of S3 Express One Zone: status files and keyring are read in sessions.

use std::time::Duration;

use futures_util::future::join_all;
use job_status::{Addressing, Bucket};
use local::samples::UNKNOWN;
use serde_json::{Value, json};
use testbed::{
    express::{DIRECTORY_BUCKET, Express, is_create_session, session},
    fault_s3::{Act, error_document, object, object_announced_as, object_with},
    keyring::{DEMO_KEY, document, entry},
};
use tokio::time::Instant;

use crate::harness::{Deployment, Environment, fast_timers, logged_attempts};

const STATUS: &str = r#"{"job_status":"done"}"#;

/// What S3 is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Session,
    Object,
}
use Asked::{Object, Session};

fn asked(express: &Express) -> Vec<Asked> {
    let requests = express.server.take_requests();
    requests.iter().map(|head| if is_create_session(head) { Session } else { Object }).collect()
}

fn in_front_of(express: &Express) -> Deployment {
    express.hold(|_| object(STATUS));
    Deployment::with_s3(express.server.url())
        .set("JOBS_BUCKET", DIRECTORY_BUCKET)
        .set("AWS_SESSION_TOKEN", "token-of-the-role")
}

/// An environment in front of a directory bucket, with a session that has just been made. Timers are fast.
async fn started() -> (Express, Environment) {
    fast_timers();
    let express = Express::start().await;
    let environment = in_front_of(&express).start().await;
    express.server.take_requests();
    (express, environment)
}

async fn assert_healthy(express: &Express, environment: &Environment, after: &str) {
    express.server.take_requests();
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS, "after {after}");
    assert!(environment.logs.request()["kind"].is_null(), "after {after}");
}

/// Fails to make a session, and nothing else.
fn refuse_sessions(express: &Express, answer: Act) {
    let object = Act::Answer(object(STATUS));
    express.server.always_by(move |head| if is_create_session(head) { answer.clone() } else { object.clone() });
}

fn elsewhere(endpoint: Option<&str>) -> Addressing {
    Addressing { endpoint: endpoint.map(Into::into), ..Addressing::default() }
}

#[test]
fn a_directory_buckets_address_is_in_its_zone() {
    for (name, region, endpoint, expected) in [
        (
            "jobs--use1-az4--x-s3",
            "us-east-1",
            None,
            "https://jobs--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
        ),
        (
            "jobs--cnn1-az1--x-s3",
            "cn-north-1",
            None,
            "https://jobs--cnn1-az1--x-s3.s3express-cnn1-az1.cn-north-1.amazonaws.com.cn",
        ),
        (
            "jobs--use1-az4--x-s3",
            "us-east-1",
            Some("http://127.0.0.1:9001/"),
            "http://127.0.0.1:9001/jobs--use1-az4--x-s3",
        ),
        (
            "jobs--use1-az4--x-s3",
            "us-east-1",
            Some("http://s3.example/base/"),
            "http://jobs--use1-az4--x-s3.s3.example/base",
        ),
    ] {
        assert_eq!(Bucket::resolve(name, region, &elsewhere(endpoint)).unwrap().url(), expected);
    }
    assert!(Bucket::resolve("jobs--x-s3", "us-east-1", &Addressing::default()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_is_made_at_start_up_and_polls_are_in_it() {
    fast_timers();
    let express = Express::start().await;
    let environment = in_front_of(&express).start().await;
    let requests = express.server.take_requests();
    let [create_session, probe] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(create_session.starts_with("GET /jobs--use1-az4--x-s3/?session HTTP/1.1\r\n"), "{create_session}");
    assert!(create_session.contains("x-amz-create-session-mode: ReadOnly\r\n"), "{create_session}");
    assert!(create_session.contains("x-amz-security-token: token-of-the-role\r\n"), "{create_session}");
    assert!(create_session.contains("/us-east-1/s3express/aws4_request"), "{create_session}");
    assert!(is_in_session(probe, 1), "{probe}");
    for _ in 0..3 {
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    }
    let polls = express.server.take_requests();
    assert_eq!(polls.len(), 3);
    assert!(polls.iter().all(|poll| is_in_session(poll, 1)), "{polls:?}");
}

/// Whether a request is signed with the credentials of the `number`th session, and not with the role's.
fn is_in_session(head: &str, number: u32) -> bool {
    let [key, _, token] = session(number);
    head.contains(&format!("Credential={key}/20261123/us-east-1/s3express/aws4_request"))
        && head.contains(&format!("x-amz-s3session-token: {token}\r\n"))
        && !head.contains("x-amz-security-token")
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_a_minute_before_its_end() {
    let (express, environment) = started().await;
    environment.clock.forward(239);
    assert_healthy(&express, &environment, "239 s").await;
    assert_eq!(asked(&express), [Object]);
    environment.clock.forward(1);
    environment.poll(UNKNOWN).await;
    environment.poll(UNKNOWN).await;
    let [create_session, first, second] = express.server.take_requests().try_into().unwrap();
    assert!(is_create_session(&create_session));
    assert!(is_in_session(&first, 2) && is_in_session(&second, 2), "{first}{second}");
}

#[tokio::test(start_paused = true)]
async fn one_request_renews_a_session_while_the_others_go_on_with_the_old_one() {
    let (express, environment) = started().await;
    refuse_sessions(&express, Act::Hang(vec![]));
    environment.clock.forward(270);
    let responses = join_all((0..8).map(|_| environment.poll(UNKNOWN))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    let requests = express.server.take_requests();
    let (create, polls): (Vec<_>, Vec<_>) = requests.iter().partition(|head| is_create_session(head));
    assert_eq!((create.len(), polls.len()), (1, 8));
    assert!(polls.iter().all(|poll| is_in_session(poll, 1)), "{polls:?}");
    // Whoever comes within five seconds does not try again.
    environment.poll(UNKNOWN).await;
    assert_eq!(asked(&express), [Object]);
    environment.clock.forward(5);
    environment.poll(UNKNOWN).await;
    assert_eq!(asked(&express), [Session, Object]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_costs_nobody_anything_while_the_old_session_lasts() {
    let (express, environment) = started().await;
    environment.clock.forward(270);
    express.server.then([Act::Answer(error_document("500 Internal Server Error", "InternalError", "Try again."))]);
    assert_healthy(&express, &environment, "a failed renewal").await;
    assert_eq!(environment.logs.request()["s3_attempts"], Value::Null);
    assert_eq!(asked(&express), [Session, Object]);
}

#[tokio::test(start_paused = true)]
async fn after_half_an_hour_in_the_freezer_the_first_requests_share_a_new_session() {
    let (express, environment) = started().await;
    for polls in [1, 8] {
        environment.clock.forward(1800);
        let responses = join_all((0..polls).map(|_| environment.poll(UNKNOWN))).await;
        assert!(responses.iter().all(|response| response.status_file() == STATUS));
        let asked = asked(&express);
        assert_eq!(asked[0], Session);
        assert_eq!(asked[1..], (0..polls).map(|_| Object).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_session_in_vain_try_themselves() {
    let (express, environment) = started().await;
    let denied = error_document("403 Forbidden", "AccessDenied", "Access Denied");
    refuse_sessions(&express, Act::Late(Duration::from_millis(50), denied));
    environment.clock.forward(1800);
    let responses = join_all((0..8).map(|_| environment.poll(UNKNOWN))).await;
    assert!(responses.iter().all(|response| response.status == 500));
    assert_eq!(asked(&express), [Session; 8]);
    assert_eq!(environment.logs.with("kind", "session_denied").len(), 8);
}

/// One that hangs takes nobody's budget but its own.
#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_session_that_hangs_time_out_together() {
    let (express, environment) = started().await;
    refuse_sessions(&express, Act::Hang(vec![]));
    environment.clock.forward(1800);
    let started = Instant::now();
    let responses = join_all((0..8).map(|_| environment.poll(UNKNOWN))).await;
    assert!(responses.iter().all(|response| response.status == 500));
    assert!(started.elapsed() < Duration::from_secs(6), "{:?} on the timers' clock", started.elapsed());
    assert_eq!(environment.logs.with("kind", "timed_out").len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_session_has_ended_gets_a_new_one_and_one_more_attempt() {
    let (express, environment) = started().await;
    express.end_sessions();
    assert_healthy(&express, &environment, "the end of a session").await;
    assert_eq!(environment.logs.request()["s3_attempts"], 2);
    assert_eq!(asked(&express), [Object, Session, Object]);

    // Even if that was its third attempt.
    express.end_sessions();
    let internal = error_document("500 Internal Server Error", "InternalError", "Try again.");
    express.server.then([Act::Answer(internal.clone()), Act::Answer(internal)]);
    assert_healthy(&express, &environment, "two faults and the end of a session").await;
    assert_eq!(asked(&express), [Object, Object, Object, Session, Object]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_each_session_is_answered_after_two_attempts() {
    let (express, environment) = started().await;
    let expired = error_document("400 Bad Request", "ExpiredToken", "The provided token has expired.");
    express.server.then([Act::Answer(expired.clone())]);
    express.hold(move |_| expired.clone());
    let response = environment.poll(UNKNOWN).await;
    let body =
        r#"{"error":"Failed to retrieve job status: the status store refused this service's credentials","code":500}"#;
    assert_eq!((response.status, response.body.as_str()), (500, body));
    assert_eq!(asked(&express), [Object, Session, Object]);
    assert_eq!(environment.logs.request()["kind"], "session_ended");
}

#[tokio::test(start_paused = true)]
async fn each_way_of_not_getting_a_session_has_its_row() {
    let (express, environment) = started().await;
    let refused = |status, code, message| Act::Answer(error_document(status, code, message));
    let nothing = "<CreateSessionResult><Credentials></Credentials></CreateSessionResult>";
    let (not_allowed, kms) =
        ("User is not authorized to perform: s3express:CreateSession", "not authorized to perform: kms:Decrypt");
    #[rustfmt::skip]
    let faults = [
        // the fault,             what S3 does,                                                                                    attempts, the kind,         what the caller reads
        ("no permission",         refused("403 Forbidden", "AccessDenied", not_allowed),                                           1, "session_denied",  "the status store refused access"),
        ("no permission for KMS", refused("403 Forbidden", "AccessDenied", kms),                                                   1, "kms_denied",      "the status could not be decrypted"),
        ("no such bucket",        refused("404 Not Found", "NoSuchBucket", "The specified bucket does not exist"),                 1, "no_such_bucket",  "the status store is not set up"),
        ("an expired role",       refused("400 Bad Request", "ExpiredToken", "The provided token has expired."),                   1, "bad_credentials", "the status store refused this service's credentials"),
        ("S3 failing",            refused("500 Internal Server Error", "InternalError", "We encountered an internal error."),      3, "unavailable",     "the status store is unavailable"),
        ("a hang",                Act::Hang(vec![]),                                                                               3, "timed_out",       "the status store timed out"),
        ("a closed connection",   Act::Close(vec![]),                                                                              3, "unreachable",     "the status store could not be reached"),
        ("half an answer",        Act::Close(object_announced_as(100, "", nothing.as_bytes())),                                     3, "cut_off",         "the status arrived incomplete"),
        ("no session in it",      Act::Answer(object(nothing)),                                                                    1, "unexpected",      "the status store gave an unexpected answer"),
        ("no XML",                Act::Answer(object("{}")),                                                                       1, "unexpected",      "the status store gave an unexpected answer"),
        ("16 KiB of nothing",     Act::Answer(object(vec![b' '; 16_384])),                                                         1, "unexpected",      "the status store gave an unexpected answer"),
        ("a byte more",           Act::Answer(object(vec![b' '; 16_385])),                                                         1, "too_large",       "the status is too large"),
    ];
    for (fault, act, attempts, kind, caller) in faults {
        environment.clock.forward(1800);
        refuse_sessions(&express, act);
        let response = environment.poll(UNKNOWN).await;
        let body = format!(r#"{{"error":"Failed to retrieve job status: {caller}","code":500}}"#);
        assert_eq!((response.status, response.body), (500, body), "{fault}");
        assert_eq!(asked(&express), (0..attempts).map(|_| Session).collect::<Vec<_>>(), "{fault}");
        let line = environment.logs.request();
        assert_eq!((&line["kind"], &line["s3_attempts"]), (&json!(kind), &logged_attempts(attempts)), "{fault}");
        assert!(line["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{fault}: {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_does_not_exist_is_named() {
    fast_timers();
    // No label of a host's name may be that long: nobody is asked for it.
    let nowhere = format!("http://{}/", "x".repeat(64));
    let environment = Deployment::with_s3(&nowhere).set("JOBS_BUCKET", DIRECTORY_BUCKET).start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status, 500);
    let line = environment.logs.request();
    assert_eq!((&line["kind"], &line["s3_attempts"]), (&json!("no_such_zone"), &json!(3)));
    assert!(line["hint"].as_str().unwrap().contains("JOBS_BUCKET"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn the_credentials_of_a_session_appear_nowhere() {
    let (express, environment) = started().await;
    let [key, secret, token] = session(1);
    let half = format!(
        "<CreateSessionResult><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken></Credentials></CreateSessionResult>"
    );
    environment.poll(UNKNOWN).await;
    environment.clock.forward(1800);
    refuse_sessions(&express, Act::Answer(object(half)));
    let response = environment.poll(UNKNOWN).await;
    assert_eq!(environment.logs.request()["kind"], "unexpected");
    let seen = environment.logs.text() + &response.to_string();
    for secret in [key, secret, token, "token-of-the-role".into()] {
        assert!(!seen.contains(&secret), "{seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyring_in_a_directory_bucket_is_read_again_only_if_its_etag_is_another() {
    fast_timers();
    let express = Express::start().await;
    let deployment = in_front_of(&express).set("API_KEYS", format!("s3://{DIRECTORY_BUCKET}/keyring.json"));
    // ETags are no MD5s there, but they still tell versions apart.
    let etag = "\"a1b2-opaque\"";
    let keyring = document(&[entry("demo", DEMO_KEY)]);
    express.hold(move |head| {
        if !head.contains("/keyring.json ") {
            object(STATUS)
        } else if head.contains(&format!("if-none-match: {etag}\r\n")) {
            format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n").into_bytes()
        } else {
            String::from_utf8(object(&keyring)).unwrap().replace("\"1\"", etag).into_bytes()
        }
    });
    let environment = deployment.start().await;
    assert_eq!(asked(&express), [Session, Object, Object], "keyring and status files share the session");
    environment.clock.forward(60);
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    let requests = express.server.take_requests();
    assert!(requests[0].contains(&format!("if-none-match: {etag}\r\n")), "{requests:?}");
    environment.clock.forward(60);
    assert_eq!(
        environment.poll(UNKNOWN).await.status_file(),
        STATUS,
        "the keyring that has not changed stays in force"
    );
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn the_checksums_of_directory_buckets_are_verified() {
    let (express, environment) = started().await;
    // What the SDKs send with an upload, S3 keeps and hands out: CRC32 and CRC64NVME.
    for (headers, kind) in [
        ("x-amz-checksum-crc32: 91zA5Q==\r\n", None),
        ("x-amz-checksum-crc32: AAAAAA==\r\n", Some("damaged")),
        ("x-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\n", Some("damaged")),
    ] {
        express.hold(move |_| object_with(headers, STATUS));
        environment.poll(UNKNOWN).await;
        assert_eq!(environment.logs.request()["kind"].as_str(), kind, "{headers}");
    }
    assert!(express.server.take_requests()[0].contains("x-amz-checksum-mode: ENABLED\r\n"));
}
