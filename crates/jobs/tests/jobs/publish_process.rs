//! `jobs publish` as a process: its signals, its log, its locks, and the system's limits.

use std::{fs, process::Stdio, time::Duration};

use nix::sys::signal::Signal;
use testbed::fault_s3::{Act, FaultS3, object};
use tokio::{process::Command, time::interval};
use uuid::Uuid;

use crate::harness::{Publisher, S3, files, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_neither_publishing_nor_the_end() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    server.always(Act::Answer(object("")));
    let publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    // The pipe takes the lines of some 400.
    for number in 0..2000 {
        fs::write(directory.path().join(format!("{}.json", Uuid::from_u128(number))), "{}").unwrap();
    }
    let (mut sent, mut often) = (0, interval(Duration::from_millis(100)));
    while sent < 2000 {
        often.tick().await;
        sent += server.take_requests().iter().filter(|head| head.starts_with("PUT")).count();
    }
    assert_eq!(publisher.abandon(Signal::SIGTERM).await, Some(0));
}

#[tokio::test]
async fn a_hangup_is_as_a_termination() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let publisher = Publisher::start(s3.address, directory.path(), &["--settle", "1h"]).await;
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    assert_eq!(publisher.abandon(Signal::SIGHUP).await, Some(0));
    assert_eq!(files(&s3.objects()), files(directory.path()));
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_first_one_has_one_publisher_too() {
    let (s3, parent) = (S3::start().await, tempfile::tempdir().unwrap());
    let [directory, old] = ["jobs", "old"].map(|name| parent.path().join(name));
    fs::create_dir(&directory).unwrap();
    let mut publisher = Publisher::start(s3.address, &directory, &[]).await;
    fs::rename(&directory, &old).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(format!("{JOB}.json")), "{}").unwrap();
    publisher.line("published").await;
    let (code, _, stderr) = run(s3.jobs(&["publish", directory.to_str().unwrap(), "s3://jobs/"])).await;
    assert!(code == 1 && stderr.contains("another jobs publish"), "{stderr}");
}

#[tokio::test]
async fn where_the_system_watches_nothing_more_the_directory_is_looked_at() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let path = directory.path().to_str().unwrap();
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    let (code, _, log) = run(unwatched(&s3, &["publish", path, "s3://jobs/", "--once"])).await;
    assert!(code == 0 && !log.contains("not_watched"), "{log}");

    let mut publisher = Publisher::spawn(unwatched(&s3, &["publish", path, "s3://jobs/"])).await;
    let line = publisher.line("not_watched").await;
    assert!(line["hint"].as_str().unwrap().contains("max_user_instances"), "{line}");
    for number in 0..2 {
        fs::write(directory.path().join(format!("{}.json", Uuid::from_u128(number))), "{}").unwrap();
        publisher.line("published").await;
    }
    let (code, lines) = publisher.stop().await;
    assert_eq!(code, Some(0));
    assert!(lines.iter().all(|line| line["event"] != "not_watched"), "{lines:?}");
}

/// The program where no inotify instance is left.
fn unwatched(s3: &S3, arguments: &[&str]) -> Command {
    let jobs = s3.jobs(arguments);
    let jobs = jobs.as_std();
    let mut command = Command::new("unshare");
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(jobs.get_program()).args(jobs.get_args());
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(jobs.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}
