//! What holds for any input.

use local::samples::UNKNOWN;
use proptest::{collection, prelude::*};
use testbed::{
    fault_s3::{Act, FaultS3, object},
    keyring::DEMO_KEY,
};
use tokio::runtime::Runtime;

use crate::harness::{Environment, Request, failure, runtime};

/// A runtime, and in it an environment in front of an S3 that has the status file `{}` for every job.
fn start() -> (Runtime, FaultS3, Environment) {
    let runtime = runtime();
    let (s3, environment) = runtime.block_on(Environment::with_fault_s3(&[]));
    s3.always(Act::Answer(object("{}")));
    (runtime, s3, environment)
}

/// Any JSON value, made by the grammar of RFC 8259: with the white space, the escapes and the ways of
/// writing numbers that it allows.
fn json() -> impl Strategy<Value = String> {
    let string = collection::vec(
        prop_oneof![
            "[^\"\\\\\\x00-\\x1f]{1,4}",
            Just("\\\"".to_owned()),
            Just("\\/".to_owned()),
            Just("\\n".to_owned()),
            "\\\\u[0-9a-fA-F]{4}",
        ],
        0..4,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?";
    let scalar = prop_oneof![
        string.clone(),
        number.prop_map(String::from),
        prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(String::from),
    ];
    let space = "[ \t\r\n]{0,2}";
    scalar.prop_recursive(4, 32, 4, move |inner| {
        let member =
            (string.clone(), space, inner.clone()).prop_map(|(name, space, value)| format!("{name}{space}:{value}"));
        prop_oneof![
            collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(", "))),
            collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn json_object() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("job_status".to_owned()), "[a-z]{0,8}", "\\\\u[dD][89a-fA-F][0-9]{2}"];
    let member = (name, json()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    (collection::vec(member, 0..5), "[ \t\r\n]{0,3}")
        .prop_map(|(members, space)| format!("{space}{{{}}}{space}", members.join(",")))
}

#[test]
fn any_bytes_as_body_are_a_400_and_never_reach_s3() {
    let (runtime, s3, environment) = start();
    let body = prop_oneof![
        collection::vec(any::<u8>(), 0..200),
        json().prop_map(String::into_bytes),
        json_object().prop_map(String::into_bytes),
    ];
    proptest!(|(body in body)| {
        let response = runtime.block_on(environment.send(Request::bytes(&body)));
        prop_assert_eq!(response.status, 400, "{}", response);
        prop_assert_eq!(s3.take_requests(), Vec::<String>::new());
    });
}

#[test]
fn any_string_as_job_id_is_a_400_and_never_reaches_s3_unless_it_is_a_uuid() {
    let (runtime, s3, environment) = start();
    let hex = "[0-9a-fA-F]";
    let uuid = format!("{hex}{{8}}-{hex}{{4}}-{hex}{{4}}-{hex}{{4}}-{hex}{{12}}");
    let job_id = prop_oneof![
        any::<String>(),
        "[0-9a-f-]{36}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-g]{12}",
        "(\\.\\./){1,12}",
        proptest::string::string_regex(&uuid).unwrap(),
    ];
    let is_uuid = |text: &str| {
        text.len() == 36
            && text.char_indices().all(|(index, character)| match index {
                8 | 13 | 18 | 23 => character == '-',
                _ => character.is_ascii_hexdigit(),
            })
    };
    proptest!(|(job_id in job_id)| {
        let response = runtime.block_on(environment.send(Request::job(&job_id)));
        let seen = s3.take_requests();
        if is_uuid(&job_id) {
            prop_assert_eq!(response.status, 200, "{}", response);
            prop_assert!(seen.len() == 1 && seen[0].starts_with(&format!("GET /jobs/{}.json", job_id.to_lowercase())), "{seen:?}");
        } else {
            prop_assert_eq!((response.status, seen), (400, vec![]), "{}", job_id);
        }
    });
}

#[test]
fn any_key_but_an_accepted_one_is_a_401_and_never_reaches_s3() {
    let (runtime, s3, environment) = start();
    proptest!(|(key in any::<String>())| {
        prop_assume!(key != DEMO_KEY);
        let response = runtime.block_on(environment.send(Request::job(UNKNOWN).key(&key)));
        prop_assert_eq!((response.status, s3.take_requests()), (401, vec![]));
    });
}

#[test]
fn any_json_object_as_status_file_comes_back_byte_for_byte() {
    let (runtime, s3, environment) = start();
    proptest!(|(content in json_object())| {
        s3.always(Act::Answer(object(&content)));
        let response = runtime.block_on(environment.poll(UNKNOWN));
        prop_assert_eq!(response.status_file(), &content);
        if !content.contains("\\ud") && !content.contains("\\uD") && !content.contains('e') && !content.contains('E') {
            // If every JSON reader can represent the file, every one can read the envelope.
            prop_assert!(serde_json::from_str::<serde_json::Value>(&response.body).is_ok(), "{}", response.body);
        }
    });
}

#[test]
fn any_bytes_as_status_file_are_passed_on_or_a_documented_500() {
    let (runtime, s3, environment) = start();
    let damaged = (json_object(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(content, index, byte)| {
        let mut bytes = content.into_bytes();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        bytes
    });
    let content = prop_oneof![collection::vec(any::<u8>(), 0..100), damaged, json().prop_map(String::into_bytes)];
    proptest!(|(content in content)| {
        s3.always(Act::Answer(object(&content)));
        let response = runtime.block_on(environment.poll(UNKNOWN));
        if response.status == 200 {
            prop_assert_eq!(response.status_file().as_bytes(), &content);
            let text = std::str::from_utf8(&content).unwrap();
            let is_object = serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap().get().starts_with('{');
            prop_assert!(is_object);
        } else {
            let documented = ["empty", "not UTF-8", "not a JSON object"].map(|what| failure(&format!("the status file is {what}")));
            prop_assert!(documented.contains(&response.to_string()), "{}", response);
        }
    });
}
