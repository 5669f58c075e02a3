//! `jobs publish` when files or S3 are not as they should be.

use std::{fs, net::TcpListener};

use serde_json::Value;
use testbed::fault_s3::{Act, FaultS3, error_document, no_such_key, object};

use crate::harness::{Publisher, S3, files, jobs, offline, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

#[cfg(unix)]
#[tokio::test]
async fn a_half_written_file_waits_until_it_is_whole_and_is_reported_once() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let path = directory.path().join(format!("{JOB}.json"));
    let mut publisher = Publisher::start(s3.address, directory.path(), &[]).await;
    fs::write(&path, "{\"job_status\": \"do").unwrap();
    let line = publisher.line("broken").await;
    assert_eq!(
        (&line["job_id"], &line["error"]),
        (&JOB.into(), &"it is not one JSON object: EOF while parsing a string at line 1 column 18".into())
    );
    fs::write(&path, "{\"job_status\": \"don").unwrap();
    let other = directory.path().join("00000000-0000-4000-8000-000000000000.json");
    fs::write(&other, "{}").unwrap();
    publisher.line("published").await;
    assert_eq!(files(&s3.objects()).len(), 1);
    fs::write(&path, "{\"job_status\": \"done\"}").unwrap();
    let line = publisher.line("published").await;
    assert_eq!(line["job_id"], JOB);
    let (code, lines) = publisher.stop().await;
    assert_eq!(code, Some(0));
    assert!(lines.iter().all(|line| line["event"] != "broken"), "{lines:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_wait_for_an_s3_that_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut publisher = Publisher::start(free, directory.path(), &[]).await;
    for number in 0..10u32 {
        fs::write(directory.path().join(format!("0000000{number}-0000-4000-8000-000000000000.json")), "{}").unwrap();
    }
    let line = publisher.line("upload_failed").await;
    assert!(line["hint"].as_str().unwrap().contains("network"), "{line}");
    let s3 = S3::start_on(free).await;
    publisher.line("recovered").await;
    let (code, _) = publisher.stop().await;
    assert_eq!(code, Some(0));
    assert_eq!(files(&s3.objects()), files(directory.path()));
}

#[tokio::test]
async fn once_gives_up_on_an_s3_that_is_away() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    let (code, _, stderr) =
        run(offline(&["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once"])).await;
    assert!(code == 6 && stderr.contains("files that are not sent yet: 1\n"), "{stderr}");
    let first: Value = serde_json::from_str(stderr.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "started");
}

#[tokio::test]
async fn a_directory_has_one_publisher() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let _first = Publisher::start(s3.address, directory.path(), &[]).await;
    let (code, _, stderr) = run(s3.jobs(&["publish", directory.path().to_str().unwrap(), "s3://jobs/"])).await;
    assert!(code == 1 && stderr.contains("another jobs publish"), "{stderr}");
}

#[tokio::test]
async fn what_cannot_be_published_is_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (path, file) = (directory.path().to_str().unwrap(), directory.path().join("file"));
    fs::write(&file, "").unwrap();
    for (arguments, expected, word) in [
        (["publish", path, "jobs/"], 2, "s3://"),
        (["publish", path, "s3://jobs/prefix"], 2, "does not end in /"),
        (["publish", "/nowhere", "s3://jobs/"], 6, "make the directory"),
        (["publish", file.to_str().unwrap(), "s3://jobs/"], 6, "not a directory"),
    ] {
        let (code, _, stderr) = run(offline(&arguments)).await;
        assert!(code == expected && stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn an_s3_that_does_not_take_the_checksums_of_uploads_has_a_way_out() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    server.always_by(|head| {
        Act::Answer(match head.starts_with("PUT") {
            true if head.contains("x-amz-checksum-") => {
                error_document("400 Bad Request", "InvalidArgument", "Unsupported header 'x-amz-checksum-crc32'")
            }
            true => object(""),
            false => no_such_key(),
        })
    });
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
    let line = publisher.line("upload_failed").await;
    assert_eq!(
        line["hint"],
        "this S3 does not take the checksums of uploads: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
    );
    publisher.kill().await;
    let mut command = jobs(server.address(), &["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once"]);
    command.env("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required");
    let (code, _, log) = run(command).await;
    assert_eq!(code, 0, "{log}");
}
