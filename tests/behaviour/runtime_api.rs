//! A Runtime API that fails: lost places are back within a second, or the process ends so that Lambda
//! replaces the environment.

use std::{num::NonZero, sync::Arc, time::Duration};

use futures_util::future::join_all;
use job_status::serve;
use local::samples::DONE;
use serde_json::Value;
use testbed::{
    fault_s3::{Act, FaultS3, object},
    lambda::{
        Fault::{self, Close, CutOff, Refuse},
        RuntimeApi,
    },
    variables,
};
use tokio::{sync::Barrier, time::Instant};

use crate::harness::{Deployment, Environment, Logs, Request, fast_timers, start_binary};

const STATUS: &str = r#"{"job_status":"done"}"#;
/// Nothing listens there.
const NOBODY: &str = "127.0.0.1:1";

async fn environment() -> (FaultS3, Environment) {
    fast_timers();
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).start().await;
    s3.always(Act::Answer(object(STATUS)));
    (s3, environment)
}

fn event() -> String {
    Request::job(DONE).event().to_string()
}

fn failures(logs: &Logs) -> Vec<Value> {
    logs.with("event", "runtime_api_failed")
}

#[tokio::test(start_paused = true)]
async fn places_that_lose_the_runtime_api_are_back_within_a_second() {
    for places in [1, 8] {
        for (fails_next, fault) in [(true, Refuse), (true, CutOff), (true, Close), (false, Refuse), (false, Close)] {
            let case = format!("{fault:?} of {} with {places} places", if fails_next { "/next" } else { "/response" });
            let (s3, environment) = environment().await;
            let api = RuntimeApi::listen().await;
            if fails_next {
                api.fail_next([fault; 3]);
            } else {
                api.fail_answers([fault; 3]);
            }
            let (address, logs) = (api.address.to_string(), environment.logs);
            let concurrency = NonZero::new(places).unwrap();
            let serving = tokio::spawn(async move { serve(environment.endpoint, &address, concurrency).await });

            if !fails_next {
                for lost in join_all((0..3).map(|_| api.invoke(event()))).await {
                    assert_eq!(lost.payload.unwrap_err(), "lost", "{case}");
                }
            }
            // S3 answers nobody before it has been asked by all places at once.
            s3.always(Act::Together(Arc::new(Barrier::new(places)), object(STATUS)));
            let failed = Instant::now();
            for answer in join_all((0..places).map(|_| api.invoke(event()))).await {
                assert_eq!(answer.json()["statusCode"], 200, "{case}");
            }
            let took = failed.elapsed();
            assert!(took < Duration::from_secs(1), "{case}: {took:?} on the timers' clock");
            assert_eq!(failures(&logs).len(), 3, "{case}");
            assert!(!serving.is_finished(), "{case}");
            serving.abort();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_runtime_api_that_stays_broken_ends_the_process_after_a_second_of_few_attempts() {
    for places in [1, 8] {
        for fault in [None, Some(Refuse), Some(CutOff), Some(Close)] {
            let (_s3, environment) = environment().await;
            let api = RuntimeApi::listen().await;
            api.fail_next(fault.into_iter().flat_map(|fault: Fault| [fault; 1000]));
            let address = if fault.is_some() { api.address.to_string() } else { NOBODY.into() };
            let started = Instant::now();
            let error = serve(environment.endpoint, &address, NonZero::new(places).unwrap()).await.unwrap_err();
            let took = started.elapsed();
            assert!(took >= Duration::from_secs(1), "{fault:?}: {took:?} on the timers' clock");
            assert!(took < Duration::from_secs(2), "{fault:?}: {took:?} on the timers' clock");
            let lines = failures(&environment.logs);
            assert!(lines.len() >= 5 && lines.len() <= 5 * places, "{fault:?}: {} lines", lines.len());
            assert!(lines.iter().all(|line| line["level"] == "ERROR"), "{lines:?}");
            assert!(error.to_string().starts_with("the Lambda Runtime API"), "{error}");
        }
    }
}

#[tokio::test]
async fn without_a_runtime_api_the_process_exits_with_an_error_and_few_lines() {
    for places in [1, 8] {
        let s3 = FaultS3::start().await;
        let mut variables = variables::with_s3(s3.url());
        variables.insert("AWS_LAMBDA_MAX_CONCURRENCY", places.to_string());
        variables.insert("AWS_LAMBDA_RUNTIME_API", NOBODY.into());
        let (status, output) = start_binary(&variables).await.wait().await;
        assert_eq!(status.code(), Some(1), "{output}");
        let count = |event| output.lines().filter(|line| line.contains(&format!(r#""event":"{event}""#))).count();
        assert_eq!(count("stopped"), 1, "{output}");
        assert!((5..=5 * places).contains(&count("runtime_api_failed")), "{output}");
    }
}
