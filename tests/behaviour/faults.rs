//! Whatever S3 does, the answer is a documented one, in time, and the next request is served.

use std::time::Duration;

use local::samples::UNKNOWN;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    ask::{Ask, assert_reply},
    clock::fast_timers,
    fault_s3::{Act, FaultS3, error, no_such_key, object, object_with, promising, tls},
    world::{Plan, World},
};

const STATUS: &str = r#"{"job_status":"done"}"#;

/// A world whose S3 is the fault injector; the start-up probe is over and timers are fast.
async fn faulty() -> (FaultS3, World) {
    fast_timers();
    let s3 = FaultS3::start().await;
    let world = Plan::at(s3.url()).start().await;
    s3.seen();
    (s3, world)
}

/// Asserts that the next request on the same environment succeeds, in one attempt.
async fn assert_healthy(s3: &FaultS3, world: &World, after: &str) {
    s3.seen();
    s3.always(Act::Answer(object(STATUS)));
    assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS, "after {after}");
    assert_eq!(s3.seen().len(), 1, "after {after}");
}

/// What each fault gets if it goes on: attempts, status and message; and the kind in the log.
#[tokio::test(start_paused = true)]
async fn each_fault_has_its_answer_its_number_of_attempts_and_no_aftermath() {
    let (s3, world) = faulty().await;
    let slow = Duration::from_millis(100);
    let whole = object(STATUS);
    let head = whole.split_at(40).0.to_vec();
    let half = promising(100, "", b"{\"job_status\":");
    for (fault, act, attempts, message, kind) in [
        ("hang before the answer", Act::Hang(vec![]), 3, "the status store timed out", "timed_out"),
        ("hang in the head", Act::Hang(head.clone()), 3, "the status store timed out", "timed_out"),
        ("hang in the body", Act::Hang(half.clone()), 3, "the status store timed out", "timed_out"),
        ("a byte now and then", Act::Drip(whole.clone(), slow), 3, "the status store timed out", "timed_out"),
        ("close before the answer", Act::Close(vec![]), 3, "the status store could not be reached", "unreachable"),
        ("close in the head", Act::Close(head.clone()), 3, "the status store could not be reached", "unreachable"),
        ("close in the body", Act::Close(half.clone()), 3, "the status arrived incomplete", "cut_off"),
        ("reset before the answer", Act::Reset(vec![]), 3, "the status store could not be reached", "unreachable"),
        ("reset in the body", Act::Reset(half.clone()), 3, "the status arrived incomplete", "cut_off"),
        (
            "not HTTP",
            Act::Close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
            3,
            "the status store could not be reached",
            "unreachable",
        ),
        (
            "a wrong checksum",
            Act::Answer(object_with("x-amz-checksum-crc32: AAAAAA==\r\n", STATUS)),
            3,
            "the status arrived damaged",
            "damaged",
        ),
        (
            "500",
            Act::Answer(error("500 Internal Server Error", "InternalError", "We encountered an internal error.")),
            3,
            "the status store is unavailable",
            "unavailable",
        ),
        (
            "503",
            Act::Answer(error("503 Service Unavailable", "ServiceUnavailable", "Service is unable to handle request.")),
            3,
            "the status store is unavailable",
            "unavailable",
        ),
        (
            "502 of a proxy",
            Act::Answer(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad".to_vec()),
            3,
            "the status store is unavailable",
            "unavailable",
        ),
        (
            "no such bucket",
            Act::Answer(error("404 Not Found", "NoSuchBucket", "The specified bucket does not exist")),
            1,
            "the status store is not set up",
            "no_such_bucket",
        ),
        (
            "access denied",
            Act::Answer(error(
                "403 Forbidden",
                "AccessDenied",
                "User: arn:aws:sts::1:role is not authorized to perform: s3:ListBucket",
            )),
            1,
            "the status store refused access",
            "access_denied",
        ),
        (
            "KMS denied",
            Act::Answer(error(
                "403 Forbidden",
                "AccessDenied",
                "User: arn:aws:sts::1:role is not authorized to perform: kms:Decrypt",
            )),
            1,
            "the status could not be decrypted",
            "kms_denied",
        ),
        (
            "KMS key disabled",
            Act::Answer(error("400 Bad Request", "KMS.DisabledException", "arn:aws:kms:key is disabled.")),
            1,
            "the status could not be decrypted",
            "kms_denied",
        ),
        (
            "a redirect",
            Act::Answer(error(
                "301 Moved Permanently",
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed",
            )),
            1,
            "the status store is in another region",
            "wrong_region",
        ),
        (
            "a wrong region",
            Act::Answer(error(
                "400 Bad Request",
                "AuthorizationHeaderMalformed",
                "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            )),
            1,
            "the status store is in another region",
            "wrong_region",
        ),
        (
            "an expired token",
            Act::Answer(error("400 Bad Request", "ExpiredToken", "The provided token has expired.")),
            1,
            "the status store refused this service's credentials",
            "bad_credentials",
        ),
        (
            "an archived object",
            Act::Answer(error(
                "403 Forbidden",
                "InvalidObjectState",
                "The operation is not valid for the object's storage class",
            )),
            1,
            "the status is archived",
            "archived",
        ),
        (
            "an answer nobody expects",
            Act::Answer(error("418 I'm a teapot", "Teapot", "short and stout")),
            1,
            "the status store gave an unexpected answer",
            "unexpected",
        ),
    ] {
        s3.always(act);
        let reply = world.poll(UNKNOWN).await;
        let body = format!(r#"{{"error":"Failed to retrieve job status: {message}","code":500}}"#);
        assert_eq!((reply.status, &reply.body), (500, &body), "{fault}");
        assert_eq!(reply.header("retry-after"), None, "{fault}");
        assert_eq!(s3.seen().len(), attempts, "{fault}");
        let line = world.logs.request();
        assert_eq!(
            (&line["level"], &line["outcome"], &line["kind"], &line["s3_attempts"]),
            (&json!("ERROR"), &json!("failed"), &json!(kind), &json!(attempts)),
            "{fault}: {line}"
        );
        let (error, hint) = (line["error"].as_str().unwrap(), line["hint"].as_str().unwrap());
        assert!(error.starts_with(&format!("{kind}: ")) && !hint.is_empty(), "{fault}: {line}");
        assert_healthy(&s3, &world, fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_costs_attempts_and_no_error() {
    let (s3, world) = faulty().await;
    let half = promising(100, "", b"{\"job_status\":");
    let internal = error("500 Internal Server Error", "InternalError", "We encountered an internal error.");
    let slow_down = error("503 Slow Down", "SlowDown", "Please reduce your request rate.");
    s3.always(Act::Answer(object(STATUS)));
    for (fault, acts) in [
        ("a hang", vec![Act::Hang(vec![])]),
        ("a stalled body", vec![Act::Hang(half.clone())]),
        ("a cut-off body and a reset", vec![Act::Close(half), Act::Reset(vec![])]),
        ("500 twice", vec![Act::Answer(internal.clone()), Act::Answer(internal)]),
        ("slow down twice", vec![Act::Answer(slow_down.clone()), Act::Answer(slow_down)]),
        ("a wrong checksum", vec![Act::Answer(object_with("x-amz-checksum-crc32: AAAAAA==\r\n", STATUS))]),
    ] {
        let attempts = acts.len() + 1;
        s3.then(acts);
        assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS, "{fault}");
        assert_eq!(s3.seen().len(), attempts, "{fault}");
        assert_eq!(world.logs.request()["s3_attempts"], attempts, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_turns_out_missing_after_a_fault_is_not_found() {
    let (s3, world) = faulty().await;
    s3.then([Act::Close(vec![]), Act::Answer(no_such_key())]);
    assert_eq!(world.poll(UNKNOWN).await.status, 404);
    assert_eq!(s3.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_s3_that_asks_to_slow_down_makes_callers_slow_down() {
    let (s3, world) = faulty().await;
    for answer in [
        error("503 Slow Down", "SlowDown", "Please reduce your request rate."),
        error("503 Service Unavailable", "ServiceUnavailable", "Please reduce your request rate."),
        error("429 Too Many Requests", "TooManyRequests", "Please slow down"),
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ] {
        s3.always(Act::Answer(answer));
        let reply = world.poll(UNKNOWN).await;
        insta::allow_duplicates! { assert_reply!(reply, @r#"
        429
        cache-control: no-store
        content-type: application/json
        retry-after: 5
        x-content-type-options: nosniff
        x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

        {"error":"Too many requests: try again in 5 seconds","code":429}
        "#); }
        assert_eq!(s3.seen().len(), 3);
        let line = world.logs.request();
        assert_eq!(
            (&line["level"], &line["outcome"], &line["kind"]),
            (&json!("WARN"), &json!("throttled"), &json!("slow_down"))
        );
    }
    assert_healthy(&s3, &world, "slowing down").await;
}

#[tokio::test(start_paused = true)]
async fn a_right_checksum_is_checked_and_passes() {
    let (s3, world) = faulty().await;
    s3.always(Act::Answer(object_with("x-amz-checksum-crc32: 91zA5Q==\r\n", STATUS)));
    let reply = world.poll(UNKNOWN).await;
    assert_eq!(reply.status_file(), STATUS);
    assert!(s3.seen()[0].contains("x-amz-checksum-mode: ENABLED"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_tried_again_and_then_a_500() {
    fast_timers();
    let world = Plan::at("http://127.0.0.1:1").start().await;
    assert_reply!(world.poll(UNKNOWN).await, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the status store could not be reached","code":500}
    "#);
    let line = world.logs.request();
    assert_eq!((&line["kind"], &line["s3_attempts"]), (&json!("unreachable"), &json!(3)), "{line}");
    assert!(line["error"].as_str().unwrap().contains("Connection refused"), "{line}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_tried_again_and_then_a_500() {
    let world = Plan::at("http://no-such-host.invalid").start().await;
    let reply = world.poll(UNKNOWN).await;
    assert_eq!(
        reply.body,
        r#"{"error":"Failed to retrieve job status: the status store could not be reached","code":500}"#
    );
    assert_eq!(world.logs.request()["s3_attempts"], 3);
}

#[tokio::test(start_paused = true)]
async fn no_answer_takes_longer_than_three_attempts_or_five_seconds() {
    let (s3, world) = faulty().await;
    s3.always(Act::Hang(vec![]));
    let started = Instant::now();
    assert_eq!(world.poll(UNKNOWN).await.status, 500);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(4500) && took <= Duration::from_secs(5), "{took:?} on the timers' clock");
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_before_the_invocations_own_deadline() {
    let (s3, world) = faulty().await;
    s3.always(Act::Hang(vec![]));
    let started = Instant::now();
    let reply = world.send(Ask::job(UNKNOWN).time_left(Duration::from_secs(3))).await;
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(2400) && took <= Duration::from_millis(2600),
        "{took:?} on the timers' clock"
    );
    assert_reply!(reply, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: the request timed out","code":500}
    "#);
    assert_eq!(s3.seen().len(), 2, "the second attempt was under way");
    let line = world.logs.request();
    assert_eq!(line["error"], "not answered within 2.5s: timed_out: deadline has elapsed", "{line}");
    assert_healthy(&s3, &world, "running out of time").await;

    let reply = world.send(Ask::job(UNKNOWN).time_left(Duration::from_millis(100))).await;
    assert_eq!(reply.body, r#"{"error":"Failed to retrieve job status: the request timed out","code":500}"#);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_while_idle_costs_one_silent_retry_at_most() {
    let (s3, world) = faulty().await;
    for _ in 0..3 {
        s3.always(Act::AnswerThenClose(object(STATUS)));
        assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS);
        s3.always(Act::Answer(object(STATUS)));
        assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS);
    }
    // The request reaches the other side, which is gone by then: what a thawed environment sees.
    s3.then([Act::Reset(vec![])]);
    assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_for_15_seconds_and_then_dropped() {
    let (s3, world) = faulty().await;
    let before = s3.connections();
    for (pause, connections) in [(0, 0), (14, 0), (16, 1), (0, 1)] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        assert_eq!(world.poll(UNKNOWN).await.status, 404);
        assert_eq!(s3.connections() - before, connections, "after {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_s3_reaches_the_caller() {
    let (s3, world) = faulty().await;
    for (status, code) in [
        ("403 Forbidden", "AccessDenied"),
        ("404 Not Found", "NoSuchBucket"),
        ("400 Bad Request", "ExpiredToken"),
        ("409 Conflict", "X"),
    ] {
        s3.always(Act::Answer(error(status, code, "secret-message arn:aws:s3:::secret-bucket")));
        let reply = world.poll(UNKNOWN).await.to_string();
        for secret in ["secret", "arn:", "127.0.0.1", "jobs/", code, "SdkError", "Error {"] {
            assert!(!reply.contains(secret), "{secret} in {reply}");
        }
        let line = world.logs.request();
        assert!(line["error"].as_str().unwrap().contains("secret-message"), "the operator is told: {line}");
    }
}

#[tokio::test]
async fn the_operator_reads_what_s3_said_with_its_ids_and_which_permission_is_missing() {
    let s3 = FaultS3::start().await;
    let world = Plan::at(s3.url()).start().await;
    s3.always(Act::Answer(error("403 Forbidden", "AccessDenied", "Access Denied")));
    assert_eq!(world.poll(UNKNOWN).await.status, 500);
    let line = world.logs.request();
    assert_eq!(
        line["error"],
        "access_denied: S3 answered 403 AccessDenied: Access Denied, request id 4442587FB7D0A2F9, host id Ofq2bQ=="
    );
    assert!(line["hint"].as_str().unwrap().contains("s3:ListBucket"), "{line}");
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused_and_ca_bundle_is_named() {
    let (acceptor, _) = tls();
    let s3 = FaultS3::start_tls(acceptor).await;
    let world = Plan::at(format!("https://localhost:{}", s3.address.port())).start().await;
    let before = s3.connections();
    let reply = world.poll(UNKNOWN).await;
    assert_eq!(
        reply.body,
        r#"{"error":"Failed to retrieve job status: no trusted connection to the status store","code":500}"#
    );
    assert_eq!((s3.connections() - before, s3.seen().len()), (3, 0));
    let line = world.logs.request();
    assert_eq!(line["kind"], "untrusted");
    assert!(line["hint"].as_str().unwrap().contains("AWS_CA_BUNDLE"), "{line}");
}

#[tokio::test]
async fn an_authority_in_the_ca_bundle_is_trusted() {
    let (acceptor, pem) = tls();
    let s3 = FaultS3::start_tls(acceptor).await;
    let bundle = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&bundle, pem).unwrap();
    let plan = Plan::at(format!("https://localhost:{}", s3.address.port()));
    let world = plan.set("AWS_CA_BUNDLE", bundle.path().to_str().unwrap()).start().await;
    s3.always(Act::Answer(object(STATUS)));
    assert_eq!(world.poll(UNKNOWN).await.status_file(), STATUS);
    assert_eq!(s3.connections(), 1, "the connection was opened at start-up");
    assert_eq!(world.logs.with("event", "started")[0]["trust_store"], "AWS_CA_BUNDLE");
}

#[tokio::test]
async fn a_panic_is_answered_logged_and_survived() {
    let world = World::new().await;
    world.clock.panic_at(3); // read by this test, for the request's budget, and then inside the request
    let reply = world.poll(UNKNOWN).await;
    assert_reply!(reply, @r#"
    500
    cache-control: no-store
    content-type: application/json
    x-content-type-options: nosniff
    x-request-id: 8d43fe0c-6ad4-4b14-a2ba-8a8a1d1b7d6f

    {"error":"Failed to retrieve job status: internal error","code":500}
    "#);
    let line = world.logs.request();
    assert_eq!(
        (&line["outcome"], &line["kind"], &line["error"]),
        (&json!("failed"), &json!("panic"), &json!("the clock is broken"))
    );
    assert_eq!(world.poll(UNKNOWN).await.status, 404);
}
