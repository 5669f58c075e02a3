//! Any bytes as a status file: passed on byte for byte if they are one JSON object for `serde_json`,
//! and refused if not.
#![no_main]

use fuzz::{ENVIRONMENT, JOB};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fn read(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    // A byte order mark is no part of a JSON text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str::<&RawValue>(text).ok().filter(|raw| raw.get().starts_with('{')).map(|_| text)
}

fuzz_target!(|bytes: &[u8]| {
    ENVIRONMENT.put(bytes);
    let response = ENVIRONMENT.post(JOB);
    let Some(text) = read(bytes) else {
        if response.status == 200 {
            // Numbers that Python writes and JSON does not have became null.
            let written = String::from_utf8_lossy(bytes);
            assert!(written.contains("NaN") || written.contains("Infinity"), "{response}");
            assert!(read(response.status_file().as_bytes()).is_some(), "{response}");
            return;
        }
        let refusal = r#"{"error":"Failed to retrieve job status: the status file is "#;
        assert!(response.status == 500 && response.body.starts_with(refusal), "{response}");
        return;
    };
    assert_eq!(response.status_file(), text);
    // Where Rust can hold the values, `job_status` is the one that other readers see.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let again = matches!(value["job_status"].as_str(), Some("queued" | "running" | "submitted"));
        assert_eq!(response.header("retry-after").is_some(), again, "{response}");
        assert_eq!(response.header("x-job-outcome") == Some("unfinished"), again, "{response}");
        let can_stall = again && value["heartbeat_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0);
        assert!(can_stall || response.header("x-job-stalled").is_none(), "{response}");
    }
});
