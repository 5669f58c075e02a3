//! Whatever S3 does, the answer comes in time and is a documented one, and the next request is served.

use std::{collections::BTreeSet, time::Duration};

use job_status::FailureKind;
use local::samples::UNKNOWN;
use serde_json::json;
use testbed::fault_s3::{Act, FaultS3, error_document, no_such_key, object, object_announced_as, object_with};
use tokio::time::Instant;

use crate::harness::{Environment, Request, STATUS, assert_response, failure, logged_attempts};

/// Asserts that the next request on the same environment succeeds, in one attempt.
async fn assert_healthy(s3: &FaultS3, environment: &Environment, after: &str) {
    s3.take_requests();
    s3.always(Act::Answer(object(STATUS)));
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS, "after {after}");
    assert_eq!(s3.take_requests().len(), 1, "after {after}");
}

/// Asserts what a fault leads to while it lasts: the number of attempts, the answer and the log line. Then
/// asserts that the next request succeeds.
async fn assert_fault(s3: &FaultS3, environment: &Environment, fault: &str, attempts: usize, caller: &str, kind: &str) {
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure(caller), "{fault}");
    assert_eq!(s3.take_requests().len(), attempts, "{fault}");
    let line = environment.logs.request();
    assert_eq!(
        (&line["level"], &line["outcome"], &line["kind"], &line["s3_attempts"]),
        (&json!("ERROR"), &json!("failed"), &json!(kind), &logged_attempts(attempts)),
        "{fault}: {line}"
    );
    let (error, hint) = (line["error"].as_str().unwrap(), line["hint"].as_str().unwrap());
    assert!(error.starts_with(&format!("{kind}: ")) && !hint.is_empty(), "{fault}: {line}");
    assert_healthy(s3, environment, fault).await;
}

/// Asserts that a table has every kind of failure that is, or is not, tried again. Those in `elsewhere`
/// have tests of their own.
fn assert_complete(retried: bool, tested: impl Iterator<Item = &'static str>, elsewhere: &[&'static str]) {
    let rows = FailureKind::ALL.map(FailureKind::row);
    let kinds: BTreeSet<_> = rows.iter().filter(|row| row.retried == retried).map(|row| row.name).collect();
    assert_eq!(tested.chain(elsewhere.iter().copied()).collect::<BTreeSet<_>>(), kinds);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_may_pass_is_answered_after_three_attempts() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    let head = || object(STATUS)[..40].to_vec();
    let half = || object_announced_as(100, "", b"{\"job_status\":");
    let wrong_checksum = object_with("x-amz-checksum-crc32: AAAAAA==\r\n", STATUS);
    let internal_error =
        error_document("500 Internal Server Error", "InternalError", "We encountered an internal error.");
    let unavailable =
        error_document("503 Service Unavailable", "ServiceUnavailable", "Service is unable to handle request.");
    let request_timeout = error_document(
        "400 Bad Request",
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period.",
    );
    let bad_gateway = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad".to_vec();
    #[rustfmt::skip]
    let faults = [
        // the fault,               what S3 does,                                          what the caller reads,                   the kind in the log
        ("hang before the answer",  Act::Hang(vec![]),                                     "the status store timed out",            "timed_out"),
        ("hang in the head",        Act::Hang(head()),                                     "the status store timed out",            "timed_out"),
        ("hang in the body",        Act::Hang(half()),                                     "the status store timed out",            "timed_out"),
        ("a byte now and then",     Act::Drip(object(STATUS), Duration::from_millis(100)), "the status store timed out",            "timed_out"),
        ("a stalled upload",        Act::Answer(request_timeout),                          "the status store timed out",            "timed_out"),
        ("close before the answer", Act::Close(vec![]),                                    "the status store could not be reached", "unreachable"),
        ("close in the head",       Act::Close(head()),                                    "the status store could not be reached", "unreachable"),
        ("reset before the answer", Act::Reset(vec![]),                                    "the status store could not be reached", "unreachable"),
        ("not HTTP",                Act::Close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),   "the status store could not be reached", "unreachable"),
        ("close in the body",       Act::Close(half()),                                    "the status arrived incomplete",         "cut_off"),
        ("reset in the body",       Act::Reset(half()),                                    "the status arrived incomplete",         "cut_off"),
        ("a wrong checksum",        Act::Answer(wrong_checksum),                           "the status arrived damaged",            "damaged"),
        ("500",                     Act::Answer(internal_error),                           "the status store is unavailable",       "unavailable"),
        ("503",                     Act::Answer(unavailable),                              "the status store is unavailable",       "unavailable"),
        ("502 of a proxy",          Act::Answer(bad_gateway),                              "the status store is unavailable",       "unavailable"),
    ];
    assert_complete(true, faults.iter().map(|fault| fault.3), &["slow_down", "untrusted", "no_such_zone"]);
    for (fault, act, caller, kind) in faults {
        s3.always(act);
        assert_fault(&s3, &environment, fault, 3, caller, kind).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_stays_is_answered_after_one_attempt() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    let unknown_key = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
    #[rustfmt::skip]
    let faults = [
        // the fault,                    S3's status,             its code,                       its message,                                                                  what the caller reads,                                 the kind in the log
        ("no such bucket",               "404 Not Found",         "NoSuchBucket",                 "The specified bucket does not exist",                                        "the status store is not set up",                      "no_such_bucket"),
        ("access denied",                "403 Forbidden",         "AccessDenied",                 "User: arn:aws:sts::1:role is not authorized to perform: s3:ListBucket",      "the status store refused access",                     "access_denied"),
        ("KMS denied",                   "403 Forbidden",         "AccessDenied",                 "User: arn:aws:sts::1:role is not authorized to perform: kms:Decrypt",        "the status could not be decrypted",                   "kms_denied"),
        ("a KMS key of another account", "403 Forbidden",         "AccessDenied",                 unknown_key,                                                                  "the status could not be decrypted",                   "kms_denied"),
        ("KMS key disabled",             "400 Bad Request",       "KMS.DisabledException",        "arn:aws:kms:key is disabled.",                                               "the status could not be decrypted",                   "kms_denied"),
        ("a redirect",                   "301 Moved Permanently", "PermanentRedirect",            "The bucket you are attempting to access must be addressed",                  "the status store is in another region",               "wrong_region"),
        ("a wrong region",               "400 Bad Request",       "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'",                     "the status store is in another region",               "wrong_region"),
        ("a clock that is off",          "403 Forbidden",         "RequestTimeTooSkewed",         "The difference between the request time and the current time is too large.", "the status store refused this service's clock",       "clock_skewed"),
        ("an expired token",             "400 Bad Request",       "ExpiredToken",                 "The provided token has expired.",                                            "the status store refused this service's credentials", "bad_credentials"),
        ("an archived object",           "403 Forbidden",         "InvalidObjectState",           "The operation is not valid for the object's storage class",                  "the status is archived",                              "archived"),
        ("an answer nobody expects",     "418 I'm a teapot",      "Teapot",                       "short and stout",                                                            "the status store gave an unexpected answer",          "unexpected"),
    ];
    assert_complete(
        false,
        faults.iter().map(|fault| fault.5),
        &["no_such_key", "undecodable", "too_large", "session_denied", "session_ended"],
    );
    for (fault, status, code, message, caller, kind) in faults {
        s3.always(Act::Answer(error_document(status, code, message)));
        assert_fault(&s3, &environment, fault, 1, caller, kind).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_costs_attempts_but_is_no_error() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    let half = object_announced_as(100, "", b"{\"job_status\":");
    let internal = error_document("500 Internal Server Error", "InternalError", "We encountered an internal error.");
    let slow_down = error_document("503 Slow Down", "SlowDown", "Please reduce your request rate.");
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
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS, "{fault}");
        assert_eq!(s3.take_requests().len(), attempts, "{fault}");
        assert_eq!(environment.logs.request()["s3_attempts"], attempts, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_turns_out_missing_after_a_fault_is_not_found() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    s3.then([Act::Close(vec![]), Act::Answer(no_such_key())]);
    assert_eq!(environment.poll(UNKNOWN).await.status, 404);
    assert_eq!(s3.take_requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_s3_that_asks_to_slow_down_makes_callers_slow_down() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    for answer in [
        error_document("503 Slow Down", "SlowDown", "Please reduce your request rate."),
        error_document("503 Service Unavailable", "ServiceUnavailable", "Please reduce your request rate."),
        error_document("429 Too Many Requests", "TooManyRequests", "Please slow down"),
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ] {
        s3.always(Act::Answer(answer));
        let response = environment.poll(UNKNOWN).await;
        insta::allow_duplicates! { assert_response!(response, @r#"
        429
        retry-after: 5

        {"error":"Too many requests: try again in 5 seconds","code":429}
        "#); }
        assert_eq!(s3.take_requests().len(), 3);
        let line = environment.logs.request();
        assert_eq!(
            (&line["level"], &line["outcome"], &line["kind"]),
            (&json!("WARN"), &json!("throttled"), &json!("slow_down"))
        );
    }
    assert_healthy(&s3, &environment, "slowing down").await;
}

#[tokio::test(start_paused = true)]
async fn a_right_checksum_is_checked_and_passes() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    s3.always(Act::Answer(object_with("x-amz-checksum-crc32: 91zA5Q==\r\n", STATUS)));
    let response = environment.poll(UNKNOWN).await;
    assert_eq!(response.status_file(), STATUS);
    assert!(s3.take_requests()[0].contains("x-amz-checksum-mode: ENABLED"));
}

#[tokio::test(start_paused = true)]
async fn no_answer_takes_longer_than_three_attempts_or_five_seconds() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    s3.always(Act::Hang(vec![]));
    let started = Instant::now();
    assert_eq!(environment.poll(UNKNOWN).await.status, 500);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(4500) && took <= Duration::from_secs(5), "{took:?} on the timers' clock");
    let line = environment.logs.request();
    let (run_time, s3_time) = (line["run_time"].as_f64().unwrap(), line["s3_time"].as_f64().unwrap());
    assert!(4.5 <= s3_time && s3_time <= run_time && run_time <= 5.0, "{line}");
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_before_the_invocations_own_deadline() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    s3.always(Act::Hang(vec![]));
    let started = Instant::now();
    let response = environment.send(Request::job(UNKNOWN).time_left(Duration::from_secs(3))).await;
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(2400) && took <= Duration::from_millis(2600),
        "{took:?} on the timers' clock"
    );
    assert_eq!(response.to_string(), failure("the request timed out"));
    assert_eq!(s3.take_requests().len(), 2, "the second attempt was under way");
    let line = environment.logs.request();
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("not answered within 2.5 s: 2.5 s for S3, 0.0 s waiting for a permit, "), "{line}");
    assert!(error.ends_with(": timed_out: deadline has elapsed"), "{line}");
    assert_eq!((&line["kind"], line["s3_time"].as_f64().unwrap() > 2.4), (&json!("timed_out"), true), "{line}");
    assert_healthy(&s3, &environment, "running out of time").await;

    let response = environment.send(Request::job(UNKNOWN).time_left(Duration::from_millis(100))).await;
    assert_eq!(response.to_string(), failure("the request timed out"));
}

#[tokio::test]
async fn an_error_document_of_16_kib_is_read_and_one_byte_more_is_not() {
    let (s3, environment) = Environment::with_fault_s3(&[]).await;
    let document = |message: &str| error_document("403 Forbidden", "InvalidObjectState", message);
    let empty = String::from_utf8(document("")).unwrap().split_once("\r\n\r\n").unwrap().1.len();
    for (size, kind) in [(16_384, "archived"), (16_385, "access_denied")] {
        s3.always(Act::Answer(document(&"x".repeat(size - empty))));
        environment.poll(UNKNOWN).await;
        assert_eq!(environment.logs.request()["kind"], kind, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_s3_reaches_the_caller() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    for (status, code) in [
        ("403 Forbidden", "AccessDenied"),
        ("404 Not Found", "NoSuchBucket"),
        ("400 Bad Request", "ExpiredToken"),
        ("409 Conflict", "X"),
    ] {
        s3.always(Act::Answer(error_document(status, code, "secret-message arn:aws:s3:::secret-bucket")));
        let response = environment.poll(UNKNOWN).await.to_string();
        for secret in ["secret", "arn:", "127.0.0.1", "jobs/", code, "SdkError", "Error {"] {
            assert!(!response.contains(secret), "{secret} in {response}");
        }
        let line = environment.logs.request();
        assert!(line["error"].as_str().unwrap().contains("secret-message"), "the operator is told: {line}");
    }
}

#[tokio::test]
async fn the_operator_reads_what_s3_said_with_its_ids_and_which_permission_is_missing() {
    let (s3, environment) = Environment::with_fault_s3(&[]).await;
    s3.always(Act::Answer(error_document("403 Forbidden", "AccessDenied", "Access Denied")));
    assert_eq!(environment.poll(UNKNOWN).await.status, 500);
    let line = environment.logs.request();
    assert_eq!(
        line["error"],
        "access_denied: S3 answered 403 AccessDenied: Access Denied, request id 4442587FB7D0A2F9, host id Ofq2bQ=="
    );
    assert!(line["hint"].as_str().unwrap().contains("s3:ListBucket"), "{line}");
}

#[tokio::test]
async fn a_panic_is_answered_logged_and_survived() {
    let environment = Environment::start().await;
    environment.clock.panic_at(3); // read by this test, for the request's budget, and then inside the request
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure("internal error"));
    let line = environment.logs.request();
    assert_eq!(
        (&line["outcome"], &line["kind"], &line["error"]),
        (&json!("failed"), &json!("panic"), &json!("the clock is broken"))
    );
    assert_eq!(environment.poll(UNKNOWN).await.status, 404);
}
