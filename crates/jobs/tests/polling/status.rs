//! `jobs status`.

use testbed::fault_s3::FaultS3;

use crate::harness::{JOB, answer, asked, end, found, jobs, local, run, scripted};

#[tokio::test]
async fn it_is_one_poll_with_the_exit_codes_of_wait() {
    let unknown = format!(r#"{{"error":"Job not found","job_id":"{JOB}"}}"#);
    for (act, code) in [
        (found("", r#"{"job_status":"done"}"#), 0),
        (found("", r#"{"job_status":"failed"}"#), 1),
        (found("retry-after: 1\r\n", r#"{"job_status":"queued"}"#), 3),
        (found("retry-after: 1\r\nx-job-stalled: 9\r\n", r#"{"job_status":"queued"}"#), 3),
        // The endpoint's word counts.
        (found("x-job-outcome: unfinished\r\n", r#"{"job_status":"processing"}"#), 3),
        (found("x-job-outcome: other\r\n", r#"{"job_status":"processing"}"#), 1),
        (found("x-job-outcome: failed\r\n", r#"{"job_status":"done"}"#), 1),
        (found("x-job-outcome: done\r\n", r#"{"job_status":"done","response":{"code":500}}"#), 0),
        // One of 0.1.0 has none.
        (found("", r#"{"job_status":"done","response":{"code":500}}"#), 1),
        (found("", r#"{"job_status":"done","response":{"code":500,"\ud800":1}}"#), 1),
        (answer(404, "", &unknown), 4),
        (answer(401, "", "{}"), 5),
        (answer(429, "", "{}"), 6),
        (answer(500, "", "{}"), 6),
    ] {
        let server = scripted([act]).await;
        let ended = run(&server, &["status", JOB]).await;
        assert_eq!((ended.code, asked(&server).len()), (code, 1), "{ended:?}");
    }
    let stalled = scripted([found("x-job-stalled: 9\r\n", r#"{"job_status":"queued"}"#)]).await;
    assert_eq!(run(&stalled, &["status", JOB, "--fail-stalled"]).await.code, 7);
}

#[tokio::test]
async fn the_samples_of_cargo_local_have_the_exit_codes_that_they_stand_for() {
    let url = local(&[]).await;
    for (job, code) in [
        (local::samples::DONE, 0),
        (local::samples::LARGE, 0),
        (local::samples::FAILED, 1),
        (local::samples::RUNNING, 3),
        (local::samples::UNKNOWN, 4),
    ] {
        assert_eq!(end(jobs(&url, &["status", job])).await.code, code, "{job}");
    }
    assert_eq!(
        {
            let mut command = jobs(&url, &["status", JOB]);
            command.env("JOBS_API_KEY", "wrong");
            end(command).await.code
        },
        5
    );
}

/// A Mac has one address only that leads to itself.
#[cfg(not(target_os = "macos"))]
#[tokio::test]
async fn nobody_there_is_an_error_of_its_own() {
    let server = FaultS3::start().await;
    let url = server.url().replace("127.0.0.1", "127.0.0.2"); // the same port, where nobody listens
    let ended = end(jobs(&url, &["status", JOB])).await;
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(
        ended.stderr.contains("no status after 1 poll: ")
            && ended.stderr.contains(if cfg!(windows) { "(os error 10061)" } else { "Connection refused" }),
        "{ended:?}"
    );
}
