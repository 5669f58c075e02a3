//! Holds an answer of the endpoint to `openapi.yaml`, which is compiled in.
//!
//! The tests hold every answer of theirs to it, and `jobs check` the answers of a deployment.
// A document that can't be read fails every test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::missing_panics_doc)]

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../../schemas/openapi.yaml")).unwrap());

static ANSWERS: LazyLock<Vec<Documented>> = LazyLock::new(|| {
    let operations = DOCUMENT["paths"]["/v1/toolkit/job/status"].as_object().unwrap().iter();
    let answers = operations.filter_map(|(method, operation)| Some((method, operation["responses"].as_object()?)));
    answers
        .flat_map(|(method, responses)| {
            responses.iter().map(move |(status, response)| {
                let response = resolve(response);
                let headers = response["headers"].as_object().into_iter().flatten();
                let body = &response["content"]["application/json"]["schema"];
                Documented {
                    method: method.to_uppercase(),
                    status: status.parse().unwrap(),
                    headers: headers.map(|(name, header)| Header::new(name, resolve(header))).collect(),
                    body: (!body.is_null()).then(|| validator(body)),
                }
            })
        })
        .collect()
});

/// What the document says of one answer.
pub struct Documented {
    method: String,
    status: u16,
    headers: Vec<Header>,
    /// `None` for an answer without a body.
    body: Option<Validator>,
}

struct Header {
    name: String,
    required: bool,
    schema: Validator,
}

/// What the document says of an answer to this method with this status. What it says of POST counts
/// for methods that it does not have.
#[must_use]
pub fn documented(method: &str, status: u16) -> Option<&'static Documented> {
    let find = |method| ANSWERS.iter().find(|answer| answer.method == method && answer.status == status);
    find(method).or_else(|| find("POST").filter(|_| !ANSWERS.iter().any(|answer| answer.method == method)))
}

impl Documented {
    /// Whether the document has this header, in lower case.
    #[must_use]
    pub fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|documented| documented.name == header)
    }

    /// What of an answer is not as documented, a phrase for each. `header` looks a header up by its
    /// name in lower case. Headers that are not documented are not looked at.
    #[must_use]
    pub fn faults<'a>(&self, header: impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> Vec<String> {
        let mut faults = Vec::new();
        for documented in &self.headers {
            let name = &documented.name;
            match header(name) {
                None if documented.required => faults.push(format!("{name} is missing")),
                None => {}
                Some(value) => {
                    let number = value.parse::<u64>().ok().map(|number| json!(number));
                    if ![Some(json!(value)), number].iter().flatten().any(|value| documented.schema.is_valid(value)) {
                        faults.push(format!("{name} is {value}"));
                    }
                }
            }
        }
        match &self.body {
            None if body.is_empty() && header("content-type").is_none() => {}
            None => faults.push("there is a body, or its type".into()),
            Some(schema) => {
                if header("content-type") != Some("application/json") {
                    faults.push(format!("content-type is {}", header("content-type").unwrap_or("missing")));
                }
                match serde_json::from_slice(body) {
                    Ok(json) => faults.extend(schema.iter_errors(&json).map(|error| format!("the body: {error}"))),
                    // Well-formed JSON can be more than a value of serde_json holds, and a status file may
                    // be any of it: lone surrogates, huge numbers, depth.
                    Err(_) if self.status == 200 => {}
                    Err(error) => faults.push(format!("the body: {error}")),
                }
            }
        }
        faults
    }
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
