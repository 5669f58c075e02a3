//! A request as the HTTP API sends it, and the reply as a caller sees it.

use std::{collections::BTreeMap, fmt, io::Read, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::openapi::assert_documented;

/// The key that every test world accepts.
pub const DEMO_KEY: &str = "demo-key";

/// A request: POST of a body to the toolkit route with the demo key, unless changed.
#[derive(Clone)]
pub struct Ask {
    method: String,
    path: String,
    headers: Map<String, Value>,
    body: Value,
    base64: bool,
    /// Time the invocation has left.
    pub time_left: Duration,
}

impl Ask {
    pub fn body(body: impl Into<String>) -> Self {
        let mut headers = Map::new();
        headers.insert("x-api-key".into(), DEMO_KEY.into());
        Self {
            method: "POST".into(),
            path: "/v1/toolkit/job/status".into(),
            headers,
            body: body.into().into(),
            base64: false,
            time_left: Duration::from_secs(10),
        }
    }

    pub fn job(job_id: &str) -> Self {
        Self::body(json!({ "job_id": job_id }).to_string())
    }

    pub fn bytes(body: &[u8]) -> Self {
        Self { base64: true, ..Self::body(STANDARD.encode(body)) }
    }

    pub fn method(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }

    pub fn path(self, path: &str) -> Self {
        Self { path: path.into(), ..self }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    pub fn no_key(mut self) -> Self {
        self.headers.remove("x-api-key");
        self
    }

    pub fn no_body(self) -> Self {
        Self { body: Value::Null, ..self }
    }

    pub fn base64(self) -> Self {
        Self { base64: true, ..self }
    }

    pub fn time_left(self, time_left: Duration) -> Self {
        Self { time_left, ..self }
    }

    /// The payload of API Gateway's HTTP API.
    pub fn http_api(&self) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": self.headers,
            "requestContext": { "http": { "method": self.method, "path": self.path }, "stage": "$default" },
            "body": self.body,
            "isBase64Encoded": self.base64,
        })
    }

    /// The payload of API Gateway's REST API.
    pub fn rest_api(&self) -> Value {
        json!({
            "resource": "/{proxy+}",
            "path": self.path,
            "httpMethod": self.method,
            "headers": self.headers,
            "multiValueHeaders": self.multi_value_headers(),
            "queryStringParameters": null,
            "requestContext": { "stage": "prod", "httpMethod": self.method, "path": self.path },
            "body": self.body,
            "isBase64Encoded": self.base64,
        })
    }

    /// The payload of an Application Load Balancer.
    pub fn load_balancer(&self) -> Value {
        json!({
            "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/jobs/1" } },
            "httpMethod": self.method,
            "path": self.path,
            "queryStringParameters": {},
            "multiValueHeaders": self.multi_value_headers(),
            "body": self.body,
            "isBase64Encoded": self.base64,
        })
    }

    fn multi_value_headers(&self) -> Value {
        self.headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>().into()
    }
}

/// What the caller gets, once the gateway has unpacked the function's answer.
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Reply {
    /// Unpacks a function's answer, of any front door, and holds it to `openapi.yaml`.
    pub fn unpack(answer: &Value) -> Self {
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
        let reply = Self {
            status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
            headers,
            body: String::from_utf8(bytes).unwrap(),
        };
        assert_documented(&reply);
        reply
    }

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

/// Status line, headers, an empty line, the body.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.body)
    }
}

/// Asserts status, headers and body of a reply at once, against an inline snapshot. What differs
/// from run to run is redacted by name.
macro_rules! assert_reply {
    ($reply:expr, @$snapshot:literal) => {{
        let reply = $reply.to_string();
        insta::with_settings!({ filters => [
            (
                r#""pid":\d+,"queue_id":\d+,"run_time":(\d+\.\d{3}),"queue_time":0\.0,"total_time":\d+\.\d{3},"queue_length":0,"build_number":"\d+\.\d+\.\d+"\}$"#,
                r#""pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}"#,
            ),
        ]}, { insta::assert_snapshot!(reply, @$snapshot) })
    }};
}
pub(crate) use assert_reply;
