//! `jobs publish` with an S3 that works.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Publisher, S3, files, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(directory: &Path, job: &str, content: &str) {
    fs::write(directory.join(format!("{job}.json")), content).unwrap();
}

fn count(lines: &[Value], event: &str) -> usize {
    lines.iter().filter(|line| line["event"] == event).count()
}

/// Publishes once; the exit code, and the summary.
async fn once(s3: &S3, directory: &Path, arguments: &[&str]) -> (i32, Value) {
    let mut command = s3.jobs(&["publish", directory.to_str().unwrap(), "s3://jobs/", "--once"]);
    command.args(arguments);
    let (code, _, log) = run(command).await;
    let summary = log.lines().find(|line| line.contains("\"event\":\"summary\"")).unwrap();
    (code, serde_json::from_str(summary).unwrap())
}

#[tokio::test]
async fn a_change_is_in_s3_when_its_line_is_in_the_log() {
    let (s3, directory) = (S3::start().await, directory());
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    for state in ["queued", "running", "done"] {
        let content = format!("{{\n  \"job_status\": \"{state}\"\n}}");
        write(directory.path(), &JOB.to_uppercase(), &content);
        let line = publisher.line("published").await;
        assert_eq!((&line["job_id"], &line["bytes"]), (&JOB.into(), &content.len().into()));
        println!("{state}: in S3 {} ms after the change", line["delay_ms"]);
        let object = s3.get(&format!("{JOB}.json")).await;
        assert_eq!(object.content_type(), Some("application/json"));
        assert_eq!(object.body.collect().await.unwrap().to_vec(), content.as_bytes());
    }
}

#[tokio::test]
async fn a_file_put_in_place_by_renaming_is_published() {
    let (s3, directory) = (S3::start().await, directory());
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    let path = |name: &str| directory.path().join(name);
    fs::write(path("new.tmp"), "{}").unwrap();
    fs::rename(path("new.tmp"), path(&format!("{JOB}.json"))).unwrap();
    assert_eq!(publisher.line("published").await["job_id"], JOB);
}

#[tokio::test]
async fn nothing_but_status_files_is_published() {
    let (s3, directory) = (S3::start().await, directory());
    for name in
        ["readme.json", "0e6d7f3c09c9f4b8ab7c3f0e3c9f6b9d.json", &format!("{JOB}.json.tmp"), &format!("{JOB}.txt")]
    {
        fs::write(directory.path().join(name), "{}").unwrap();
    }
    fs::create_dir(directory.path().join(format!("{JOB}.json"))).unwrap();
    let (code, summary) = once(&s3, directory.path(), &[]).await;
    assert_eq!((code, &summary["published"]), (0, &0.into()));
    assert!(files(&s3.objects()).is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_published_at_once_and_its_changes_settle() {
    let (s3, directory) = (S3::start().await, directory());
    let mut publisher = Publisher::start(s3.address, directory.path(), &["--settle", "1h"]).await;
    write(directory.path(), JOB, r#"{"job_status":"queued"}"#);
    println!("in S3 {} ms after it was written", publisher.line("published").await["delay_ms"]);
    for number in 0..20 {
        write(directory.path(), JOB, &format!("{{\"n\":{number}}}"));
    }
    let (code, lines) = publisher.stop().await;
    assert_eq!((code, count(&lines, "published")), (Some(0), 1), "{lines:?}");
    assert_eq!(files(&s3.objects())[&format!("{JOB}.json")], b"{\"n\":19}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_pending_at_sigterm_is_sent() {
    let (s3, directory) = (S3::start().await, directory());
    let publisher = Publisher::start(s3.address, directory.path(), &["--settle", "1h"]).await;
    for number in 0..100 {
        write(directory.path(), &uuid::Uuid::from_u128(number).to_string(), "{}");
    }
    let (code, lines) = publisher.stop().await;
    assert_eq!((code, count(&lines, "published")), (Some(0), 100));
    assert_eq!(files(&s3.objects()), files(directory.path()));
}

#[tokio::test]
async fn a_restart_sends_what_changed_and_neither_what_is_there_nor_what_is_old() {
    let (s3, directory) = (S3::start().await, directory());
    let job = |number| uuid::Uuid::from_u128(number).to_string();
    let age = |number, days: u64| {
        let file = File::options().write(true).open(directory.path().join(format!("{}.json", job(number)))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
    };
    for number in 0..4 {
        write(directory.path(), &job(number), "{\"n\":1}");
    }
    age(3, 31);
    let (code, summary) = once(&s3, directory.path(), &[]).await;
    assert_eq!((code, &summary["published"], &summary["unchanged"]), (0, &3.into(), &0.into()));

    write(directory.path(), &job(1), "{\"n\":2}");
    // The bucket deletes a file when its days are over.
    age(2, 31);
    fs::remove_file(s3.objects().join(format!("{}.json", job(2)))).unwrap();
    let (code, summary) = once(&s3, directory.path(), &[]).await;
    assert_eq!((code, &summary["published"], &summary["unchanged"]), (0, &1.into(), &1.into()));
    assert_eq!(files(&s3.objects()).len(), 2);

    let (_, summary) = once(&s3, directory.path(), &["--since", "90d"]).await;
    assert_eq!(summary["published"], 2);
}

#[tokio::test]
async fn an_object_of_somebody_elses_is_compared_by_its_etag() {
    let (s3, directory) = (S3::start().await, directory());
    write(directory.path(), JOB, "{}");
    let put = s3.client().put_object().bucket("jobs").key(format!("{JOB}.json"));
    put.content_type("application/json").body(b"{}".to_vec().into()).send().await.unwrap();
    let (_, summary) = once(&s3, directory.path(), &[]).await;
    assert_eq!((&summary["published"], &summary["unchanged"]), (&0.into(), &1.into()));
}
