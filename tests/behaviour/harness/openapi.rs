//! Checks every response of every test against `openapi.yaml`.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Response;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../../openapi.yaml")).unwrap());

/// What a response with this status may look like.
struct Documented {
    status: u16,
    headers: Vec<Header>,
    /// The body's schema, if there is a body.
    body: Option<Validator>,
}

static OF_GET: LazyLock<Vec<Documented>> = LazyLock::new(|| responses("get"));
static OF_POST: LazyLock<Vec<Documented>> = LazyLock::new(|| responses("post"));

fn responses(method: &str) -> Vec<Documented> {
    let responses = DOCUMENT["paths"]["/v1/toolkit/job/status"][method]["responses"].as_object().unwrap();
    let documented = responses.iter().map(|(status, reference)| {
        let response = resolve(reference);
        let headers = response["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, header)| Header::new(name, resolve(header)));
        let content = response.get("content");
        Documented {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: content.map(|content| validator(&content["application/json"]["schema"])),
        }
    });
    documented.collect()
}

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

/// Asserts that status, headers and body are as the document says. A method that it does not have is
/// answered as POST is.
pub fn assert_documented(response: &Response, method: &str) {
    let documented = if method == "GET" { &OF_GET } else { &OF_POST };
    let Documented { headers, body, .. } = documented
        .iter()
        .find(|documented| documented.status == response.status)
        .unwrap_or_else(|| panic!("{} is not documented: {response}", response.status));
    assert_eq!(response.header("content-type"), body.as_ref().map(|_| "application/json"), "{response}");
    for (name, value) in &response.headers {
        if name == "content-type" {
            continue;
        }
        let header = headers.iter().find(|header| header.name == *name);
        let header = header.unwrap_or_else(|| panic!("{name} is not documented: {response}"));
        let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
        assert!(header.schema.is_valid(&value), "{name}: {value}");
    }
    for header in headers.iter().filter(|header| header.required) {
        assert!(response.header(&header.name).is_some(), "{} is missing: {response}", header.name);
    }
    let Some(body) = body else { return assert_eq!(response.body, "", "{response}") };
    match serde_json::from_str::<Value>(&response.body) {
        Ok(json) => {
            if let Err(error) = body.validate(&json) {
                panic!("{error}: {response}");
            }
        }
        // Well-formed JSON can be more than a value of serde_json holds: lone surrogates, huge numbers, depth.
        Err(error) => assert!(response.status == 200, "{error}: {response}"),
    }
}
