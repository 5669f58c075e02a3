//! A response as the caller sees it, held to `openapi.yaml`.

use std::{collections::BTreeMap, fmt, io::Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use contract::documented;
use serde_json::Value;

/// What the caller gets, once the gateway has unpacked the function's answer.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers that differ between responses; see [`unpack`](Self::unpack) for the others.
    pub headers: BTreeMap<String, String>,
    /// The body's text, decompressed.
    pub body: String,
}

impl Response {
    /// Unpacks a function's answer, through whichever gateway. Asserts that it is as `openapi.yaml`
    /// says, and that it has the headers that every response to such a method has, with exactly these
    /// values.
    pub fn unpack(answer: &Value, method: &str, request_id: &str) -> Self {
        let headers: BTreeMap<String, String> = answer["headers"]
            .as_object()
            .unwrap_or_else(|| panic!("no headers in {answer}"))
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().into()))
            .collect();
        let body = answer["body"].as_str().unwrap();
        let mut bytes = if answer["isBase64Encoded"] == true { STANDARD.decode(body).unwrap() } else { body.into() };
        if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
            let compressed = std::mem::take(&mut bytes);
            flate2::read::GzDecoder::new(&*compressed).read_to_end(&mut bytes).unwrap();
        }
        let mut response = Self {
            status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
            headers,
            body: String::from_utf8(bytes).unwrap(),
        };
        response.assert_documented(method);
        let has_body = response.status != 304;
        for (name, value) in [
            ("content-type", has_body.then_some("application/json")),
            ("cache-control", Some(if method == "GET" { "private, no-cache" } else { "no-store" })),
            ("x-content-type-options", has_body.then_some("nosniff")),
            ("x-request-id", Some(request_id)),
        ] {
            assert_eq!(response.headers.remove(name).as_deref(), value, "{name} beside {response}");
        }
        response
    }

    /// Asserts that status, headers and body are as the document says, and that it has every header.
    fn assert_documented(&self, method: &str) {
        let documented =
            documented(method, self.status).unwrap_or_else(|| panic!("{} is not documented: {self}", self.status));
        let faults = documented.faults(|name| self.header(name), self.body.as_bytes());
        assert!(faults.is_empty(), "{faults:?}: {self}");
        for name in self.headers.keys() {
            assert!(name == "content-type" || documented.has(name), "{name} is not documented: {self}");
        }
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The status file inside the envelope, byte for byte.
    pub fn status_file(&self) -> &str {
        assert_eq!(self.status, 200, "{self}");
        let start = self.body.find(r#","response":"#).unwrap() + r#","response":"#.len();
        let end = self.body.rfind(r#","message":"success","pid":"#).unwrap();
        &self.body[start..end]
    }
}

/// The status, the headers that differ between responses, an empty line, the body.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.body)
    }
}
