//! `jobs set`.

use std::fs;

use serde_json::json;
use testbed::fault_s3::{Act, FaultS3, error_document, header, no_such_key, object};
use tokio::task::JoinSet;

use crate::{
    harness::{S3, jobs, offline, run, run_with},
    status_file::{JOB, put, status},
};

const NOTHING: (i32, String, String) = (0, String::new(), String::new());

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["set", JOB, "--store", "s3://jobs/"], more].concat()
}

#[tokio::test]
async fn each_call_writes_one_state_and_nothing_else() {
    let s3 = S3::start().await;
    let (directory, missing) = (tempfile::tempdir().unwrap(), "no such codec");
    let file = directory.path().join("result");
    fs::write(&file, r#"{"frames": 12}"#).unwrap();
    let result =
        |code, response, message| json!({"code":code,"id":null,"job_id":JOB,"response":response,"message":message});
    for (more, expected) in [
        (&["queued"][..], json!({"job_status":"queued","job_id":JOB,"response":null})),
        (
            &["running", "--progress", "0.5", "--heartbeat", "1m", "--retry-after", "1500ms"],
            json!({"job_status":"running","job_id":JOB,"progress":0.5,"retry_after_seconds":1.5,"heartbeat_seconds":60,"response":null}),
        ),
        (
            &["running", "--progress", "58 %"],
            json!({"job_status":"running","job_id":JOB,"progress":"58 %","response":null}),
        ),
        (&["submitted"], json!({"job_status":"submitted","job_id":JOB,"response":null})),
        (
            &["done", "--result", file.to_str().unwrap()],
            json!({"job_status":"done","job_id":JOB,"response":result(200, json!({"frames":12}), json!("success"))}),
        ),
        (
            &["failed", "--message", missing, "--force"],
            json!({"job_status":"failed","job_id":JOB,"response":result(500, json!(null), json!(missing))}),
        ),
        (
            &["failed", "--force"],
            json!({"job_status":"failed","job_id":JOB,"response":result(500, json!(null), json!(null))}),
        ),
    ] {
        assert_eq!(run(s3.jobs(&arguments(more))).await, NOTHING, "{more:?}");
        assert_eq!(status(&s3).await.unwrap(), expected);
    }
    assert_eq!(run_with(s3.jobs(&arguments(&["done", "--force", "--result", "-"])), "a text\n").await, NOTHING);
    assert_eq!(status(&s3).await.unwrap()["response"]["response"], "a text");
    let (code, _, stderr) = run(s3.jobs(&arguments(&["done", "--force", "--result", "/nowhere"]))).await;
    assert!(code == 6 && stderr.contains("reading the result from /nowhere: "), "{stderr}");
}

#[tokio::test]
async fn a_final_state_is_replaced_by_force_alone() {
    let s3 = S3::start().await;
    for (file, why) in [
        (r#"{"job_status":"done"}"#, "the job has ended already (done)"),
        (r#"{"job_status":"done","response":{"code":500}}"#, "the job has ended already (failed)"),
        (r#"{"job_status":"failed"}"#, "the job has ended already (failed)"),
        (r#"{"job_status":"cancelled"}"#, "the job has ended already (other)"),
    ] {
        put(&s3, file).await;
        let refused = (1, String::new(), format!("jobs: {why}: nothing was written\n  replace it with --force\n"));
        assert_eq!(run(s3.jobs(&arguments(&["running"]))).await, refused);
        assert_eq!(status(&s3).await.unwrap().to_string(), file);
        assert_eq!(run(s3.jobs(&arguments(&["running", "--force"]))).await, NOTHING);
        assert_eq!(status(&s3).await.unwrap()["job_status"], "running");
    }
    put(&s3, "{").await;
    let (code, _, stderr) = run(s3.jobs(&arguments(&["done"]))).await;
    assert!(code == 1 && stderr.contains("the job's status file is broken"), "{stderr}");
}

#[tokio::test]
async fn a_state_of_the_workers_own_is_final_unless_the_endpoint_takes_it_for_unfinished() {
    let s3 = S3::start().await;
    let warning = "warning: this state is final, unless the endpoint's UNFINISHED_STATES has it\n";
    assert_eq!(run(s3.jobs(&arguments(&["processing"]))).await, (0, String::new(), warning.into()));
    assert_eq!(run(s3.jobs(&arguments(&["processing"]))).await.0, 1);
    let mut command = s3.jobs(&arguments(&["processing", "--progress", "2"]));
    command.env("UNFINISHED_STATES", "pending, processing");
    assert_eq!(run(command).await, NOTHING);
    assert_eq!(
        status(&s3).await.unwrap(),
        json!({"job_status":"processing","job_id":JOB,"progress":2,"response":null})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_state_is_never_lost_among_others() {
    let s3 = S3::start().await;
    let mut writers = JoinSet::new();
    for number in 0..12 {
        let more = if number == 5 { vec!["done"] } else { vec!["running"] };
        writers.spawn(run(s3.jobs(&arguments(&more))));
    }
    for (code, _, stderr) in writers.join_all().await {
        assert!(code == 0 || stderr.contains("the job has ended already (done)"), "{stderr}");
    }
    assert_eq!(status(&s3).await.unwrap()["job_status"], "done");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_no_failure() {
    let file = format!(
        r#"{{"job_status":"done","job_id":"{JOB}","response":{{"code":200,"id":null,"job_id":"{JOB}","response":null,"message":"success"}}}}"#
    );
    let server = FaultS3::start().await;
    let changed = error_document("412 Precondition Failed", "PreconditionFailed", "changed");
    server.then([Act::Answer(no_such_key()), Act::Reset(Vec::new()), Act::Answer(changed), Act::Answer(object(&file))]);
    assert_eq!(run(jobs(server.address(), &arguments(&["done"]))).await, NOTHING);
    assert_eq!(server.take_requests().len(), 4);
}

#[tokio::test]
async fn what_was_read_is_what_is_replaced() {
    let (server, running) = (FaultS3::start().await, r#"{"job_status":"running"}"#);
    let denied = error_document("403 Forbidden", "AccessDenied", "Access Denied");
    let changed = error_document("412 Precondition Failed", "PreconditionFailed", "changed");
    for (found, condition) in [
        (object(running), ("if-match", "\"1\"")),
        (no_such_key(), ("if-none-match", "*")),
        // So S3 answers if there is no such object to who may not list the bucket.
        (denied.clone(), ("if-none-match", "*")),
    ] {
        server.then([Act::Answer(found), Act::Answer(object(""))]);
        assert_eq!(run(jobs(server.address(), &arguments(&["done"]))).await, NOTHING);
        let put = server.take_requests().pop().unwrap();
        assert!(put.starts_with("PUT ") && header(&put, condition.0) == Some(condition.1), "{put}");
    }
    server.then([Act::Answer(denied), Act::Answer(changed)]);
    let (code, _, stderr) = run(jobs(server.address(), &arguments(&["done", "--force"]))).await;
    assert!(code == 1 && stderr.contains("is there and may not be read"), "{stderr}");
}

#[tokio::test]
async fn an_s3_that_is_away_and_words_that_cannot_be_are_failures() {
    let (code, _, stderr) = run(offline(&arguments(&["done"]))).await;
    assert!(code == 6 && stderr.contains(&format!("jobs: reading s3://jobs/{JOB}.json: ")), "{stderr}");
    for more in [&[""][..], &["running", "--heartbeat", "0s"], &["running", "--retry-after", "2d"]] {
        let (code, _, stderr) = run(offline(&arguments(more))).await;
        assert_eq!(code, 2, "{more:?}: {stderr}");
    }
}

#[tokio::test]
async fn the_words_of_s3_cannot_act_on_a_terminal() {
    let server = FaultS3::start().await;
    server.always(Act::Answer(error_document("403 Forbidden", "Denied", "No.\u{9b}31m\u{202e}\nAgain.")));
    let (code, stdout, stderr) = run(jobs(server.address(), &arguments(&["done"]))).await;
    assert_eq!((code, stdout.as_str()), (6, ""));
    assert!(stderr.contains("S3 answered 403 Denied: No.31mAgain."), "{stderr}");
}
