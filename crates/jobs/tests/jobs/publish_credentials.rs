//! `jobs publish` with credentials and clocks that S3 does not accept.

use std::fs;

use testbed::fault_s3::{Act, FaultS3, error_document, header, no_such_key, object};

use crate::harness::{Publisher, jobs};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

#[tokio::test]
async fn renewed_credentials_are_taken() {
    let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
    server.always_by(|head| {
        Act::Answer(if header(head, "authorization").is_some_and(|value| value.contains("Credential=NEW/")) {
            if head.starts_with("HEAD") { no_such_key() } else { object("") }
        } else {
            error_document("400 Bad Request", "ExpiredToken", "The provided token has expired.")
        })
    });
    let profile = directory.path().join("credentials");
    let write = |key| {
        fs::write(&profile, format!("[default]\naws_access_key_id={key}\naws_secret_access_key=secret\n")).unwrap();
    };
    write("OLD");
    let mut command = jobs(server.address(), &["publish", directory.path().to_str().unwrap(), "s3://jobs/"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_SHARED_CREDENTIALS_FILE", &profile).env("AWS_CONFIG_FILE", "/nowhere");
    let mut publisher = Publisher::spawn(command).await;
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    let line = publisher.line("upload_failed").await;
    assert!(line["hint"].as_str().unwrap().contains("log in again"), "{line}");
    write("NEW");
    publisher.line("recovered").await;
    assert_eq!(publisher.line("published").await["job_id"], JOB);
}

#[tokio::test]
async fn what_an_answer_to_head_cannot_say_is_asked_for() {
    for (status, code, hint) in [
        ("400 Bad Request", "ExpiredToken", "log in again"),
        ("403 Forbidden", "InvalidAccessKeyId", "log in again"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "AWS_REGION"),
        ("301 Moved Permanently", "PermanentRedirect", "AWS_REGION"),
        ("403 Forbidden", "RequestTimeTooSkewed", "clock"),
        ("403 Forbidden", "AccessDenied", "permission"),
        ("400 Bad Request", "KMS.DisabledException", "S3's answer is above"),
    ] {
        let (server, directory) = (FaultS3::start().await, tempfile::tempdir().unwrap());
        server.always_by(move |head| {
            let bare = || format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\n\r\n").into_bytes();
            Act::Answer(if head.starts_with("HEAD") { bare() } else { error_document(status, code, "No.") })
        });
        fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
        let mut publisher = Publisher::start(server.address(), directory.path(), &[]).await;
        let line = publisher.line("upload_failed").await;
        assert!(line["hint"].as_str().unwrap().contains(hint), "{code}: {line}");
        assert!(line["error"].as_str().unwrap().contains(code), "{code}: {line}");
    }
}

#[tokio::test]
async fn missing_credentials_are_told_from_a_missing_network() {
    let directory = tempfile::tempdir().unwrap();
    let server = FaultS3::start().await;
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    let mut command = jobs(server.address(), &["publish", directory.path().to_str().unwrap(), "s3://jobs/"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/nowhere");
    let mut publisher = Publisher::spawn(command).await;
    let line = publisher.line("upload_failed").await;
    assert!(line["hint"].as_str().unwrap().starts_with("check credentials"), "{line}");
    assert!(server.take_requests().is_empty());
}
