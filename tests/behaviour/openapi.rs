//! Holds every response of every test to `openapi.yaml`.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::ask::Reply;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../openapi.yaml")).unwrap());

/// For each documented status, the documented headers and the body's schema.
static RESPONSES: LazyLock<Vec<(u16, Vec<Header>, Validator)>> = LazyLock::new(|| {
    let responses = DOCUMENT["paths"]["/v1/toolkit/job/status"]["post"]["responses"].as_object().unwrap();
    let documented = responses.iter().map(|(status, reference)| {
        let response = resolve(reference);
        let headers = response["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, header)| Header::new(name, resolve(header)));
        let body = &response["content"]["application/json"]["schema"];
        (status.parse().unwrap(), headers.collect(), validator(body))
    });
    documented.collect()
});

struct Header {
    name: String,
    required: bool,
    schema: Validator,
}

impl Header {
    fn new(name: &str, header: &Value) -> Self {
        Self { name: name.to_owned(), required: header["required"] == true, schema: validator(&header["schema"]) }
    }
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// A validator for a schema of the document, which may refer to others there.
fn validator(schema: &Value) -> Validator {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": DOCUMENT["components"],
        "allOf": [schema],
    });
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// Asserts that status, headers and body are what the document promises.
pub fn assert_documented(reply: &Reply) {
    let (_, headers, body) = RESPONSES
        .iter()
        .find(|(status, ..)| *status == reply.status)
        .unwrap_or_else(|| panic!("{} is not documented: {reply}", reply.status));
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply}");
    for (name, value) in &reply.headers {
        if name == "content-type" {
            continue;
        }
        let header = headers.iter().find(|header| header.name == *name);
        let header = header.unwrap_or_else(|| panic!("{name} is not documented: {reply}"));
        let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
        assert!(header.schema.is_valid(&value), "{name}: {value}");
    }
    for header in headers.iter().filter(|header| header.required) {
        assert!(reply.header(&header.name).is_some(), "{} is missing: {reply}", header.name);
    }
    match serde_json::from_str::<Value>(&reply.body) {
        Ok(json) => {
            if let Err(error) = body.validate(&json) {
                panic!("{error}: {reply}");
            }
        }
        // Depth, lone surrogates, numbers beyond all bounds: well-formed, but no value of serde_json's.
        Err(error) => assert!(reply.status == 200, "{error}: {reply}"),
    }
}
