//! `poll JOB_ID [SECONDS]`

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use reqwest::Client;
use serde_json::{Value, json};

/// Why there is no result.
enum Error {
    /// The job is over, and failed.
    JobFailed(String),
    /// There is no result, or none in time.
    NoResult(String),
}

/// The result of a job, as soon as there is one.
async fn wait_for_job(job_id: &str, url: &str, key: &str, limit: Duration) -> Result<Value, Error> {
    let start = Instant::now();
    let client = Client::new();
    let mut failures = 0;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let timeout = left.clamp(Duration::from_secs(1), Duration::from_secs(10));
        let (mut wait, mut spread) = (1, 1.0);
        let retry_after = match poll(&client, job_id, url, key, timeout).await {
            Ok(Answer { status: 200, retry_after, stalled, body }) => {
                failures = 0;
                let envelope: Value =
                    serde_json::from_str(&body).map_err(|error| Error::NoResult(error.to_string()))?;
                let at = |path| envelope.pointer(path).unwrap_or(&Value::Null);
                let (state, result) = (at("/response/job_status"), at("/response/response"));
                let code_is_good = result["code"].is_null() || result["code"] == 200;
                match state.as_str() {
                    Some("done") if code_is_good => return Ok(result.clone()),
                    Some("done" | "failed") => {
                        let message = result.get("message").unwrap_or(result);
                        return Err(Error::JobFailed(format!("the job failed: {message}")));
                    }
                    Some("queued" | "running" | "submitted") => {
                        if let Some(seconds) = stalled {
                            eprintln!("no news of the job for {seconds} seconds");
                        }
                        retry_after
                    }
                    _ => return Err(Error::NoResult(format!("the job's state is {state}"))),
                }
            }
            Ok(Answer { status: 404, retry_after, .. }) if start.elapsed() < Duration::from_secs(10) => retry_after,
            Ok(Answer { status, body, .. }) if status < 500 && status != 429 => {
                return Err(Error::NoResult(format!("HTTP {status}: {body}")));
            }
            answer => {
                failures += 1;
                let Answer { status, retry_after, body, .. } = answer.unwrap_or_else(|error| Answer {
                    status: 0,
                    retry_after: None,
                    stalled: None,
                    body: error.to_string(),
                });
                if failures == 5 {
                    return Err(Error::NoResult(format!("HTTP {status}, {failures} failures in a row: {body}")));
                }
                wait = 1 << failures;
                spread += fastrand::f64() / 2.0;
                retry_after
            }
        };
        let wait = Duration::from_secs(retry_after.unwrap_or(wait).max(1)).as_secs_f64() * spread;
        let wait = Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX);
        if start.elapsed().saturating_add(wait) >= limit {
            return Err(Error::NoResult("the job is not over yet".into()));
        }
        tokio::time::sleep(wait).await;
    }
}

/// What a poll is answered: the HTTP status, the two headers in seconds, the body.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    stalled: Option<u64>,
    body: String,
}

/// One poll. An error is no answer, or half of one.
async fn poll(client: &Client, job_id: &str, url: &str, key: &str, timeout: Duration) -> reqwest::Result<Answer> {
    let reply = client
        .post(url)
        .timeout(timeout)
        .header("x-api-key", key)
        .header("content-type", "application/json")
        .body(json!({ "job_id": job_id }).to_string())
        .send()
        .await?;
    let seconds = |name| reply.headers().get(name).and_then(|value| value.to_str().ok()?.parse().ok());
    let (retry_after, stalled) = (seconds("retry-after"), seconds("x-job-stalled"));
    Ok(Answer { status: reply.status().as_u16(), retry_after, stalled, body: reply.text().await? })
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let asked = match &arguments[..] {
        [job_id] => Some((job_id, 900)),
        [job_id, seconds] => seconds.parse().ok().map(|seconds| (job_id, seconds)),
        _ => None,
    };
    let Some((job_id, seconds)) = asked else {
        eprintln!("usage: poll JOB_ID [SECONDS]");
        return ExitCode::from(2);
    };
    let variable = |name| env::var(name).unwrap_or_default();
    let (url, key) = (variable("JOB_STATUS_URL"), variable("JOB_STATUS_KEY"));
    match wait_for_job(job_id, &url, &key, Duration::from_secs(seconds)).await {
        Ok(result) => {
            println!("{result:#}");
            ExitCode::SUCCESS
        }
        Err(Error::JobFailed(message)) => {
            eprintln!("{message}");
            ExitCode::from(3)
        }
        Err(Error::NoResult(message)) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
