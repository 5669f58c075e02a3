//! `jobs publish` when S3 does not take some files, or is slow.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

use testbed::fault_s3::{Act, FaultS3, error_document, job_id, no_such_key, object};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::harness::{Publisher, S3};

/// Ids from this one on are of files that S3 takes.
const HEALTHY: u128 = 1 << 32;

fn write(directory: &Path, number: u128, content: &str) {
    fs::write(directory.join(format!("{}.json", Uuid::from_u128(number))), content).unwrap();
}

fn every(milliseconds: u64) -> Interval {
    let mut every = interval(Duration::from_millis(milliseconds));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

fn number(head: &str) -> u128 {
    Uuid::parse_str(job_id(head)).unwrap().as_u128()
}

/// How often files that S3 does not take are tried between a healthy file's writing and its arrival.
async fn tries_before_a_healthy_file(refused: u128, size: usize, refusal: Act) -> usize {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    let is_refused = |head: &str| number(head) < HEALTHY;
    server.always_by(move |head| if is_refused(head) { refusal.clone() } else { Act::Answer(object("")) });
    let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    let content = format!(r#"{{"x":"{}"}}"#, "x".repeat(size));
    let refuse = || (0..refused).for_each(|number| write(directory.path(), number, &content));
    refuse();
    while server.take_requests().is_empty() {
        tokio::task::yield_now().await;
    }
    refuse();
    write(directory.path(), HEALTHY, "{}");
    publisher.line("published").await;
    server.take_requests().iter().filter(|head| is_refused(head)).count()
}

#[tokio::test]
async fn no_number_of_refused_files_holds_up_a_healthy_one() {
    let refusal = |status, code| Act::Answer(error_document(status, code, "No."));
    for (name, refused, size, act) in [
        ("one 403", 1, 10, refusal("403 Forbidden", "AccessDenied")),
        ("40 of 400", 40, 10, refusal("400 Bad Request", "InvalidRequest")),
        ("12 large 413", 12, 1 << 20, refusal("413 Payload Too Large", "EntityTooLarge")),
        ("40 of 429", 40, 10, refusal("429 Too Many Requests", "TooManyRequests")),
        ("3 of 503", 3, 10, refusal("503 Slow Down", "SlowDown")),
        ("3 resets", 3, 10, Act::Reset(Vec::new())),
        ("40 that hang", 40, 10, Act::Hang(Vec::new())),
        ("8 large that hang", 8, 4 << 20, Act::Hang(Vec::new())),
    ] {
        let tries = tries_before_a_healthy_file(refused, size, act).await;
        // Each is tried when it is written and, at most, when it is written again.
        assert!(tries <= 2 * usize::try_from(refused).unwrap(), "{name}: {tries} tries");
    }
}

#[tokio::test]
async fn no_change_shortens_the_pause_after_a_refusal() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    server.always(Act::Answer(error_document("403 Forbidden", "AccessDenied", "No.")));
    let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    write(directory.path(), 1, "{}");
    publisher.line("upload_failed").await;
    let (began, mut often) = (Instant::now(), every(50));
    for round in 0.. {
        often.tick().await;
        write(directory.path(), 1, &format!(r#"{{"round":{round}}}"#));
        if began.elapsed() > Duration::from_secs(6) {
            break;
        }
    }
    // After 1, 2 and 4 seconds, or half of that.
    let tried = server.take_requests().len();
    assert!((3..=5).contains(&tried), "{tried} attempts");
}

#[tokio::test]
async fn an_outage_is_probed_with_another_file_each_time() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    server.always(Act::Answer(error_document("503 Slow Down", "SlowDown", "Later.")));
    let mut publisher = Publisher::start(server.address(), directory.path(), &["--settle", "50ms"]).await;
    write(directory.path(), 0, "{}");
    publisher.line("upload_failed").await;
    (1..4).for_each(|number| write(directory.path(), number, "{}"));
    let mut probed = Vec::new();
    while probed.len() < 3 {
        probed.push(publisher.line("upload_failed").await["job_id"].to_string());
    }
    probed.sort_unstable();
    probed.dedup();
    assert_eq!(probed.len(), 3, "{probed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_files_do_not_wait_for_progress() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    let second = Duration::from_secs(1);
    server.always_by(move |head| Act::Late(second, if head.starts_with("PUT") { object("") } else { no_such_key() }));
    (0..50).for_each(|number| write(directory.path(), number, "{}"));
    let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    let (began, path) = (Instant::now(), directory.path().to_owned());
    let worker = tokio::spawn(async move {
        let mut often = every(500);
        for round in 0_u64.. {
            often.tick().await;
            (HEALTHY..HEALTHY + 40).for_each(|number| write(&path, number, &format!(r#"{{"round":{round}}}"#)));
        }
    });
    let mut finished = 0;
    while finished < 50 {
        finished += u32::from(publisher.line("published").await["delay_ms"].is_null());
    }
    let took = began.elapsed();
    println!("50 finished files beside 40 jobs: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    worker.abort();
}

/// Linux only: what was read is in /proc.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_slowly_is_read_now_and_then() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    let (before, began) = (publisher.bytes_read(), Instant::now());
    let mut file = File::create(directory.path().join(format!("{}.json", Uuid::from_u128(1)))).unwrap();
    let (piece, mut often) = ("x".repeat(24 << 10), every(4));
    file.write_all(b"{\"x\":\"").unwrap();
    for _ in 0..1024 {
        often.tick().await;
        file.write_all(piece.as_bytes()).unwrap();
    }
    file.write_all(b"\"}").unwrap();
    drop(file);
    publisher.line("published").await;
    let read = publisher.bytes_read() - before;
    println!("24 MB written over {:?}: {} MB read", began.elapsed(), read >> 20);
    // 16 MB a second, and once more when it is whole.
    assert!(read < (began.elapsed().as_secs() + 4) * (16 << 20), "{read} bytes in {:?}", began.elapsed());
}
