//! `poll JOB_ID [SECONDS]`
use reqwest::{blocking::Client, header, header::HeaderMap, redirect::Policy};
use std::{env, process::exit, thread::sleep, time::Duration, time::Instant};

fn give_up(code: i32, why: &str) -> ! {
    eprintln!("{why}");
    exit(code)
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).chain(["900".into()]).collect();
    let ([job_id, limit] | [job_id, limit, _]) = &arguments[..] else { give_up(2, "usage: poll JOB_ID [SECONDS]") };
    let limit = limit.parse::<u32>().map_or_else(|error| give_up(2, &format!("{limit}: {error}")), f64::from);
    let [url, key] = &["JOB_STATUS_URL", "JOB_STATUS_KEY"].map(|name| env::var(name).unwrap_or_default());
    let client = Client::builder().redirect(Policy::none()).build().unwrap_or_else(|it| give_up(1, &it.to_string()));
    let (start, mut failures, mut known) = (Instant::now(), 0, HeaderMap::new());
    let elapsed = || start.elapsed().as_secs_f64();
    loop {
        let request = client.get(url).query(&[("job_id", job_id)]).header("x-api-key", key).headers(known.clone());
        let request = request.timeout(Duration::from_secs_f64((limit - elapsed()).clamp(1.0, 10.0)));
        let reply = request.send().and_then(|r| Ok((r.status().as_u16(), r.headers().clone(), r.text()?)));
        let (status, headers, body) = reply.unwrap_or_else(|error| (0, HeaderMap::new(), error.to_string()));
        let said = |name| headers.get(name)?.to_str().ok();
        said("x-job-stalled").inspect(|silence| eprintln!("no news of the job for {silence} seconds"));
        let etag = headers.get(header::ETAG).map(|it| (header::IF_NONE_MATCH, it.clone()));
        known = if status == 200 { HeaderMap::from_iter(etag) } else { known };
        failures = if matches!(status, 0 | 429 | 500..) { failures + 1 } else { 0 };
        let spread = if failures > 0 { 1.0 + fastrand::f64() / 2.0 } else { 1.0 };
        let wait = said("retry-after").unwrap_or("").parse().unwrap_or(f64::from(1 << failures)).max(1.0) * spread;
        let part = |path| Some(format!("{:#}", serde_json::from_str::<serde_json::Value>(&body).ok()?.pointer(path)?));
        match (said("x-job-outcome").unwrap_or(if status == 304 { "unfinished" } else { "" }), failures) {
            ("done", _) => break println!("{}", part("/response/response").unwrap_or(body)),
            ("failed", _) => give_up(3, &format!("failed: {}", part("/response/response/message").unwrap_or(body))),
            ("", 0 | 5) if status != 404 || elapsed() > 10.0 => give_up(1, &format!("HTTP {status}: {body}")),
            ("" | "unfinished", _) if elapsed() + wait >= limit => give_up(1, "the job is not over yet"),
            ("" | "unfinished", _) => sleep(Duration::from_secs_f64(wait)),
            (outcome, _) => give_up(1, &format!("{outcome}: {}", part("/response/job_status").unwrap_or(body))),
        }
    }
}
