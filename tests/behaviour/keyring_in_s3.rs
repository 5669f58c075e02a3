//! How the keyring is read from S3: at start-up, after a change, and while S3 is slow.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use local::samples::DONE;
use serde_json::Value;
use testbed::{
    fault_s3::{Act, FaultS3, error_document, object},
    keyring::DEMO_KEY,
};
use tokio::{
    runtime::Builder,
    sync::Barrier,
    time::{Instant, sleep},
};

use crate::harness::{Deployment, Environment, KEYRING, Request, STATUS, accepting, fast_timers, runtime};

/// A deployment whose keyring is in this S3.
fn with_keyring_in(s3: &FaultS3) -> Deployment {
    Deployment::with_s3(s3.url()).set("API_KEYS", KEYRING)
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_cannot_be_loaded_fails_the_init() {
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
        let failed = with_keyring_in(&s3).try_start().await.err().unwrap();
        let text = job_status::chain(&*failed);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn a_keyring_of_8_mib_is_read_and_one_byte_more_is_not() {
    let s3 = FaultS3::start().await;
    let keyring = |size: usize| {
        let mut document = accepting([DEMO_KEY]).into_bytes();
        document.resize(size, b' ');
        document
    };
    s3.then([Act::Answer(object(keyring(8_388_608)))]);
    let environment = with_keyring_in(&s3).start().await;
    assert_eq!(environment.status_with(DEMO_KEY).await, 404, "accepted; there is no such job");
    s3.then([Act::Answer(object(keyring(8_388_609)))]);
    let failed = with_keyring_in(&s3).try_start().await.err().unwrap();
    assert_eq!(
        job_status::chain(&*failed),
        "the keyring cannot be read: too_large: the object has at least 8388609 bytes, 8388608 are read"
    );
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_has_not_changed_is_not_sent_again() {
    fast_timers();
    let s3 = FaultS3::start().await;
    s3.then([Act::Answer(object(accepting(["good"])))]);
    let environment = with_keyring_in(&s3).start().await;
    let seen = s3.take_requests();
    assert!(seen[0].starts_with("GET /config/keyring.json"), "{}", seen[0]);
    assert!(seen[1].starts_with("GET /jobs/00000000-0000-0000-0000-000000000000.json"), "{}", seen[1]);
    assert_eq!(seen.len(), 2, "at start-up");
    assert_eq!(s3.connections(), 1);

    environment.clock.forward(60);
    s3.then([Act::Answer(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".to_vec()), Act::Answer(object(STATUS))]);
    assert_eq!(environment.status_with("good").await, 200);
    let seen = s3.take_requests();
    assert!(
        seen[0].starts_with("GET /config/keyring.json") && seen[0].contains("if-none-match: \"1\"\r\n"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with(&format!("GET /jobs/{DONE}.json")), "{}", seen[1]);
    assert_eq!(environment.logs.with("event", "keyring_refresh_failed"), Vec::<Value>::new());

    environment.clock.forward(59);
    s3.then([Act::Answer(object(STATUS))]);
    assert_eq!(environment.status_with("good").await, 200);
    assert_eq!(s3.take_requests().len(), 1, "confirmed a minute ago");
    assert_eq!(s3.connections(), 1, "all on the connection that was opened at start-up");
}

/// An environment that is due to read its keyring again, in front of an S3 that has a status for every
/// job and does `keyring` with each request for the keyring. Timers are fast.
async fn with_keyring_due(keyring: Act) -> (FaultS3, Environment) {
    fast_timers();
    let s3 = FaultS3::start().await;
    s3.always(Act::Answer(object(accepting(["good"]))));
    let environment = with_keyring_in(&s3).start().await;
    environment.clock.forward(60);
    s3.take_requests();
    s3.always_by(move |head| if is_for_keyring(head) { keyring.clone() } else { Act::Answer(object(STATUS)) });
    (s3, environment)
}

fn is_for_keyring(head: &str) -> bool {
    head.starts_with("GET /config/keyring.json")
}

/// What a poll takes by the timers' clock, in ms.
async fn time_of_poll(environment: &Environment) -> u128 {
    let started = Instant::now();
    assert_eq!(environment.status_with("good").await, 200);
    started.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_stalled_keyring_holds_up_one_poll_by_250_ms_and_no_other() {
    let (s3, environment) = with_keyring_due(Act::Hang(vec![])).await;
    let first = time_of_poll(&environment).await;
    assert!((250..350).contains(&first), "{first} ms");
    for _ in 0..20 {
        let next = time_of_poll(&environment).await;
        assert!(next < 100, "{next} ms");
    }
    assert_eq!(s3.take_requests().into_iter().filter(|head| is_for_keyring(head)).count(), 1, "one read at a time");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_keyring_holds_up_eight_polls_at_once_rarely_and_by_250_ms() {
    let (_s3, environment) = with_keyring_due(Act::Hang(vec![])).await;
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
async fn a_keyring_that_cannot_be_read_is_reported_once_a_minute() {
    let (s3, environment) = with_keyring_due(Act::Hang(vec![])).await;
    for _ in 0..24 {
        assert_eq!(environment.status_with("good").await, 200);
        sleep(Duration::from_secs(13)).await; // all attempts of a refresh
        environment.clock.forward(5);
    }
    let reports = environment.logs.with("event", "keyring_refresh_failed");
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert_eq!(reports[0]["error"], "timed_out: deadline has elapsed");
    assert!(
        s3.take_requests().into_iter().filter(|head| is_for_keyring(head)).count() > 60,
        "it is tried again all the time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_takes_two_seconds_comes_into_force() {
    let keyring = object(accepting(["new"]));
    let (_s3, environment) = with_keyring_due(Act::Late(Duration::from_secs(2), keyring)).await;
    assert_eq!(environment.statuses_with(["good", "new"]).await, [200, 401]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(environment.statuses_with(["good", "new"]).await, [401, 200]);
}

/// The environment runs only while it is polled, as on Lambda.
#[test]
fn a_keyring_that_arrives_while_the_environment_is_frozen_comes_into_force() {
    let outside = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let inside = runtime();
    let s3 = outside.block_on(FaultS3::start());
    s3.always(Act::Answer(object(accepting(["good"]))));
    let environment = inside.block_on(with_keyring_in(&s3).start());
    environment.clock.forward(60);
    let (keyring, released) = (object(accepting(["new"])), Arc::new(Barrier::new(2)));
    let late = Act::Together(Arc::clone(&released), keyring);
    s3.always_by(move |head| if is_for_keyring(head) { late.clone() } else { Act::Answer(object(STATUS)) });
    assert_eq!(inside.block_on(environment.status_with("good")), 200);
    outside.block_on(released.wait());
    let is_revoked = |_| inside.block_on(environment.status_with("good")) == 401;
    assert!((0..1000).any(is_revoked), "the new keyring has been there all the time");
    assert_eq!(inside.block_on(environment.status_with("new")), 200);
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_during_a_refresh_are_checked_against_the_new_keyring() {
    let (s3, environment) = with_keyring_due(Act::Answer(object(accepting(["new"])))).await;
    let revoked = (0..8).map(|_| environment.status_with("good"));
    assert_eq!(join_all(revoked).await, [401; 8]);
    assert_eq!(s3.take_requests().len(), 1, "the keyring was read once, and no status");
}

#[tokio::test(start_paused = true)]
async fn who_has_no_key_does_not_wait_for_the_keyring() {
    fast_timers();
    let (s3, environment) = with_keyring_due(Act::Hang(vec![])).await;
    let started = Instant::now();
    let refused = environment.send(Request::job(DONE).no_key()).await;
    assert_eq!((refused.status, started.elapsed().as_millis()), (401, 0));
    assert_eq!(s3.take_requests(), Vec::<String>::new());
    environment.clock.forward(15 * 60);
    assert_eq!(environment.send(Request::job(DONE).no_key()).await.status, 401, "not 500");
    assert_eq!(environment.status_with("good").await, 500);
}
