//! `jobs publish` with no more rights than `docs/workers.md` gives it.

use std::fs;

use testbed::{
    express::{DIRECTORY_BUCKET, Express},
    fault_s3::{Act, FaultS3, error_document, object_with},
};

use crate::harness::{jobs, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";
const STATUS: &str = r#"{"job_status":"done"}"#;

/// Publishes one job once to `target`; its log, which must say that `published` files were sent.
async fn publish(server: &FaultS3, target: &str, published: u32) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("{JOB}.json")), STATUS).unwrap();
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let (code, _, log) = run(jobs(address, &["publish", directory.path().to_str().unwrap(), target, "--once"])).await;
    assert_eq!(code, 0, "{log}");
    assert!(log.contains(&format!("\"published\":{published},")), "{log}");
}

/// First lines of what was asked since the last call.
fn asked(server: &FaultS3) -> Vec<String> {
    server.take_requests().iter().filter_map(|head| Some(head.lines().next()?.to_owned())).collect()
}

#[tokio::test]
async fn who_may_not_list_the_bucket_publishes_what_is_not_there() {
    let server = FaultS3::start().await;
    // To such a caller S3 says 403 of an object that is not there. An answer to HEAD has no body.
    let refused = b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\n\r\n".to_vec();
    server.then([Act::Answer(refused), Act::Answer(object_with("", ""))]);
    publish(&server, "s3://jobs/", 1).await;
    let key = format!("/jobs/{JOB}.json");
    assert_eq!(asked(&server), [format!("HEAD {key} HTTP/1.1"), format!("PUT {key}?x-id=PutObject HTTP/1.1")]);
}

#[tokio::test]
async fn a_directory_bucket_is_published_to_in_a_session() {
    let express = Express::start().await;
    express.allow_writing();
    express.hold(|head| match head.split(' ').next() {
        Some("HEAD") => b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
        Some("PUT") => object_with("", ""),
        _ => error_document("400 Bad Request", "InvalidRequest", "It is neither HEAD nor PUT."),
    });
    publish(&express.server, &format!("s3://{DIRECTORY_BUCKET}/jobs/"), 1).await;
    let asked = asked(&express.server);
    let key = format!("/{DIRECTORY_BUCKET}/jobs/{JOB}.json");
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].contains("/?session "), "{asked:?}");
    assert!(asked[1].starts_with(&format!("HEAD {key}")) && asked[2].starts_with(&format!("PUT {key}")), "{asked:?}");
}
