//! `jobs publish` when something else than a status file has the name of one.

use std::fs;
#[cfg(unix)]
use std::{os::unix::fs::symlink, path::Path, process::Command};

use serde_json::{Value, json};

use crate::harness::{Publisher, S3, files, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";
const OTHER: &str = "00000000-0000-4000-8000-000000000000";

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_pipes_are_named_once_and_not_followed() {
    let (s3, directory, elsewhere) = (S3::start().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = elsewhere.path().join("config.json");
    fs::write(&secret, r#"{"auths":{}}"#).unwrap();
    let path = |job: &str| directory.path().join(format!("{job}.json"));
    symlink(&secret, path(JOB)).unwrap();
    make_pipe(&path(OTHER));
    let (code, _, log) = run(s3.jobs(&["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once"])).await;
    assert_eq!(code, 1, "{log}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut broken: Vec<_> = lines.iter().filter(|line| line["event"] == "broken").collect();
    broken.sort_by_key(|line| line["job_id"].to_string());
    assert_eq!(
        broken.iter().map(|line| (&line["job_id"], &line["error"])).collect::<Vec<_>>(),
        [
            (&json!(OTHER), &json!("it is a pipe or a device")),
            (&json!(JOB), &json!("it is a link, which is not followed"))
        ]
    );

    // While it runs, too; and a file in its place is published.
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    fs::remove_file(path(JOB)).unwrap();
    symlink(&secret, path(JOB)).unwrap();
    publisher.line("broken").await;
    fs::write(elsewhere.path().join("new"), "{}").unwrap();
    fs::rename(elsewhere.path().join("new"), path(JOB)).unwrap();
    assert_eq!(publisher.line("published").await["job_id"], JOB);
    assert_eq!(files(&s3.objects())[&format!("{JOB}.json")], b"{}");
}

#[tokio::test]
async fn a_directory_may_have_spaces_and_letters_of_all_scripts_in_its_name() {
    let (s3, parent) = (S3::start().await, tempfile::tempdir().unwrap());
    let directory = parent.path().join("Aufträge für Привет");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(format!("{JOB}.json")), "{}").unwrap();
    let (code, _, log) = run(s3.jobs(&["publish", directory.to_str().unwrap(), "s3://jobs/", "--once"])).await;
    assert_eq!((code, files(&s3.objects())), (0, files(&directory)), "{log}");
}

/// Windows only: elsewhere nobody can keep others from a file by opening it.
#[cfg(windows)]
#[tokio::test]
async fn a_file_that_somebody_has_open_for_themselves_is_published_once_it_is_closed() {
    use std::{fs::OpenOptions, io::Write, os::windows::fs::OpenOptionsExt};

    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let path = directory.path().join(format!("{JOB}.json"));
    let mut held = OpenOptions::new().write(true).create(true).share_mode(0).open(&path).unwrap();
    held.write_all(b"{}").unwrap();
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    fs::write(directory.path().join(format!("{OTHER}.json")), "{}").unwrap();
    assert_eq!(publisher.line("published").await["job_id"], OTHER);
    drop(held);
    assert_eq!(publisher.line("published").await["job_id"], JOB);
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_published_as_null() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let name = format!("{JOB}.json");
    fs::write(directory.path().join(&name), "{\"job_status\": \"done\", \"x\": [NaN, -Infinity, \"NaN\"]}\n").unwrap();
    let command = || s3.jobs(&["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once"]);
    for published in [1, 0] {
        let (code, _, log) = run(command()).await;
        assert!(code == 0 && log.contains(&format!(r#""published":{published},"#)), "{log}");
        let object = String::from_utf8(files(&s3.objects())[&name].clone()).unwrap();
        assert_eq!(object, "{\"job_status\": \"done\", \"x\": [null, null, \"NaN\"]}\n");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_swapped_for_a_pipe_stops_neither_the_others_nor_the_end() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let path = directory.path().join(format!("{JOB}.json"));
    let [file, pipe] = ["file.tmp", "pipe.tmp"].map(|name| directory.path().join(name));
    let mut publisher = Publisher::start(s3.address, directory.path(), &["--settle", "1ms"]).await;
    for round in 0..200_u128 {
        fs::write(&file, format!(r#"{{"round":{round}}}"#)).unwrap();
        fs::rename(&file, &path).unwrap();
        make_pipe(&pipe);
        fs::rename(&pipe, &path).unwrap();
        if round % 20 == 0 {
            let job = uuid::Uuid::from_u128(round).to_string();
            fs::write(directory.path().join(format!("{job}.json")), "{}").unwrap();
            while publisher.line("published").await["job_id"] != job {}
        }
    }
    let (code, _) = publisher.stop().await;
    assert_eq!(code, Some(1)); // what is there now is no file
}

#[cfg(unix)]
#[tokio::test]
async fn a_broken_file_at_the_end_is_in_the_exit_code() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    fs::write(directory.path().join(format!("{JOB}.json")), r#"{"job_status":"#).unwrap();
    let (code, lines) = publisher.stop().await;
    assert_eq!(code, Some(1), "{lines:?}");
    assert!(lines.iter().any(|line| line["event"] == "broken" && line["job_id"] == JOB), "{lines:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn polls_of_a_toolkit_are_counted_and_not_published() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    let path = directory.path().join(format!("{JOB}.json"));
    // As the toolkit does: when the request comes, and when it is answered.
    fs::write(&path, json!({ "job_status": "running", "process_id": 7, "response": null }).to_string()).unwrap();
    let response = json!({ "endpoint": "/v1/toolkit/job/status", "code": 200, "response": {} });
    fs::write(&path, json!({ "job_status": "done", "process_id": 7, "response": response }).to_string()).unwrap();
    fs::write(directory.path().join(format!("{OTHER}.json")), r#"{"job_status":"queued"}"#).unwrap();
    assert_eq!(publisher.line("published").await["job_id"], OTHER);
    let (code, lines) = publisher.stop().await;
    let summary = lines.iter().find(|line| line["event"] == "summary").unwrap();
    assert_eq!((code, &summary["polls"], &summary["published"]), (Some(0), &json!(1), &json!(1)), "{lines:?}");
    assert_eq!(files(&s3.objects()).len(), 1);

    let (code, ..) =
        run(s3.jobs(&["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once", "--all"])).await;
    assert_eq!((code, files(&s3.objects()).len()), (0, 2));
}
