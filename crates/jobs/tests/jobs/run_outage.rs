//! `jobs run` while S3 is away, slow or unwilling.

use std::{net::TcpListener, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal::SIGTERM, kill},
    unistd::Pid,
};
use testbed::fault_s3::{Act, FaultS3, error_document, header, object};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::interval,
};

use crate::{
    harness::{S3, jobs, offline, run},
    status_file::{JOB, status, until},
};

const RUN: [&str; 4] = ["run", JOB, "--store", "s3://jobs/"];

/// Starts a command, with its stdin open.
fn start(mut command: Command) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, stderr)
}

/// Waits for a line that has these words.
async fn line(stderr: &mut Lines<BufReader<ChildStderr>>, words: &str) -> String {
    loop {
        let line = stderr.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended without {words}"));
        if line.contains(words) {
            return line;
        }
    }
}

#[tokio::test]
async fn a_command_runs_on_while_s3_is_away_and_its_states_are_written_when_it_is_back() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut child, mut stderr) = start(jobs(free, &[&RUN[..], &["--", "/bin/cat"]].concat()));
    let warning = line(&mut stderr, "warning: ").await;
    assert!(
        warning.starts_with(&format!("warning: s3://jobs/{JOB}.json is not written, and tried again: ")),
        "{warning}"
    );
    let s3 = S3::start_on(free).await;
    until(&s3, |status| status["job_status"] == "running").await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(status(&s3).await.unwrap()["job_status"], "done");
}

#[tokio::test]
async fn the_last_state_is_waited_for() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut child, mut stderr) = start(jobs(free, &[&RUN[..], &["--", "/bin/sh", "-c", "exit 9"]].concat()));
    line(&mut stderr, "warning: ").await;
    let s3 = S3::start_on(free).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(9));
    assert_eq!(status(&s3).await.unwrap()["job_status"], "failed");
}

#[tokio::test]
async fn it_gives_up_in_time_or_soon_after_a_signal() {
    let run_true = [&RUN[..], &["--give-up", "1s", "--", "/bin/true"]].concat();
    let (code, _, stderr) = run(offline(&run_true)).await;
    assert!(code == 6 && stderr.contains("jobs: the last state of the job is not written: "), "{stderr}");

    let (mut child, mut stderr) = start(offline(&[&RUN[..], &["--", "/bin/true"]].concat()));
    line(&mut stderr, "warning: ").await;
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), SIGTERM).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(6));
}

#[tokio::test]
async fn it_writes_at_every_heartbeat() {
    let server = FaultS3::start().await;
    server.always(Act::Answer(object("")));
    let (mut child, _stderr) =
        start(jobs(server.address(), &[&RUN[..], &["--heartbeat", "1s", "--", "/bin/cat"]].concat()));
    let heads = requests(&server, 3).await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let lengths: Vec<_> = heads.iter().map(|head| header(head, "content-length").unwrap()).collect();
    assert!(heads.iter().all(|head| head.starts_with(&format!("PUT /jobs/{JOB}.json"))), "{heads:?}");
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
}

#[tokio::test]
async fn each_new_reason_of_s3_is_told_once() {
    let server = FaultS3::start().await;
    let denied = Act::Answer(error_document("403 Forbidden", "AccessDenied", "Access \u{202e}Denied"));
    server.then([denied.clone(), denied, Act::Answer(error_document("503 Busy", "SlowDown", "Slow"))]);
    server.always(Act::Answer(object("")));
    let (code, _, stderr) = run(jobs(server.address(), &[&RUN[..], &["--", "/bin/true"]].concat())).await;
    assert_eq!(code, 0);
    let object = format!("warning: s3://jobs/{JOB}.json is not written, and tried again: ");
    assert_eq!(
        stderr,
        format!(
            "{object}S3 answered 403 AccessDenied: Access Denied\n  the credentials lack a permission: see what docs/keys.md and docs/workers.md ask for\n\
             {object}S3 answered 503 SlowDown: Slow\n  try again later; S3's answer is above\n"
        )
    );
}

#[tokio::test]
async fn one_write_is_under_way_at_a_time_and_the_last_one_is_repeated_if_s3_may_do_an_earlier_one_late() {
    let server = FaultS3::start().await;
    server.then([Act::Hang(Vec::new())]); // it times out after 10 seconds
    server.always(Act::Answer(object("")));
    let (mut child, _stderr) = start(jobs(server.address(), &[&RUN[..], &["--", "/bin/cat"]].concat()));
    let running = requests(&server, 1).await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let heads = [running, server.take_requests()].concat();
    let [running, last, again] = &heads[..] else { panic!("{heads:?}") };
    let length = |head| header(head, "content-length").unwrap();
    assert!(length(running) < length(last) && length(last) == length(again), "{heads:?}");
}

/// The heads of so many requests, when they have come.
async fn requests(server: &FaultS3, count: usize) -> Vec<String> {
    let (mut often, mut heads) = (interval(Duration::from_millis(50)), Vec::new());
    while heads.len() < count {
        often.tick().await;
        heads.extend(server.take_requests());
    }
    heads
}
