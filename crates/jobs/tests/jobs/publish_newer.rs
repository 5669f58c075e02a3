//! `jobs publish` when the bucket has something newer than a file.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use testbed::fault_s3::{Act, FaultS3, error_document, object, object_with};

use crate::harness::{Publisher, S3, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";
const RUNNING: &str = r#"{"job_status":"running"}"#;
const DONE: &str = r#"{"job_status":"done"}"#;

/// Writes a file, `hours` ago.
fn write(directory: &Path, name: &str, content: &str, hours: u64) {
    let new = directory.join("new.tmp");
    fs::write(&new, content).unwrap();
    let modified = SystemTime::now() - Duration::from_hours(hours);
    File::options().write(true).open(&new).unwrap().set_modified(modified).unwrap();
    fs::rename(new, directory.join(format!("{name}.json"))).unwrap();
}

/// Publishes once; what it logged.
async fn once(s3: &S3, directory: &Path) -> Vec<Value> {
    let (code, _, log) = run(s3.jobs(&["publish", directory.to_str().unwrap(), "s3://jobs/", "--once"])).await;
    assert_eq!(code, 0, "{log}");
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn find<'l>(lines: &'l [Value], event: &str) -> &'l Value {
    lines.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event} in {lines:?}"))
}

async fn status(s3: &S3) -> Vec<u8> {
    s3.get(&format!("{JOB}.json")).await.body.collect().await.unwrap().to_vec()
}

#[tokio::test]
async fn an_old_file_does_not_undo_a_newer_status() {
    let s3 = S3::start().await;
    let [here, there] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    write(there.path(), JOB, DONE, 0);
    once(&s3, there.path()).await;
    write(here.path(), JOB, RUNNING, 2);
    for _ in 0..2 {
        let lines = once(&s3, here.path()).await;
        assert_eq!(find(&lines, "older")["job_id"], JOB);
        assert_eq!(find(&lines, "summary")["older"], 1);
        assert_eq!(status(&s3).await, DONE.as_bytes());
    }
    write(here.path(), JOB, RUNNING, 0);
    once(&s3, here.path()).await;
    assert_eq!(status(&s3).await, RUNNING.as_bytes());
}

#[tokio::test]
async fn what_somebody_else_has_uploaded_since_is_left_alone() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let put = s3.client().put_object().bucket("jobs").key(format!("{JOB}.json"));
    put.content_type("application/json").body(DONE.as_bytes().to_vec().into()).send().await.unwrap();
    write(directory.path(), JOB, RUNNING, 2);
    assert_eq!(find(&once(&s3, directory.path()).await, "older")["job_id"], JOB);
    assert_eq!(status(&s3).await, DONE.as_bytes());
}

#[tokio::test]
async fn a_file_that_is_restored_while_it_runs_is_compared_too() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    write(directory.path(), JOB, DONE, 0);
    publisher.line("published").await;
    write(directory.path(), JOB, RUNNING, 2);
    assert_eq!(publisher.line("older").await["job_id"], JOB);
    assert_eq!(status(&s3).await, DONE.as_bytes());
}

/// Linux only: elsewhere the two names are one file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn of_two_spellings_of_an_id_the_file_written_last_counts() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    write(directory.path(), JOB, DONE, 0);
    write(directory.path(), &JOB.to_uppercase(), RUNNING, 2);
    once(&s3, directory.path()).await;
    assert_eq!(status(&s3).await, DONE.as_bytes());

    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    write(directory.path(), &JOB.to_uppercase(), r#"{"job_status":"failed"}"#, 1);
    publisher.line("older").await;
    assert_eq!(status(&s3).await, DONE.as_bytes());
    write(directory.path(), &JOB.to_uppercase(), RUNNING, 0);
    publisher.line("published").await;
    assert_eq!(status(&s3).await, RUNNING.as_bytes());
}

#[tokio::test]
async fn a_failed_upload_that_s3_applies_after_the_next_one_is_undone() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    let late =
        object_with("content-type: application/json\r\nx-amz-meta-sha256: other\r\nx-amz-meta-mtime: 1.0\r\n", "");
    server.then([
        Act::Answer(error_document("500 Internal Server Error", "InternalError", "Perhaps.")),
        Act::Answer(object("")),
        Act::Answer(late),
        Act::Answer(object("")),
    ]);
    write(directory.path(), JOB, DONE, 0);
    publisher.line("published").await;
    publisher.line("published").await;
    let asked: Vec<_> = server.take_requests().iter().map(|head| head.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["PUT", "PUT", "HEAD", "PUT"]);
}
