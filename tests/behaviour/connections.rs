//! Connections to S3: who is trusted, and how long one is kept.

use std::{fs, time::Duration};

use local::samples::UNKNOWN;
use serde_json::json;
use testbed::fault_s3::{Act, FaultS3, object, tls};

use crate::harness::{Deployment, Environment, STATUS, failure, fast_timers};

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_a_500_after_three_attempts() {
    fast_timers();
    let environment = Deployment::with_s3("http://127.0.0.1:1").start().await;
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure("the status store could not be reached"));
    let line = environment.logs.request();
    assert_eq!((&line["kind"], &line["s3_attempts"]), (&json!("unreachable"), &json!(3)), "{line}");
    assert!(line["error"].as_str().unwrap().contains("Connection refused"), "{line}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_500_after_three_attempts() {
    let environment = Deployment::with_s3("http://no-such-host.invalid").start().await;
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure("the status store could not be reached"));
    assert_eq!(environment.logs.request()["s3_attempts"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_while_idle_costs_one_silent_retry_at_most() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    for _ in 0..3 {
        s3.always(Act::AnswerThenClose(object(STATUS)));
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
        s3.always(Act::Answer(object(STATUS)));
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    }
    // The request reaches a server that has dropped the connection: an environment sees this after a freeze.
    s3.then([Act::Reset(vec![])]);
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_for_15_seconds_and_then_dropped() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    let before = s3.connections();
    for (pause, connections) in [(0, 0), (14, 0), (16, 1), (0, 1)] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        assert_eq!(environment.poll(UNKNOWN).await.status, 404);
        assert_eq!(s3.connections() - before, connections, "after {pause} s");
    }
}

/// An environment in front of an S3 behind TLS, whose certificate is for `localhost`. It asks for `host`, and its
/// `AWS_CA_BUNDLE` may have the authority of that certificate.
async fn over_tls(host: &str, is_in_bundle: bool) -> (FaultS3, Environment) {
    let (acceptor, authority) = tls();
    let s3 = FaultS3::start_tls(acceptor).await;
    let mut deployment = Deployment::with_s3(&s3.url().replace("localhost", host));
    let bundle = tempfile::NamedTempFile::new().unwrap();
    if is_in_bundle {
        fs::write(&bundle, authority).unwrap();
        deployment = deployment.set("AWS_CA_BUNDLE", bundle.path().to_str().unwrap());
    }
    let environment = deployment.start().await;
    (s3, environment)
}

/// Asserts that a poll fails because S3 cannot be trusted, and that the hint names the remedy.
async fn assert_untrusted(environment: &Environment, remedy: &str) {
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure("no trusted connection to the status store"));
    let line = environment.logs.request();
    assert_eq!(line["kind"], "untrusted");
    assert!(line["hint"].as_str().unwrap().contains(remedy), "{line}");
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused_and_ca_bundle_is_named() {
    let (s3, environment) = over_tls("localhost", false).await;
    let before = s3.connections();
    assert_untrusted(&environment, "set AWS_CA_BUNDLE to a PEM file").await;
    assert_eq!((s3.connections() - before, s3.take_requests().len()), (3, 0));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_the_name_is_to_be_checked() {
    let (_s3, environment) = over_tls("127.0.0.1", true).await;
    assert_untrusted(&environment, "check the endpoint's name").await;
}

#[tokio::test]
async fn an_authority_in_the_ca_bundle_is_trusted() {
    let (s3, environment) = over_tls("localhost", true).await;
    s3.always(Act::Answer(object(STATUS)));
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    assert_eq!(s3.connections(), 1, "the connection was opened at start-up");
    assert_eq!(environment.logs.with("event", "started")[0]["trust_store"], "AWS_CA_BUNDLE");
}
