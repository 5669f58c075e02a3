//! Any bytes as a request body, and as a query string: they name a job if `serde_json` and
//! `form_urlencoded` read one in them.
#![no_main]

use fuzz::{ENVIRONMENT, Response};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

struct Payload {
    job_id: String,
    /// As it is written: a string, a number or null.
    id: String,
}

/// What a body and an envelope have alike.
#[derive(Deserialize)]
struct Fields<'a> {
    job_id: String,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl From<Fields<'_>> for Payload {
    fn from(Fields { job_id, id }: Fields<'_>) -> Self {
        Self { job_id, id: id.map_or("null", RawValue::get).to_owned() }
    }
}

fn from_body(body: &[u8]) -> Option<Payload> {
    let text = std::str::from_utf8(body).ok()?;
    // From an array, serde would read the members in their order.
    let is_object = text.trim_ascii_start().starts_with('{');
    let payload: Payload = serde_json::from_str::<Fields<'_>>(text).ok().filter(|_| is_object)?.into();
    (!payload.id.starts_with(['[', '{', 't', 'f'])).then_some(payload)
}

fn from_query(query: &str) -> Option<Payload> {
    let value = |member: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == member);
        let value = values.next().map(|(_, value)| value.into_owned());
        values.next().is_none().then_some(value)
    };
    Some(Payload { job_id: value("job_id")??, id: json!(value("id")?).to_string() })
}

fn is_uuid(text: &str) -> bool {
    let group = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(group.len());
    text.split('-').map(group).eq([8, 4, 4, 4, 12].map(Some))
}

fn judge(response: &Response, length: usize, payload: Option<Payload>) {
    match payload.filter(|payload| is_uuid(&payload.job_id)) {
        _ if length > 16 * 1024 => assert_eq!(response.status, 413, "{response}"),
        None => assert_eq!(response.status, 400, "{response}"),
        Some(payload) => {
            assert_eq!(response.status, 200, "{response}");
            let envelope: Payload = serde_json::from_str::<Fields<'_>>(&response.body).unwrap().into();
            assert_eq!(envelope.job_id, payload.job_id.to_lowercase());
            assert_eq!(envelope.id, payload.id);
        }
    }
}

fuzz_target!(init: ENVIRONMENT.put(b"{}"), |bytes: &[u8]| {
    judge(&ENVIRONMENT.post(bytes), bytes.len(), from_body(bytes));
    if let Ok(query) = std::str::from_utf8(bytes) {
        let payload = from_query(query);
        // `form_urlencoded` puts this where something is not UTF-8, which is refused.
        let is_certain = payload.iter().all(|payload| !payload.id.contains('\u{fffd}'));
        let response = ENVIRONMENT.get(query);
        if is_certain {
            judge(&response, query.len(), payload);
        }
    }
});
