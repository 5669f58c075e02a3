//! A caller's request.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use testbed::keyring::DEMO_KEY;

use super::{GATEWAYS, Gateway};

/// A request: POST of a body to the toolkit route with the demo key, through an HTTP API, unless
/// changed.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Map<String, Value>,
    /// The body's text, or `null` for none.
    pub body: Value,
    /// Whether the body's text is base64.
    pub base64: bool,
    /// The gateway it goes through.
    pub gateway: &'static Gateway,
    /// The time that the invocation has left.
    pub time_left: Duration,
}

impl Request {
    pub fn body(body: impl Into<String>) -> Self {
        let mut headers = Map::new();
        headers.insert("x-api-key".into(), DEMO_KEY.into());
        Self {
            method: "POST".into(),
            path: "/v1/toolkit/job/status".into(),
            query: String::new(),
            headers,
            body: body.into().into(),
            base64: false,
            gateway: &GATEWAYS[0],
            time_left: Duration::from_secs(10),
        }
    }

    pub fn job(job_id: &str) -> Self {
        Self::body(json!({ "job_id": job_id }).to_string())
    }

    /// GET with this query string, without a body.
    pub fn get(query: impl Into<String>) -> Self {
        Self { method: "GET".into(), query: query.into(), ..Self::body("").no_body() }
    }

    /// GET for this job.
    pub fn get_job(job_id: &str) -> Self {
        Self::get(format!("job_id={job_id}"))
    }

    /// A body that the gateway takes for binary.
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

    /// Says that the body is base64, whatever it is.
    pub fn base64(self) -> Self {
        Self { base64: true, ..self }
    }

    pub fn through(self, gateway: &'static Gateway) -> Self {
        Self { gateway, ..self }
    }

    pub fn time_left(self, time_left: Duration) -> Self {
        Self { time_left, ..self }
    }

    /// The event that its gateway sends.
    pub fn event(&self) -> Value {
        (self.gateway.event)(self)
    }
}
