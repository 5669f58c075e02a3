//! Requests that pages from elsewhere, other names of this machine and other machines send.

use std::{collections::BTreeMap, fs};

use aws_credential_types::Credentials;
use local::{
    s3::{ACCESS_KEY, SECRET_KEY},
    samples::{DONE, UNKNOWN},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::{Response, Running, ask, ask_s3, list, start, start_with};

const POLL: &str = "POST /v1/toolkit/job/status";
const KEY: &str = "x-api-key: demo-key";

fn body() -> String {
    format!(r#"{{"job_id":"{DONE}"}}"#)
}

fn headers<const N: usize>(expected: [(&str, &str); N]) -> BTreeMap<String, String> {
    expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The endpoint's documented shape of an error, with this message.
#[track_caller]
fn is_forbidden(mut response: Response, message: &str) {
    let id = response.headers.remove("x-request-id").unwrap_or_default();
    assert!(Uuid::parse_str(&id).is_ok(), "{id}");
    let body = format!(r#"{{"error":"Forbidden: {message}","code":403}}"#);
    let length = body.len().to_string();
    let headers = headers([
        ("cache-control", "no-store"),
        ("connection", "close"),
        ("content-length", &length),
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
    ]);
    assert_eq!(response, Response { status: "403 Forbidden".into(), headers, body });
}

/// S3's shape of an error.
#[track_caller]
fn is_denied(response: &Response, code: &str, message: &str) {
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"#
    );
    let length = body.len().to_string();
    let headers = headers([("connection", "close"), ("content-length", &length), ("content-type", "application/xml")]);
    assert_eq!(response, &Response { status: "403 Forbidden".into(), headers, body });
}

fn other_host(host: &str) -> String {
    format!(
        "the Host header is {host}, which does not name this server: send localhost, or the address that it was told to listen on"
    )
}

fn other_page(origin: &str) -> String {
    format!("the Origin header is {origin}: of web pages, only those on localhost may send requests")
}

/// A directory of one's own with one job that is done.
async fn with_own_directory(arguments: &[&str]) -> (Running, TempDir) {
    let jobs = tempfile::tempdir().unwrap();
    fs::write(jobs.path().join(format!("{DONE}.json")), r#"{"job_status":"done"}"#).unwrap();
    let local = start_with(&[&["--jobs", jobs.path().to_str().unwrap()], arguments].concat()).await;
    (local, jobs)
}

fn known() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test")
}

#[tokio::test]
async fn both_servers_answer_under_every_name_of_loopback_and_under_no_other() {
    let local = start(&[]).await;
    let s3 = format!("GET /jobs/{DONE}.json");
    for host in [
        "localhost",
        "LocalHost:9000",
        "localhost.",
        "app.localhost:1",
        "127.0.0.1",
        "127.255.1.2:65535",
        "[::1]",
        "[::1]:9000",
    ] {
        let header = format!("host: {host}");
        assert_eq!(ask(&local.url, POLL, &[&header, KEY], &body()).await.status, "200 OK", "{host}");
        assert_eq!(ask_s3(local.s3(), &s3, host, &local.own(), &[], "").await.status, "200 OK", "{host}");
    }
    for host in [
        "attacker.example",
        "attacker.example:9000",
        "127.0.0.1.attacker.example",
        "localhost.attacker.example:9000",
        "mylocalhost",
        "0.0.0.0:9000",
        "192.168.1.7",
        "[::2]:9000",
        "127.1",
        "localhost:port",
        "me@localhost",
    ] {
        let header = format!("host: {host}");
        is_forbidden(ask(&local.url, POLL, &[&header, KEY], &body()).await, &other_host(host));
        is_forbidden(ask(&local.url, "GET /", &[&header], "").await, &other_host(host));
        let refused = ask_s3(local.s3(), &s3, host, &local.own(), &[], "").await;
        is_denied(&refused, "AccessDenied", &format!("Forbidden: {}", other_host(host)));
    }
    let refused = ask(&local.url, "GET /", &["host: host.docker.internal:9000"], "").await;
    is_forbidden(refused, &other_host("host.docker.internal:9000"));
}

#[tokio::test]
async fn a_host_counts_wherever_it_stands_and_one_must_be_there() {
    let local = start(&[]).await;
    for (line, headers, message) in [
        ("GET http://attacker.example/", &["host: localhost"][..], other_host("attacker.example")),
        ("GET /", &["host: localhost", "host: attacker.example"], other_host("attacker.example")),
        ("GET /", &["host: b\u{fc}cher.example"], other_host("not ASCII")),
        ("GET /", &[], "the Host header is missing: send localhost".into()),
    ] {
        is_forbidden(ask(&local.url, line, headers, "").await, &message);
        is_denied(&ask(local.s3(), line, headers, "").await, "AccessDenied", &format!("Forbidden: {message}"));
    }
    let long = "a".repeat(1000);
    let refused = ask(&local.url, "GET /", &[&format!("host: {long}")], "").await;
    is_forbidden(refused, &other_host(&long[..255]));
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused_by_both_servers_whatever_they_send() {
    let local = start(&[]).await;
    for origin in [
        "https://attacker.example",
        "null",
        "http://localhost.attacker.example:9000",
        "http://attacker.example:80",
        "http://me@localhost",
        "http://192.168.1.7:9000",
        "chrome-extension://localhost",
        "file://",
        "localhost",
    ] {
        let header = format!("origin: {origin}");
        for (line, more, body) in [
            (POLL, KEY, &*body()),
            ("GET /", KEY, ""),
            ("OPTIONS /v1/toolkit/job/status", "access-control-request-method: POST", ""),
        ] {
            let refused = ask(&local.url, line, &["host: localhost", &header, more], body).await;
            is_forbidden(refused, &other_page(origin));
        }
        let s3 = format!("GET /jobs/{DONE}.json");
        let refused = ask_s3(local.s3(), &s3, "localhost", &local.own(), &[&header], "").await;
        is_denied(&refused, "AccessDenied", &format!("Forbidden: {}", other_page(origin)));
    }
    let two = ["host: localhost", "origin: http://localhost", "origin: https://attacker.example"];
    is_forbidden(ask(&local.url, "GET /", &two, "").await, &other_page("https://attacker.example"));
}

/// By the credentials in events/README.md, which every page knows, and even by those that were printed.
#[tokio::test]
async fn no_page_from_elsewhere_reads_writes_or_deletes_in_ones_own_directory() {
    let (local, jobs) = with_own_directory(&["--port", "0", "--s3-listen", "127.0.0.1:0"]).await;
    let (done, new) = (format!("/jobs/{DONE}.json"), format!("/jobs/{UNKNOWN}.json"));
    for by in [known(), local.own()] {
        for (line, body) in [
            (format!("GET {done}"), ""),
            (format!("PUT {done}"), "{}"),
            (format!("PUT {new}"), "{}"),
            (format!("DELETE {done}"), ""),
            ("DELETE /jobs".into(), ""),
        ] {
            let page = ["origin: https://attacker.example"];
            let refused = ask_s3(local.s3(), &line, "127.0.0.1:9001", &by, &page, body).await;
            is_denied(&refused, "AccessDenied", &format!("Forbidden: {}", other_page("https://attacker.example")));
            let refused = ask_s3(local.s3(), &line, "attacker.example:9001", &by, &[], body).await;
            is_denied(&refused, "AccessDenied", &format!("Forbidden: {}", other_host("attacker.example:9001")));
        }
    }
    assert_eq!(list(jobs.path()), [format!("{DONE}.json")]);
    let file = fs::read_to_string(jobs.path().join(format!("{DONE}.json"))).unwrap();
    assert_eq!(file, r#"{"job_status":"done"}"#);
}

#[tokio::test]
async fn the_known_credentials_can_only_read_in_ones_own_directory_and_the_printed_ones_can_write() {
    let (local, jobs) = with_own_directory(&["--port", "0", "--s3-listen", "127.0.0.1:0"]).await;
    let (done, new) = (format!("/jobs/{DONE}.json"), format!("/jobs/{UNKNOWN}.json"));
    let read = ask_s3(local.s3(), &format!("GET {done}"), "localhost", &known(), &[], "").await;
    assert_eq!((&*read.status, &*read.body), ("200 OK", r#"{"job_status":"done"}"#));
    let read = ask_s3(local.s3(), &format!("HEAD {done}"), "localhost", &known(), &[], "").await;
    assert_eq!((&*read.status, read.header("content-length")), ("200 OK", Some("21")));

    let objects = format!("<Delete><Object><Key>{DONE}.json</Key></Object></Delete>");
    for (line, body) in [
        (format!("PUT {done}"), "{}"),
        (format!("PUT {new}"), "{}"),
        (format!("DELETE {done}"), ""),
        ("POST /jobs?delete=".into(), &objects),
        ("PUT /other".into(), ""),
        ("DELETE /jobs".into(), ""),
    ] {
        let refused = ask_s3(local.s3(), &line, "localhost", &known(), &[], body).await;
        let message = "These credentials are no secret, so they can only read here: cargo local has printed others";
        is_denied(&refused, "AccessDenied", message);
    }
    assert_eq!(list(jobs.path()), [format!("{DONE}.json")]);

    let put = ask_s3(local.s3(), &format!("PUT {new}"), "localhost", &local.own(), &[], "{}").await;
    assert_eq!(put.status, "200 OK", "{put:?}");
    assert_eq!(fs::read_to_string(jobs.path().join(format!("{UNKNOWN}.json"))).unwrap(), "{}");
    let deleted = ask_s3(local.s3(), &format!("DELETE {new}"), "localhost", &local.own(), &[], "").await;
    assert_eq!(deleted.status, "204 No Content", "{deleted:?}");
    assert_eq!(list(jobs.path()), [format!("{DONE}.json")]);
}

#[tokio::test]
async fn the_known_credentials_can_write_samples() {
    let local = start(&[]).await;
    let put = ask_s3(local.s3(), &format!("PUT /jobs/{UNKNOWN}.json"), "localhost", &known(), &[], "{}").await;
    assert_eq!(put.status, "200 OK", "{put:?}");
    let poll = ask(&local.url, POLL, &["host: localhost", KEY], &format!(r#"{{"job_id":"{UNKNOWN}"}}"#)).await;
    assert!(poll.body.contains(r#""response":{},"#), "{poll:?}");
}

#[tokio::test]
async fn the_known_credentials_are_good_for_nothing_unless_s3_was_told_where_to_listen() {
    let (local, _jobs) = with_own_directory(&["--port", "0"]).await;
    let read = format!("GET /jobs/{DONE}.json");
    let refused = ask_s3(local.s3(), &read, "localhost", &known(), &[], "").await;
    is_denied(&refused, "NotSignedUp", "Your account is not signed up");
    assert!(!local.printed.contains(SECRET_KEY), "{}", local.printed);
    assert_eq!(ask_s3(local.s3(), &read, "localhost", &local.own(), &[], "").await.status, "200 OK");
    let unsigned = ask(local.s3(), &read, &["host: localhost"], "").await;
    is_denied(&unsigned, "AccessDenied", "Signature is required");
}

#[tokio::test]
async fn each_start_has_credentials_of_its_own() {
    let (one, two) = (start(&[]).await, start(&[]).await);
    assert_ne!(one.own().access_key_id(), two.own().access_key_id());
    assert_ne!(one.own().secret_access_key(), two.own().secret_access_key());
    let read = format!("GET /jobs/{DONE}.json");
    let refused = ask_s3(two.s3(), &read, "localhost", &one.own(), &[], "").await;
    is_denied(&refused, "NotSignedUp", "Your account is not signed up");
}

#[tokio::test]
async fn told_to_listen_everywhere_it_serves_containers_and_machines_by_address_and_still_no_page_from_elsewhere() {
    let local = start_with(&["--listen", "0.0.0.0:0", "--s3-listen", "0.0.0.0:0"]).await;
    let read = format!("GET /jobs/{DONE}.json");
    for host in ["localhost:9000", "host.docker.internal:9000", "192.168.1.7:9000", "[2001:db8::1]"] {
        let header = format!("host: {host}");
        let found = ask(&local.url, POLL, &[&header, KEY], &body()).await;
        assert_eq!((&*found.status, found.header("access-control-allow-origin")), ("200 OK", None), "{host}");
        assert_eq!(ask_s3(local.s3(), &read, host, &known(), &[], "").await.status, "200 OK", "{host}");
        // The reference page, as others see it.
        let own = format!("origin: http://{host}");
        assert_eq!(ask(&local.url, POLL, &[&header, &own, KEY], &body()).await.status, "200 OK", "{host}");
        for other in ["https://attacker.example", "http://192.168.1.8:9000", "null"] {
            let refused = ask(&local.url, POLL, &[&header, &format!("origin: {other}"), KEY], &body()).await;
            is_forbidden(refused, &other_page(other));
        }
    }
    for host in ["attacker.example", "docker.internal", "other.internal:9000"] {
        let refused = ask(&local.url, POLL, &[&format!("host: {host}"), KEY], &body()).await;
        is_forbidden(refused, &other_host(host));
        let refused = ask_s3(local.s3(), &read, host, &known(), &[], "").await;
        is_denied(&refused, "AccessDenied", &format!("Forbidden: {}", other_host(host)));
    }
}

/// A Mac has one address only that leads to itself.
#[cfg(not(target_os = "macos"))]
#[tokio::test]
async fn told_to_listen_on_one_address_it_answers_under_that_one() {
    let local = start_with(&["--listen", "127.0.0.2:0", "--s3-listen", "127.0.0.2:0"]).await;
    for (host, status) in
        [("127.0.0.2:9000", "200 OK"), ("host.docker.internal", "200 OK"), ("192.168.1.7", "403 Forbidden")]
    {
        assert_eq!(ask(&local.url, "GET /", &[&format!("host: {host}")], "").await.status, status, "{host}");
    }
}

#[tokio::test]
async fn the_banner_has_the_credentials_and_warns_if_others_can_reach_it() {
    let warnings = |local: &Running| -> Vec<String> {
        local.printed.lines().filter_map(|line| line.strip_prefix("  warning   ")).map(str::to_owned).collect()
    };
    let known = format!("AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}");
    let endpoint = "whoever reaches 0.0.0.0:0 can ask the endpoint, if they have the API key";

    let local = start_with(&["--listen", "0.0.0.0:0", "--s3-listen", "0.0.0.0:0"]).await;
    assert!(local.url.starts_with("http://127.0.0.1:") && local.s3().starts_with("http://127.0.0.1:"), "{}", local.url);
    let keys = format!("            {known}  (for sam local: they can read and write)\n");
    assert!(local.printed.contains(&keys), "{}", local.printed);
    assert_eq!(
        warnings(&local),
        [
            format!("{endpoint}; everybody knows this one (--api-key)"),
            "whoever reaches 0.0.0.0:0 can read and write the samples: those keys are no secret".into()
        ]
    );

    let (local, _jobs) =
        with_own_directory(&["--listen", "0.0.0.0:0", "--s3-listen", "0.0.0.0:0", "--api-key", "my own"]).await;
    let keys = format!("            {known}  (for sam local: they can only read)\n");
    assert!(local.printed.contains(&keys), "{}", local.printed);
    assert_eq!(
        warnings(&local),
        [endpoint, "whoever reaches 0.0.0.0:0 can read your status files: those keys are no secret"]
    );

    for arguments in [&["--port", "0"][..], &["--listen", "127.0.0.1:0", "--s3-listen", "[::1]:0"]] {
        assert_eq!(warnings(&start_with(arguments).await), Vec::<String>::new(), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_page_on_localhost_may_ask_and_read_what_the_template_lets_pages_read() {
    let local = start(&[]).await;
    let template = include_str!("../../../../template.yaml");
    let list = |name: &str| {
        let (_, rest) = template.split_once(&format!(" {name}: [")).unwrap();
        rest.split_once(']').unwrap().0.replace(", ", ",")
    };
    for origin in ["http://localhost:5173", "https://app.localhost", "http://127.0.0.1:3000", "http://[::1]:8080"] {
        let header = format!("origin: {origin}");
        let page = ["host: localhost:9000", &header];
        for path in ["/v1/toolkit/job/status", "/paid/get/job/status"] {
            let preflight = [&page[..], &["access-control-request-method: POST"]].concat();
            let preflight = ask(&local.url, &format!("OPTIONS {path}"), &preflight, "").await;
            let headers = headers([
                ("access-control-allow-headers", &list("allowHeaders")),
                ("access-control-allow-methods", &list("allowMethods")),
                ("access-control-allow-origin", origin),
                ("access-control-expose-headers", &list("exposeHeaders")),
                ("access-control-max-age", "3600"),
                ("connection", "close"),
                ("vary", "origin"),
            ]);
            assert_eq!(preflight, Response { status: "204 No Content".into(), headers, body: String::new() });
        }
        for (line, key, body, status) in [
            (POLL, KEY, &*body(), "200 OK"),
            (POLL, "x-api-key: wrong", "", "401 Unauthorized"),
            ("GET /other", KEY, "", "404 Not Found"),
        ] {
            let answer = ask(&local.url, line, &[&page[..], &[key]].concat(), body).await;
            assert_eq!(answer.status, status, "{origin}");
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert_eq!(answer.header("access-control-expose-headers"), Some(&*list("exposeHeaders")));
            assert_eq!(answer.header("vary"), Some("origin"));
        }
    }
}

#[tokio::test]
async fn programs_get_no_headers_for_pages_and_their_options_is_no_preflight() {
    let local = start(&[]).await;
    let found = ask(&local.url, POLL, &["host: localhost", KEY], &body()).await;
    assert!(found.headers.keys().all(|name| !name.starts_with("access-control") && name != "vary"), "{found:?}");
    let asked = ["host: localhost", "access-control-request-method: POST"];
    for headers in [&asked[..1], &asked] {
        let options = ask(&local.url, "OPTIONS /v1/toolkit/job/status", headers, "").await;
        assert_eq!((&*options.status, options.header("allow")), ("405 Method Not Allowed", Some("GET, POST")));
    }
}
