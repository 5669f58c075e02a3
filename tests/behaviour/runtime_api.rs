//! A Runtime API that fails: the process ends with an error, at once and quietly, and Lambda replaces the
//! environment.

use std::{process::ExitStatus, time::Duration};

use local::samples::DONE;
use testbed::{
    fault_s3::{Act, FaultS3, object},
    lambda::{
        Fault::{Close, CutOff, Refuse},
        Function,
    },
    variables::{self, Variables},
};
use tokio::{process::Command, time::timeout};

use crate::harness::{BINARY, Request, capture, send, start_binary};

/// Nothing listens there.
const NOBODY: &str = "127.0.0.1:1";
/// Each worker's own log lines would fill it many times, if they came without a pause.
const MAX_OUTPUT: usize = 200_000;

fn deployed(s3: &FaultS3, concurrency: usize) -> Variables {
    s3.always(Act::Answer(object(r#"{"job_status":"done"}"#)));
    let mut variables = variables::with_s3(s3.url());
    variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
    variables
}

fn event() -> String {
    Request::job(DONE).event().to_string()
}

/// Asserts that a process ends by itself, with an error that it logs.
async fn assert_stops(function: Function, case: &str) {
    let (status, output): (ExitStatus, String) =
        timeout(Duration::from_secs(5), function.wait()).await.unwrap_or_else(|_| panic!("{case}: it goes on"));
    assert_eq!(status.code(), Some(1), "{case}: {output}");
    let stopped: Vec<_> = output.lines().filter(|line| line.contains(r#""event":"stopped""#)).collect();
    assert_eq!(stopped.len(), 1, "{case}: {output}");
    assert!(stopped[0].contains(r#""level":"ERROR""#), "{case}: {output}");
    capture(&format!("{}\n", stopped[0]));
    assert!(output.len() < MAX_OUTPUT, "{case}: {} bytes of log", output.len());
}

#[tokio::test]
async fn a_runtime_api_that_fails_once_ends_the_process() {
    for concurrency in [1, 8] {
        for (fails_next, fault) in [(true, Refuse), (true, CutOff), (true, Close), (false, Refuse), (false, Close)] {
            let case = format!("{fault:?} of {} at {concurrency}", if fails_next { "/next" } else { "/response" });
            let s3 = FaultS3::start().await;
            let function = start_binary(&deployed(&s3, concurrency)).await;
            function.initialized().await;
            if fails_next {
                function.api().fail_next([fault]); // for who asks again after the answer, or for another worker
            } else {
                function.api().fail_answers([fault]);
            }
            tokio::select! {
                _ = function.api().invoke(event()) => {}
                () = function.ended() => {}
            }
            assert_stops(function, &case).await;
        }
    }
}

/// A second of CPU time, or less, is all that it gets.
#[tokio::test]
async fn without_a_runtime_api_the_process_ends_without_a_busy_loop() {
    for concurrency in [1, 8, 64] {
        for level in ["INFO", "OFF"] {
            let case = format!("{concurrency} at a time, log level {level}");
            let s3 = FaultS3::start().await;
            let mut variables = deployed(&s3, concurrency);
            variables.insert("AWS_LAMBDA_RUNTIME_API", NOBODY.into());
            variables.insert("AWS_LAMBDA_LOG_LEVEL", level.into());
            let mut program = Command::new("sh");
            program.args(["-c", "ulimit -t 1; exec \"$0\"", BINARY]);
            let function = Function::start(program, &variables).await;
            if level == "OFF" {
                let (status, output) = function.wait().await;
                assert_eq!((status.code(), &*output), (Some(1), ""), "{case}");
            } else {
                assert_stops(function, &case).await;
            }
        }
    }
}

#[tokio::test]
async fn a_runtime_api_that_goes_away_ends_the_process() {
    for concurrency in [1, 8, 64] {
        let s3 = FaultS3::start().await;
        let mut program = Command::new("sh");
        program.args(["-c", "ulimit -t 1; exec \"$0\"", BINARY]);
        let function = Function::start(program, &deployed(&s3, concurrency)).await;
        assert_eq!(send(&function, &Request::job(DONE)).await.status, 200);
        function.api().close();
        assert_stops(function, &format!("{concurrency} at a time")).await;
    }
}
