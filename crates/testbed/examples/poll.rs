//! `poll JOB_ID [SECONDS]`
use std::{env, process::exit, thread::sleep, time::Duration, time::Instant};
fn main() {
    let give_up = |code, why: &str| -> ! {
        eprintln!("{why}");
        exit(code)
    };
    let arguments: Vec<_> = env::args().skip(1).chain(["900".into()]).collect();
    let ([job_id, limit] | [job_id, limit, _]) = &arguments[..] else { give_up(2, "usage: poll JOB_ID [SECONDS]") };
    let limit = limit.parse::<u32>().map_or_else(|error| give_up(2, &format!("{limit}: {error}")), f64::from);
    let [url, key] = &["JOB_STATUS_URL", "JOB_STATUS_KEY"].map(|name| env::var(name).unwrap_or_default());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let (start, mut failures, mut known) = (Instant::now(), 0, None);
    let left = || limit - start.elapsed().as_secs_f64();
    loop {
        let ask = agent.get(url).query("job_id", job_id).header("x-api-key", key);
        let ask = known.iter().fold(ask, |ask, etag| ask.header("if-none-match", etag));
        let ask = ask.config().timeout_global(Some(Duration::from_secs_f64(left().clamp(1.0, 10.0)))).build();
        let reply = ask.call().and_then(|mut reply| {
            let body = reply.body_mut().with_config().limit(u64::MAX).lossy_utf8(true).read_to_string()?;
            Ok((reply.status().as_u16(), reply.headers().clone(), body))
        });
        let (status, headers, body) = reply.unwrap_or_else(|it| (0, ureq::http::HeaderMap::new(), it.to_string()));
        let said = |name| headers.get(name)?.to_str().ok();
        said("x-job-stalled").inspect(|silence| eprintln!("no news of the job for {silence} seconds"));
        known = if status == 200 { headers.get("etag").cloned() } else { known };
        failures = if matches!(status, 0 | 429 | 500..) { failures + 1 } else { 0 };
        let spread = if failures > 0 { 1.0 + fastrand::f64() / 2.0 } else { 1.0 };
        let wait = said("retry-after").unwrap_or("").parse().unwrap_or(f64::from(1 << failures)).max(1.0) * spread;
        let part = |path| Some(format!("{:#}", serde_json::from_str::<serde_json::Value>(&body).ok()?.pointer(path)?));
        match (said("x-job-outcome").unwrap_or(if status == 304 { "unfinished" } else { "" }), failures) {
            ("done", _) => break println!("{}", part("/response/response").unwrap_or(body)),
            ("failed", _) => give_up(3, &format!("failed: {}", part("/response/response/message").unwrap_or(body))),
            ("", 0 | 5) if status != 404 || left() < limit - 10.0 => give_up(1, &format!("HTTP {status}: {body}")),
            ("" | "unfinished", _) if left() <= wait => give_up(1, "the job is not over yet"),
            ("" | "unfinished", _) => sleep(Duration::from_secs_f64(wait)),
            (outcome, _) => give_up(1, &format!("{outcome}: {}", part("/response/job_status").unwrap_or(body))),
        }
    }
}
