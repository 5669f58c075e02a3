//! Any bytes as a keyring document: accepted if `keyring.schema.json` accepts them, and names and
//! digests are unique.
#![no_main]

use std::{collections::HashSet, sync::LazyLock};

use job_status::Keyring;
use jsonschema::Validator;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../schemas/keyring.schema.json")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

fn is_unique(document: &Value, member: &str) -> bool {
    let entries = document["keys"].as_array().unwrap();
    let values = entries.iter().map(|entry| entry[member].as_str().unwrap());
    // Digits mean the same in either case; letters of names do not.
    let values = values.map(|value| if member == "sha256" { value.to_lowercase() } else { value.to_owned() });
    values.collect::<HashSet<_>>().len() == entries.len()
}

fuzz_target!(|bytes: &[u8]| {
    let accepted = Keyring::parse(bytes).is_ok();
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        assert!(!accepted, "it is not JSON");
        return;
    };
    // No member is given twice any more, which a schema can't see.
    let once = document.to_string();
    let expected = SCHEMA.is_valid(&document) && is_unique(&document, "name") && is_unique(&document, "sha256");
    let verdict = Keyring::parse(once.as_bytes());
    assert_eq!(verdict.is_ok(), expected, "{once}: {:?}", verdict.err().map(|fault| fault.to_string()));
    assert!(expected || !accepted, "accepted only because a member is given twice");
});
