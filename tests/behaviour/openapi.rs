//! The examples in `openapi.yaml` are answers that the endpoint really gives. Its headers and schemas
//! are held to every response of every test, in `harness/openapi.rs`.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use local::samples::{DONE, UNKNOWN};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testbed::fault_s3::{Act, error_document, no_such_key, object};

use crate::harness::{Environment, Request};

/// A JSON value whose objects keep the order of their members.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
enum Ordered {
    Object(IndexMap<String, Ordered>),
    Array(Vec<Ordered>),
    Scalar(Value),
}

impl Ordered {
    fn members(&self) -> &IndexMap<String, Self> {
        let Self::Object(members) = self else { panic!("{} is not an object", self.text()) };
        members
    }

    fn at(&self, path: &[&str]) -> &Self {
        path.iter().fold(self, |value, name| &value.members()[*name])
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap()
    }
}

/// The bodies that are given as examples, each with its status.
fn examples() -> Vec<(u16, Ordered)> {
    let document: Ordered = serde_saphyr::from_str(include_str!("../../schemas/openapi.yaml")).unwrap();
    let responses = document.at(&["paths", "/v1/toolkit/job/status", "post", "responses"]).members();
    let examples = responses.iter().flat_map(|(status, response)| {
        let reference = response.at(&["$ref"]).text();
        let name = reference.trim_matches('"').strip_prefix("#/components/responses/").unwrap();
        let response = document.at(&["components", "responses", name, "content", "application/json"]);
        let examples = response.at(&["examples"]).members().values();
        examples.map(|example| (status.parse().unwrap(), example.at(&["value"]).clone()))
    });
    examples.collect()
}

#[tokio::test(start_paused = true)]
async fn every_example_of_an_error_is_an_answer_of_the_endpoint() {
    let (s3, environment) = Environment::with_fault_s3_and_fast_timers(&[]).await;
    let mut answers = BTreeSet::new();
    for request in [
        Request::job(DONE).path("/v1/toolkit/job/stats"),
        Request::job(DONE).method("PUT"),
        Request::job(DONE).no_key(),
        Request::body("x".repeat(16_385)),
        Request::get("x".repeat(16_385)),
        Request::body(""),
        Request::bytes(b"{\"job_id\":\"\xff\"}"),
        Request::body("job_id=42"),
        Request::body("[]"),
        Request::body(r#""{}""#),
        Request { query: format!("job_id={DONE}"), ..Request::body("") },
        Request::body("{} {}"),
        Request::body("{}"),
        Request::body(r#"{"job_id":"x","job_id":"y"}"#),
        Request::body(r#"{"job_id":42}"#),
        Request::body(r#"{"job_id":"42"}"#),
        Request::body(format!(r#"{{"job_id":"{DONE}","id":"a","id":"a"}}"#)),
        Request::body(format!(r#"{{"job_id":"{DONE}","id":[]}}"#)),
        Request::get("job_id=%ff"),
        Request::get(format!("job_id={DONE}&id=%ff")),
    ] {
        let response = environment.send(request).await;
        answers.insert((response.status, response.body));
    }
    for act in [
        Act::Answer(no_such_key()),
        Act::Answer(error_document("503 Slow Down", "SlowDown", "Please reduce your request rate.")),
        Act::Hang(vec![]),
        Act::Close(vec![]),
        Act::Answer(error_document("403 Forbidden", "AccessDenied", "Access Denied")),
        Act::Answer(object(r#"{"job_status":"do"#)),
        Act::Answer(object(json!({ "text": "x".repeat(7_000_000) }).to_string())),
    ] {
        s3.always(act);
        let response = environment.poll(UNKNOWN).await;
        answers.insert((response.status, response.body));
    }
    for (status, example) in examples().into_iter().filter(|(status, _)| *status != 200) {
        let example = (status, example.text());
        assert!(answers.remove(&example), "openapi.yaml has {example:?}, which is none of {answers:#?}");
    }
    assert_eq!(answers, BTreeSet::new(), "these answers are not among the examples");
}

#[tokio::test]
async fn every_example_of_an_envelope_is_an_answer_of_the_endpoint_with_its_members_in_order() {
    let environment = Environment::start().await;
    for (_, example) in examples().into_iter().filter(|(status, _)| *status == 200) {
        let [job_id, id] = ["job_id", "id"].map(|name| example.at(&[name]));
        let key = format!("{}.json", job_id.text().trim_matches('"'));
        environment.put("jobs", &key, example.at(&["response"]).text());
        let request = Request::body(format!(r#"{{"job_id":{},"id":{}}}"#, job_id.text(), id.text()));
        let response = environment.send(request).await;
        assert_eq!(response.status, 200, "{response}");

        let Ordered::Object(mut answer) = serde_json::from_str(&response.body).unwrap() else { panic!("{response}") };
        for differing in ["pid", "queue_id", "run_time", "total_time", "build_number"] {
            answer[differing] = example.at(&[differing]).clone();
        }
        assert_eq!(Ordered::Object(answer).text(), example.text());
    }
}
