//! What holds for any input.

use local::samples::UNKNOWN;
use proptest::{collection, prelude::*};
use tokio::runtime::Runtime;

use crate::{
    ask::Ask,
    fault_s3::{Act, FaultS3, object},
    world::{Plan, World},
};

/// A runtime, and in it a world whose S3 has `content` for every job and counts its requests.
fn world(content: &str) -> (Runtime, FaultS3, World) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (s3, world) = runtime.block_on(async {
        let s3 = FaultS3::start().await;
        let world = Plan::at(s3.url()).start().await;
        s3.always(Act::Answer(object(content)));
        s3.seen();
        (s3, world)
    });
    (runtime, s3, world)
}

/// A path in JSON Schema's grammar would be another parser; this is the grammar of RFC 8259,
/// with the white space, escapes and number spellings that it allows.
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
    let (runtime, s3, world) = world("{}");
    let body = prop_oneof![
        collection::vec(any::<u8>(), 0..200),
        json().prop_map(String::into_bytes),
        json_object().prop_map(String::into_bytes),
    ];
    proptest!(|(body in body)| {
        let reply = runtime.block_on(world.send(Ask::bytes(&body)));
        prop_assert_eq!(reply.status, 400, "{}", reply);
        prop_assert_eq!(s3.seen(), Vec::<String>::new());
    });
}

#[test]
fn any_string_as_job_id_is_a_400_and_never_reaches_s3_unless_it_is_a_uuid() {
    let (runtime, s3, world) = world("{}");
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
        let reply = runtime.block_on(world.send(Ask::job(&job_id)));
        let seen = s3.seen();
        if is_uuid(&job_id) {
            prop_assert_eq!(reply.status, 200, "{}", reply);
            prop_assert!(seen.len() == 1 && seen[0].starts_with(&format!("GET /jobs/{}.json", job_id.to_lowercase())), "{seen:?}");
        } else {
            prop_assert_eq!((reply.status, seen), (400, vec![]), "{}", job_id);
        }
    });
}

#[test]
fn any_key_but_an_accepted_one_is_a_401_and_never_reaches_s3() {
    let (runtime, s3, world) = world("{}");
    proptest!(|(key in any::<String>())| {
        prop_assume!(key != crate::ask::DEMO_KEY);
        let reply = runtime.block_on(world.send(Ask::job(UNKNOWN).key(&key)));
        prop_assert_eq!((reply.status, s3.seen()), (401, vec![]));
    });
}

#[test]
fn any_json_object_as_status_file_comes_back_byte_for_byte() {
    let (runtime, s3, world) = world("{}");
    proptest!(|(content in json_object())| {
        s3.always(Act::Answer(object(&content)));
        let reply = runtime.block_on(world.poll(UNKNOWN));
        prop_assert_eq!(reply.status_file(), &content);
        if !content.contains("\\ud") && !content.contains("\\uD") && !content.contains('e') && !content.contains('E') {
            // What every JSON reader can represent makes an envelope that every one can read.
            prop_assert!(serde_json::from_str::<serde_json::Value>(&reply.body).is_ok(), "{}", reply.body);
        }
    });
}

#[test]
fn any_bytes_as_status_file_are_passed_on_or_a_documented_500() {
    let (runtime, s3, world) = world("{}");
    let damaged = (json_object(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(content, index, byte)| {
        let mut bytes = content.into_bytes();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        bytes
    });
    let content = prop_oneof![collection::vec(any::<u8>(), 0..100), damaged, json().prop_map(String::into_bytes)];
    proptest!(|(content in content)| {
        s3.always(Act::Answer(object(&content)));
        let reply = runtime.block_on(world.poll(UNKNOWN));
        if reply.status == 200 {
            prop_assert_eq!(reply.status_file().as_bytes(), &content);
            let text = std::str::from_utf8(&content).unwrap();
            let is_object = serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap().get().starts_with('{');
            prop_assert!(is_object);
        } else {
            prop_assert_eq!(reply.status, 500);
            prop_assert!(reply.body.starts_with(r#"{"error":"Failed to retrieve job status: the status file is "#), "{}", reply.body);
        }
    });
}
