//! `poll JOB_ID [SECONDS]`

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use reqwest::{
    Client, RequestBuilder,
    header::{ETAG, HeaderMap, IF_NONE_MATCH},
    redirect::Policy,
};
use serde_json::Value;

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
    let client = Client::builder().redirect(Policy::none()).build();
    let client = client.map_err(|error| Error::NoResult(error.to_string()))?;
    let (mut failures, mut etag) = (0, None);
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let request = client.get(url).query(&[("job_id", job_id)]);
        let request = request
            .header("x-api-key", key)
            .headers(etag.iter().cloned().map(|etag| (IF_NONE_MATCH, etag)).collect())
            .timeout(left.clamp(Duration::from_secs(1), Duration::from_secs(10)));
        let answer = poll(request).await;
        let (status, headers, body) = answer.unwrap_or_else(|error| (0, HeaderMap::new(), error.to_string()));

        let seconds = |name| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        if let Some(silence) = seconds("x-job-stalled") {
            eprintln!("no news of the job for {silence} seconds");
        }
        let (mut wait, mut spread) = (1, 1.0);
        match status {
            304 => failures = 0, // the job is as it was: not over, or nobody would ask again
            200 => {
                failures = 0;
                etag = headers.get(ETAG).cloned();
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
                    Some("queued" | "running" | "submitted") => {}
                    _ => return Err(Error::NoResult(format!("the job's state is {state}"))),
                }
            }
            404 if start.elapsed() < Duration::from_secs(10) => {} // not written down yet, perhaps
            0 | 429 | 500.. => {
                failures += 1;
                if failures == 5 {
                    return Err(Error::NoResult(format!("HTTP {status}, {failures} failures in a row: {body}")));
                }
                wait = 1 << failures;
                spread += fastrand::f64() / 2.0;
            }
            _ => return Err(Error::NoResult(format!("HTTP {status}: {body}"))),
        }

        let wait = Duration::from_secs(seconds("retry-after").unwrap_or(wait).max(1)).as_secs_f64() * spread;
        let wait = Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX);
        if start.elapsed().saturating_add(wait) >= limit {
            return Err(Error::NoResult("the job is not over yet".into()));
        }
        tokio::time::sleep(wait).await;
    }
}

/// One poll: the answer's HTTP status, headers and body. An error is no answer, or half of one.
async fn poll(request: RequestBuilder) -> reqwest::Result<(u16, HeaderMap, String)> {
    let reply = request.send().await?;
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    Ok((status, headers, reply.text().await?))
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
