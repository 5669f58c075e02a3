//! What is asked: every refusal that `docs/api.md` promises and a caller can bring about, in the
//! order of its table; with a job, the answers for that too.

use job_status::{
    ROUTES,
    limits::{MAX_QUERY, MAX_REQUEST_BODY},
};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::endpoint::{Key, Question};

/// What a gateway says of a path or method that is no route of it: an HTTP API, a REST API.
const NO_ROUTE: &[u16] = &[404, 403];
/// What servers in front of the function say of a URL that is too long for them.
const LONG_URL: &[u16] = &[400, 413, 414, 431, 494];

/// A question and what the contract answers.
#[derive(Clone)]
pub struct Case {
    /// In words, for the table.
    pub when: String,
    pub question: Question,
    pub status: u16,
    /// Statuses with which a gateway in front may answer itself instead.
    pub gateway: &'static [u16],
    /// The job that should be there.
    pub job_id: Option<String>,
}

fn case(when: impl Into<String>, question: Question, status: u16) -> Case {
    Case { when: when.into(), question, status, gateway: &[], job_id: None }
}

/// The refusals. No job's id is known to nobody: it is made up each time.
pub fn refusals(route: &str) -> Vec<Case> {
    let nobodys = Uuid::new_v4().to_string();
    let job = || Question::post(route, json!({ "job_id": nobodys }).to_string());
    let get = || Question::get(route).with("job_id", &nobodys);
    let post = |body: &str| Question::post(route, body);

    let mut cases =
        vec![Case { gateway: NO_ROUTE, ..case("another path", Question::post("/v1/toolkit/job/stats", "{}"), 404) }];
    cases.extend(ROUTES.map(|route| {
        let put = Question { method: Method::PUT, ..Question::post(route, "{}") };
        Case { gateway: NO_ROUTE, ..case(format!("PUT {route}"), put, 405) }
    }));
    for (when, key) in [("no key", Key::Missing), ("a wrong key", Key::Wrong)] {
        cases.push(case(format!("POST with {when}"), Question { key, ..job() }, 401));
        cases.push(case(format!("GET with {when}"), Question { key, ..get() }, 401));
    }
    let padded = json!({ "job_id": nobodys, "pad": "x".repeat(MAX_REQUEST_BODY) }).to_string();
    cases.push(case("a body of more than 16 KiB", post(&padded), 413));
    let long = Question::get(route).with("job_id", &nobodys).with("pad", &"x".repeat(MAX_QUERY));
    cases.push(Case { gateway: LONG_URL, ..case("a query of more than 16 KiB", long, 413) });
    for (when, body) in [
        ("no body", ""),
        ("a body that is no JSON", "job_id=42"),
        ("a body that is no object", "[]"),
        ("data after the object in the body", "{} {}"),
        ("no job_id", "{}"),
        ("a job_id twice", r#"{"job_id":"x","job_id":"y"}"#),
        ("a job_id that is no text", r#"{"job_id":42}"#),
        ("a job_id that is no UUID", r#"{"job_id":"42"}"#),
    ] {
        cases.push(case(format!("POST with {when}"), post(body), 400));
    }
    let id = json!({ "job_id": nobodys, "id": [7] }).to_string();
    cases.push(case("POST with an id that is an array", post(&id), 400));
    cases.push(case("GET with no job_id", Question::get(route), 400));
    cases.push(case("GET with a job_id twice", get().with("job_id", &nobodys), 400));
    cases.push(case("GET with a job_id that is no UUID", Question::get(route).with("job_id", "42"), 400));
    cases.push(case("POST for a job that is not there", job(), 404));
    cases.push(case("GET for a job that is not there", get(), 404));
    cases
}

/// The job, by both methods of both routes.
pub fn job(job_id: &str) -> Vec<Case> {
    ROUTES
        .into_iter()
        .flat_map(|route| {
            let body = json!({ "job_id": job_id, "id": REFERENCE }).to_string();
            let get = Question::get(route).with("job_id", job_id).with("id", REFERENCE);
            [
                case(format!("POST {route} for the job"), Question::post(route, body), 200),
                case(format!("GET {route} for the job"), get, 200),
            ]
            .map(|case| Case { job_id: Some(job_id.into()), ..case })
        })
        .collect()
}

/// The caller's own reference in questions about a job.
pub const REFERENCE: &str = "jobs check";
