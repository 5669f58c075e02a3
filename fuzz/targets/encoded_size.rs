//! Any JSON as a status file, once or repeated: the size that is counted is the one that `serde_json`
//! writes, and what else is in each front door's answer fits what is kept free for it.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use fuzz::{ENVIRONMENT, JOB, post};
use job_status::{Body, Gzip, encode, limits::PAYLOAD_OVERHEAD};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json, value::RawValue};

/// An event of each front door.
fn events() -> [Value; 3] {
    [json!({ "http": { "method": "POST" } }), json!({ "elb": {} }), json!({})].map(|context| {
        let mut event = post(JOB);
        event["requestContext"] = context;
        event["httpMethod"] = "POST".into();
        event["path"] = event["rawPath"].clone();
        event["headers"]["accept-encoding"] = "gzip".into();
        event
    })
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&times, json)) = bytes.split_first() else { return Corpus::Reject };
    let Ok(json) = serde_json::from_slice::<&RawValue>(json) else { return Corpus::Reject };
    let file = format!(r#"{{"values":[{}]}}"#, vec![json.get(); usize::from(times) + 1].join(",\n\t"));
    ENVIRONMENT.put(file.as_bytes());

    for event in events() {
        let written = ENVIRONMENT.invoke(event.to_string().as_bytes()).unwrap();
        let answer: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(answer["statusCode"], 200, "{written}");
        let body = answer["body"].as_str().unwrap();
        let size = serde_json::to_string(body).unwrap().len() - 2;
        assert!(written.len() - size <= PAYLOAD_OVERHEAD, "{written}");

        // The same text with a limit that is just enough for it, and with one that is not.
        let is_compressed = answer["isBase64Encoded"] == true;
        let (text, gzip) = if is_compressed { (&*file, Gzip::Accepted) } else { (body, Gzip::Impossible) };
        let size = match encode(&[text], gzip, usize::MAX).ok().unwrap().body {
            Body::Text(text) => serde_json::to_string(&text).unwrap().len() - 2,
            Body::Gzip(bytes) => STANDARD.encode(bytes).len(),
        };
        let fits = |size: usize| encode(&[text], gzip, size + PAYLOAD_OVERHEAD).is_ok();
        assert!(fits(size) && !fits(size - 1), "{size} bytes: {text}");
    }
    Corpus::Keep
});
