//! `jobs run`: a command and its status file.

use std::{fs, io, process::Stdio};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    harness::{S3, run, run_with},
    status_file::{JOB, put, status, until},
};

/// The program that runs a shell's script as the job.
pub fn script(s3: &S3, options: &[&str], script: &str) -> Command {
    let run = ["run", JOB, "--store", "s3://jobs/"];
    s3.jobs(&[&run[..], options, &["--", "/bin/sh", "-c", script]].concat())
}

/// The status file without what differs from run to run, which is as it should be.
async fn last_status(s3: &S3) -> Value {
    let mut status = status(s3).await.unwrap();
    let result = status["response"].as_object_mut().unwrap();
    let (run_time, total_time) = (result.remove("run_time").unwrap(), result.remove("total_time").unwrap());
    assert!(run_time.as_f64().unwrap() > 0.0 && run_time == total_time, "{run_time}, {total_time}");
    let pid = result.remove("pid").unwrap();
    assert!(pid.as_u64().unwrap() > 1 && status["process_id"] == pid, "{pid}");
    status.as_object_mut().unwrap().remove("process_id");
    status
}

/// What that is.
fn ended(state: &str, code: u16, result: impl Into<Value>, message: &str) -> Value {
    json!({
        "job_status": state,
        "job_id": JOB,
        "queue_id": "jobs-run",
        "response": {
            "endpoint": "sh",
            "code": code,
            "id": null,
            "job_id": JOB,
            "response": result.into(),
            "message": message,
            "queue_id": "jobs-run",
            "queue_time": 0.0,
            "queue_length": 0,
            "build_number": env!("CARGO_PKG_VERSION"),
        },
    })
}

#[tokio::test]
async fn a_command_that_succeeds_is_a_job_that_is_done() {
    let s3 = S3::start().await;
    let command = script(&s3, &[], "read line; echo \"out $line\"; echo err >&2");
    let expected = (0, "out in\n".into(), "err\n".into());
    assert_eq!(run_with(command, "in\n").await, expected);
    assert_eq!(last_status(&s3).await, ended("done", 200, Value::Null, "success"));

    let (code, ..) = run(script(&s3, &["--endpoint", "/v1/render", "--id", "order 7"], "")).await;
    let status = last_status(&s3).await;
    assert_eq!((code, &status["response"]["endpoint"]), (0, &json!("/v1/render")));
    assert_eq!(status["response"]["id"], "order 7");
}

#[tokio::test]
async fn a_command_that_fails_is_a_job_that_failed_with_the_last_lines_of_stderr() {
    let s3 = S3::start().await;
    for (commands, code, message) in [
        ("echo one >&2; printf 'two\\033[1m' >&2; exit 3", 3, "one\ntwo\u{1b}[1m".to_owned()),
        ("exit 1", 1, "exit code 1".into()),
        ("echo of a result > result; echo no >&2; exit 255", 255, "no".into()),
        ("kill -KILL $$", 137, "ended by SIGKILL".into()),
        ("echo out of memory >&2; kill -KILL $$", 137, "ended by SIGKILL\nout of memory".into()),
        ("for i in $(seq 1000); do echo number $i; done >&2; exit 1", 1, numbers(820)),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = script(&s3, &["--result", "result"], commands);
        command.current_dir(&directory);
        assert_eq!(run(command).await.0, code, "{commands}");
        assert_eq!(last_status(&s3).await, ended("failed", 500, Value::Null, &message), "{commands}");
    }
}

/// The lines from this one on, at most 2,000 bytes.
fn numbers(first: usize) -> String {
    (first..=1000).map(|number| format!("number {number}")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_result_is_what_the_file_has_json_or_a_text() {
    let (s3, directory) = (S3::start().await, tempfile::tempdir().unwrap());
    let file = directory.path().join("result");
    for (content, result) in
        [(r#"{"frames":12,"gap":NaN}"#, json!({"frames":12,"gap":null})), ("a text\n", "a text".into())]
    {
        let mut command = script(&s3, &["--result", file.to_str().unwrap()], "cat > \"$RESULT\"");
        command.env("RESULT", &file);
        assert_eq!(run_with(command, content).await, (0, String::new(), String::new()));
        assert_eq!(last_status(&s3).await, ended("done", 200, result, "success"));
    }
    for (commands, why) in [
        ("rm \"$RESULT\"", "No such file or directory"),
        (
            "(printf '\"'; head -c 33554430 /dev/zero | tr '\\0' x; printf '\"') > \"$RESULT\"",
            "the status file is too large: ",
        ),
    ] {
        let mut command = script(&s3, &["--result", file.to_str().unwrap()], commands);
        command.env("RESULT", &file);
        let (code, _, stderr) = run(command).await;
        assert!(code == 6 && stderr.contains(why), "{stderr}");
        let message = "the command succeeded, but its result can't be passed on";
        assert_eq!(last_status(&s3).await, ended("failed", 500, Value::Null, message));
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_a_job_that_failed() {
    let s3 = S3::start().await;
    let (code, _, stderr) = run(s3.jobs(&["run", JOB, "--store", "s3://jobs/", "--", "/nowhere/sh"])).await;
    assert_eq!(code, 127);
    assert_eq!(
        stderr,
        "jobs: the command can't be started: No such file or directory (os error 2)\n  see that sh is there, and that it may be executed\n"
    );
    let message = "the command can't be started: No such file or directory (os error 2)";
    assert_eq!(last_status(&s3).await, ended("failed", 500, Value::Null, message));

    let mut command = script(&s3, &[], "echo started");
    command.env("TMPDIR", "/nowhere");
    let (code, stdout, stderr) = run(command).await;
    assert!((code, stdout.as_str()) == (127, "") && stderr.contains("set TMPDIR"), "{stderr}");
    assert_eq!(status(&s3).await.unwrap()["job_status"], "failed");
}

#[tokio::test]
async fn progress_is_written_while_the_command_runs() {
    let s3 = S3::start().await;
    let commands = "echo 0.25 > \"$JOBS_PROGRESS\"; read _; echo '58 %' >> \"$JOBS_PROGRESS\"; read _; \
                    : > \"$JOBS_PROGRESS\"; ls \"${JOBS_PROGRESS%/*}\"; echo \"$JOBS_PROGRESS\"";
    let mut child = script(&s3, &["--heartbeat", "90s"], commands).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut first = until(&s3, |status| status["progress"] == 0.25).await;
    assert!(first.as_object_mut().unwrap().remove("process_id").unwrap().is_u64());
    assert_eq!(
        first,
        json!({"job_status":"running","job_id":JOB,"queue_id":"jobs-run","progress":0.25,"heartbeat_seconds":90,"response":null})
    );
    stdin.write_all(b"\n").await.unwrap();
    until(&s3, |status| status["progress"] == "58 %").await;
    stdin.write_all(b"\n").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let path = stdout.strip_prefix("progress\n").unwrap().trim_end();
    assert!(!fs::exists(path).unwrap() && !fs::exists(path.strip_suffix("/progress").unwrap()).unwrap(), "{path}");
    assert_eq!(last_status(&s3).await, ended("done", 200, Value::Null, "success"));
}

#[tokio::test]
async fn a_job_that_is_run_again_begins_anew() {
    let s3 = S3::start().await;
    put(&s3, r#"{"job_status":"failed"}"#).await;
    let mut child = script(&s3, &[], "read _").stdin(Stdio::piped()).spawn().unwrap();
    until(&s3, |status| status["job_status"] == "running").await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn a_stderr_that_nobody_reads_any_more_stops_no_command() {
    let s3 = S3::start().await;
    let mut command = script(&s3, &[], "head -c 1000000 /dev/zero >&2; echo the end >&2; exit 4");
    command.stderr(io::pipe().unwrap().1);
    assert_eq!(command.status().await.unwrap().code(), Some(4));
    let message = status(&s3).await.unwrap()["response"]["message"].take();
    assert!(message.as_str().unwrap().ends_with("\0the end"), "{message}");
}

#[tokio::test]
async fn what_the_command_leaves_running_is_not_waited_for() {
    let s3 = S3::start().await;
    let commands = "cat <&0 > /dev/null & echo left >&2; exit 5";
    let mut child = script(&s3, &[], commands).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().await.unwrap();
    drop(stdin); // it ends now
    assert_eq!((output.status.code(), output.stderr), (Some(5), b"left\n".to_vec()));
    assert_eq!(last_status(&s3).await, ended("failed", 500, Value::Null, "left"));
}

#[tokio::test]
async fn arguments_that_cannot_be_are_refused_before_anything_runs() {
    let s3 = S3::start().await;
    for (arguments, said) in [
        (&["run", "7", "--store", "s3://jobs/", "--", "true"][..], "give it in the form"),
        (&["run", JOB, "--", "true"], "--store <STORE>"),
        (&["run", JOB, "--store", "s3://jobs/x", "--", "true"], "its prefix does not end in /"),
        (&["run", JOB, "--store", "s3://jobs/"], "<COMMAND>..."),
        (&["run", JOB, "--store", "s3://jobs/", "--heartbeat", "10ms", "--", "true"], "shorter than a second"),
        (&["run", JOB, "--store", "s3://jobs/", "--give-up", "2d", "--", "true"], "longer than a day"),
    ] {
        let (code, _, stderr) = run(s3.jobs(arguments)).await;
        assert!(code == 2 && stderr.contains(said), "{arguments:?}: {stderr}");
    }
    assert_eq!(status(&s3).await, None);
    let mut command = s3.jobs(&["run", JOB, "--", "/bin/true"]);
    command.env("JOBS_STORE", "s3://jobs/");
    assert_eq!(run(command).await.0, 0);
}
