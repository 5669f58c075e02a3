//! Which documents are keyrings: the parser and the schema agree, and each fault is named.

use serde_json::{Value, json};
use testbed::keyring::{entry, sha256};

use crate::harness::{seed, with};

/// Documents, and for each whether it is a keyring.
fn documents() -> Vec<(Value, bool)> {
    let good = entry("acme", "k");
    let sha = sha256("k");
    let mut documents = vec![
        (json!({ "keys": [] }), true),
        (json!({ "keys": [good] }), true),
        (json!({}), false),
        (json!([]), false),
        (json!(null), false),
        (json!({ "keys": null }), false),
        (json!({ "keys": {} }), false),
        (json!({ "keys": [], "version": 1 }), false),
        (json!({ "keys": [null] }), false),
        (json!({ "keys": ["acme"] }), false),
        (json!({ "keys": [{ "name": "acme" }] }), false),
        (json!({ "keys": [{ "sha256": sha }] }), false),
        (json!({ "keys": [with(good.clone(), "expire", "2027-06-30T00:00:00Z")] }), false),
        (json!({ "keys": [with(good.clone(), "Prefix", "acme/")] }), false),
    ];
    for (member, values) in [
        (
            "name",
            vec![
                (json!("a"), true),
                (json!("A b-c_d.e/f@g (h)~"), true),
                (json!("x".repeat(64)), true),
                (json!("x".repeat(65)), false),
                (json!(""), false),
                (json!("caf\u{e9}"), false),
                (json!("a\nb"), false),
                (json!("\u{7f}"), false),
                (json!(7), false),
                (json!(null), false),
            ],
        ),
        (
            "sha256",
            vec![
                (json!(sha.to_uppercase()), true),
                (json!(&sha[1..]), false),
                (json!(format!("{sha}0")), false),
                (json!(sha.replace(&sha[..1], "g")), false),
                (json!(format!("+{}", &sha[1..])), false),
                (json!(format!(" {}", &sha[1..])), false),
                (json!("\u{e9}".repeat(32)), false),
                (json!(""), false),
                (json!(null), false),
                (json!([sha]), false),
            ],
        ),
        (
            "prefix",
            vec![
                (json!("acme/"), true),
                (json!("a/b-c/D_e/0.9/"), true),
                (json!("a..b/"), true),
                (json!(format!("{}/", "x".repeat(64))), true),
                (json!(format!("{}/", "x".repeat(65))), false),
                (json!("x/".repeat(256)), true),
                (json!("x/".repeat(257)), false),
                (json!(""), false),
                (json!("/"), false),
                (json!("acme"), false),
                (json!("/acme/"), false),
                (json!("acme//"), false),
                (json!("../"), false),
                (json!("acme/../zeta/"), false),
                (json!("./"), false),
                (json!(".hidden/"), false),
                (json!("a b/"), false),
                (json!("a%2Fb/"), false),
                (json!("a\\b/"), false),
                (json!("caf\u{e9}/"), false),
                (json!("a/\n"), false),
                (json!(null), false),
                (json!(1), false),
            ],
        ),
        (
            "expires",
            vec![
                (json!("2027-06-30T00:00:00Z"), true),
                (json!("2027-06-30T23:59:59.999999+05:30"), true),
                (json!("2024-02-29T00:00:00-08:00"), true),
                (json!("1999-01-01T00:00:00Z"), true),
                (json!("2027-02-29T00:00:00Z"), false),
                (json!("2027-13-01T00:00:00Z"), false),
                (json!("2027-06-30T24:00:00Z"), false),
                (json!("2027-06-30T00:00:00"), false),
                (json!("2027-06-30"), false),
                (json!("2027-06-30 00:00:00Z"), false),
                (json!("2027-06-30t00:00:00Z"), false),
                (json!("2027-06-30T00:00:00z"), false),
                (json!("30 June 2027"), false),
                (json!("2027-06-30T00:00:00+0200"), false),
                (json!(""), false),
                (json!(1_814_313_600), false),
                (json!(null), false),
            ],
        ),
    ] {
        documents.extend(
            values
                .into_iter()
                .map(|(value, is_keyring)| (json!({ "keys": [with(good.clone(), member, value)] }), is_keyring)),
        );
    }
    documents
}

#[test]
fn the_schema_and_the_parser_accept_the_same_documents() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/keyring.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for (document, is_keyring) in documents() {
        let text = document.to_string();
        seed("keyring", text.as_bytes());
        let parsed = job_status::Keyring::parse(text.as_bytes());
        assert_eq!(parsed.is_ok(), is_keyring, "parser on {document}");
        assert_eq!(schema.is_valid(&document), is_keyring, "schema on {document}");
    }
}

#[test]
fn each_fault_is_named_with_its_entry() {
    let mut answers = String::new();
    let twice = format!(r#"{{"keys":[{{"name":"a","name":"b","sha256":"{}"}}]}}"#, sha256("k"));
    let other = entry("acme", "other");
    for document in [
        "{\"keys\":[\n}".to_owned(),
        twice,
        json!({ "keys": [entry("acme", "k"), other] }).to_string(),
        json!({ "keys": [entry("acme", "k"), entry("zeta", "k")] }).to_string(),
        json!({ "keys": [entry("acme", "k"), {}, with(entry("x", "y"), "prefix", "x"), with(entry("z", "z"), "expires", "soon")] }).to_string(),
        json!({ "keys": vec![json!({}); 10] }).to_string(),
    ] {
        seed("keyring", document.as_bytes());
        let faults = job_status::Keyring::parse(document.as_bytes()).err().unwrap();
        answers += &format!("{faults}\n");
    }
    insta::assert_snapshot!(answers, @"
    is not a valid keyring: it is not valid JSON (line 2, column 1)
    is not a valid keyring: keys[0]: name is given twice
    is not a valid keyring: keys[1] has the name of keys[0]
    is not a valid keyring: keys[1] (zeta) has the sha256 of acme
    is not a valid keyring: keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: prefix is not of the form acme/ (segments of letters, digits, - _ . each ending in /), keys[3]: expires is not a moment such as 2027-06-30T00:00:00Z (RFC 3339, with offset)
    is not a valid keyring: keys[0]: name is missing, keys[0]: sha256 is missing, keys[1]: name is missing, keys[1]: sha256 is missing, keys[2]: name is missing, keys[2]: sha256 is missing, keys[3]: name is missing, keys[3]: sha256 is missing, and 12 more
    ");
}
