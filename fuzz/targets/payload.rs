//! Any bytes as a request body: they name a job if `serde_json` reads one in them.
#![no_main]

use fuzz::ENVIRONMENT;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Payload {
    job_id: String,
    id: Option<String>,
}

fn read(body: &[u8]) -> Option<Payload> {
    let text = std::str::from_utf8(body).ok()?;
    // From an array, serde would read the members in their order.
    let is_object = text.trim_ascii_start().starts_with('{');
    serde_json::from_str(text).ok().filter(|payload: &Payload| is_object && is_uuid(&payload.job_id))
}

fn is_uuid(text: &str) -> bool {
    let group = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(group.len());
    text.split('-').map(group).eq([8, 4, 4, 4, 12].map(Some))
}

fuzz_target!(init: ENVIRONMENT.put(b"{}"), |body: &[u8]| {
    let response = ENVIRONMENT.post(body);
    match read(body) {
        _ if body.len() > 16 * 1024 => assert_eq!(response.status, 413, "{response}"),
        None => assert_eq!(response.status, 400, "{response}"),
        Some(payload) => {
            assert_eq!(response.status, 200, "{response}");
            let envelope: Value = serde_json::from_str(&response.body).unwrap();
            assert_eq!(envelope["job_id"], payload.job_id.to_lowercase());
            assert_eq!(envelope["id"], json!(payload.id));
        }
    }
});
