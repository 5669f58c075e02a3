//! `cargo local`: the endpoint over plain HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::HashSet,
    fs::{self, File},
    future::pending,
    net::SocketAddr,
    path::Path,
    sync::mpsc::TryRecvError,
    thread,
    time::{Duration, SystemTime},
};

use clap::{CommandFactory, Parser};
use local::{
    Options, Server,
    changing::{self, CHANGING, PERIOD},
    samples::{self, DONE, LARGE, RUNNING, UNKNOWN},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout, timeout_at},
};

use harness::{Response, ask_s3, connect, exchange, get, list, poll, post, signed, start};

mod foreign;
mod harness;
#[cfg(unix)] // signals and pipes
mod stop;

#[tokio::test]
async fn the_samples_are_served_as_a_gateway_would() {
    let local = start(&[]).await;
    let done = poll(&local.url, DONE).await;
    assert!(
        done.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"),
        "{done}"
    );
    assert!(done.contains(r#""response":{"job_status":"done","#), "{done}");
    assert!(poll(&local.url, RUNNING).await.contains("\r\nretry-after: 1"));
    assert!(poll(&local.url, LARGE).await.len() > 100_000);
    assert!(poll(&local.url, UNKNOWN).await.ends_with(&format!(r#"{{"error":"Job not found","job_id":"{UNKNOWN}"}}"#)));
    assert!(post(&local.url, "wrong", "{}").await.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(post(&local.url, "demo-key", &"x".repeat(100_000)).await.starts_with("HTTP/1.1 413 Payload Too Large\r\n"));
    let request = format!(
        "GET /paid/get/job/status?job_id={DONE} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: demo-key\r\n"
    );
    let get = exchange(&local.url, &format!("{request}\r\n")).await;
    assert!(
        get.starts_with("HTTP/1.1 200 OK\r\n") && get.contains("\r\ncache-control: private, no-cache\r\n"),
        "{get}"
    );
    let again = exchange(&local.url, &format!("{request}if-none-match: *\r\n\r\n")).await;
    assert!(again.starts_with("HTTP/1.1 304 Not Modified\r\n") && again.ends_with("\r\n\r\n"), "{again}");
    let put =
        exchange(&local.url, "PUT /paid/get/job/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(
        put.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && put.contains("\r\nallow: GET, POST\r\n"),
        "{put}"
    );
}

#[tokio::test]
async fn a_directory_of_ones_own_is_served_and_an_edit_shows_in_the_next_poll() {
    let jobs = tempfile::tempdir().unwrap();
    let path = jobs.path().join(format!("{UNKNOWN}.json"));
    let local = start(&["--jobs", jobs.path().to_str().unwrap(), "--api-key", "my own key"]).await;
    let body = format!(r#"{{"job_id":"{UNKNOWN}"}}"#);
    assert!(post(&local.url, "my own key", &body).await.starts_with("HTTP/1.1 404"));
    for status in [r#"{"job_status":"queued"}"#, r#"{"job_status":"done","response":"edited"}"#] {
        std::fs::write(&path, status).unwrap();
        assert!(post(&local.url, "my own key", &body).await.contains(&format!(r#""response":{status},"#)));
    }
    assert!(post(&local.url, "demo-key", &body).await.starts_with("HTTP/1.1 401"));
    assert_eq!(list(jobs.path()), [format!("{UNKNOWN}.json")], "nothing was left in the user's directory");
}

#[tokio::test]
async fn the_banner_offers_the_newest_job_of_the_directory_and_warns_of_names_that_no_id_leads_to() {
    let jobs = tempfile::tempdir().unwrap();
    let capital = "ABCDEF00-0000-4000-8000-000000000000.json";
    let written = SystemTime::now() - Duration::from_mins(1);
    for (name, age) in [
        (format!("{UNKNOWN}.json"), Duration::from_mins(9)),
        (format!("{DONE}.json"), Duration::ZERO),
        (format!("{RUNNING}.json"), Duration::from_mins(5)),
        (capital.into(), Duration::ZERO),
        ("notes.json".into(), Duration::ZERO),
    ] {
        let path = jobs.path().join(name);
        std::fs::write(&path, "{}").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(written - age).unwrap();
    }
    let local = start(&["--jobs", jobs.path().to_str().unwrap()]).await;
    assert!(local.printed.contains(&offered(&local.url, DONE)), "{}", local.printed);
    let warnings: Vec<_> = local.printed.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!(warnings, [format!("  warning   {capital} is not served: a status file is named in lower case")]);

    let empty = tempfile::tempdir().unwrap();
    let local = start(&["--jobs", empty.path().to_str().unwrap()]).await;
    assert!(local.printed.contains(&offered(&local.url, "<job_id>")), "{}", local.printed);
}

/// What the banner says of a job in one's own directory.
fn offered(url: &str, job_id: &str) -> String {
    if cfg!(windows) {
        let url = format!("{url}/v1/toolkit/job/status?job_id={job_id}");
        format!("# a job\ncurl.exe -i \"{url}\" -H \"x-api-key: demo-key\"\n")
    } else {
        let body = format!(r#"{{"job_id":"{job_id}"}}"#);
        format!("# a job\ncurl -i {url}/v1/toolkit/job/status -H 'x-api-key: demo-key' -d '{body}'\n")
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_printed_commands_are_good_shell_whatever_the_key() {
    let key = r#"it's "$HOME" \ `id`"#;
    let local = start(&["--api-key", key]).await;
    let curl = local.printed.lines().find_map(|line| line.strip_prefix("curl ")).unwrap();
    let script = format!(r"printf '%s\n' {curl}");
    let words = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.lines().any(|word| word == format!("x-api-key: {key}")), "{words}");
}

#[tokio::test]
async fn a_free_port_is_taken_for_s3_when_its_own_is_in_use_and_none_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:9001").await; // or another program has it
    let options = Options::try_parse_from(["cargo local", "--port", "0"]).unwrap();
    let server = Server::start(options).await.unwrap_or_else(|error| panic!("{error}"));
    let printed = server.to_string();
    assert!(printed.contains("  S3        http://127.0.0.1:") && !printed.contains(":9001,"), "{printed}");
    drop(taken);
}

#[tokio::test]
async fn nobody_waits_for_a_client_that_sends_an_object_slowly() {
    let local = start(&[]).await;
    let line = format!("PUT /jobs/{RUNNING}.json");
    let headers = signed(&line, "localhost", &local.own(), "{}").join("\r\n");
    let head = format!(
        "{line} HTTP/1.1\r\n{headers}\r\ncontent-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    let (mut slow, mut answer) = (connect(local.s3()).await, [0; 25]);
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.read_exact(&mut answer).await.unwrap(); // the server reads the body now
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(b"{").await.unwrap();

    let line = format!("PUT /jobs/{DONE}.json");
    let own = local.own();
    let put = ask_s3(local.s3(), &line, "localhost", &own, &[], "{}");
    assert_eq!(timeout(Duration::from_secs(20), put).await.expect("it waits").status, "200 OK");

    slow.write_all(b"}").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert_eq!(Response::parse(&answer).status, "200 OK");
}

#[test]
fn the_help_is_plain_text() {
    let help = Options::command().render_long_help().to_string();
    assert!(help.contains("<job_id>.json") && !help.contains('`'), "{help}");
}

#[tokio::test]
async fn a_sample_that_changes_is_the_first_to_be_offered_and_is_there_from_the_first_request() {
    let local = start(&[]).await;
    let pasted = local.printed.lines().find(|line| !line.starts_with([' ', '#']) && line.contains(CHANGING)).unwrap();
    let wait = format!("cargo jobs wait --url {} {CHANGING}", local.url);
    let key = if cfg!(windows) { "$env:JOBS_API_KEY='demo-key';" } else { "JOBS_API_KEY='demo-key'" };
    assert_eq!(pasted, format!("{key} {wait}"));
    assert!(local.printed.find(pasted) < local.printed.find("curl"), "{}", local.printed);
    let queued = poll(&local.url, CHANGING).await;
    assert!(queued.contains(&format!(r#""response":{},"#, changing::status_file(0))), "{queued}");

    let jobs = tempfile::tempdir().unwrap();
    let without = start(&["--jobs", jobs.path().to_str().unwrap()]).await;
    assert!(!without.printed.contains(CHANGING), "{}", without.printed);
    assert!(poll(&without.url, CHANGING).await.starts_with("HTTP/1.1 404"));
}

#[test]
fn the_sample_that_changes_goes_from_queued_through_running_to_done() {
    let schema = serde_json::from_str(include_str!("../../../../schemas/status.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut states: Vec<String> = Vec::new();
    for second in 0..PERIOD {
        let file: Value = serde_json::from_str(&changing::status_file(second)).unwrap();
        assert!(schema.is_valid(&file), "{file}");
        assert_eq!(file["job_id"], CHANGING);
        let state =
            format!("{} {}", file["job_status"].as_str().unwrap(), file["progress"].as_str().unwrap_or_default());
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    assert_eq!(
        states,
        [
            "queued ",
            "running 0 %",
            "running 8 %",
            "running 16 %",
            "running 25 %",
            "running 33 %",
            "running 41 %",
            "running 50 %",
            "running 58 %",
            "running 66 %",
            "running 75 %",
            "running 83 %",
            "running 91 %",
            "done "
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_sample_that_changes_begins_anew_when_it_is_done() {
    let (directory, beside, began) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Instant::now());
    let mut work = std::pin::pin!(changing::work(directory.path(), beside.path()));
    for second in 0..PERIOD + 7 {
        // In the middle of this second.
        let middle = began + Duration::from_millis(1000 * second + 500);
        timeout_at(middle, &mut work).await.unwrap_err();
        let written = fs::read_to_string(directory.path().join(format!("{CHANGING}.json"))).unwrap();
        assert_eq!(written, changing::status_file(second % PERIOD), "after {second} s");
    }
    assert_eq!(list(directory.path()), [format!("{CHANGING}.json")]);
    assert!(list(beside.path()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_reads_the_sample_that_changes_meanwhile_sees_a_whole_file() {
    let (directory, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    samples::write(directory.path(), SystemTime::now()).unwrap();
    let path = directory.path().join(format!("{CHANGING}.json"));
    let whole: HashSet<_> = (0..PERIOD).map(changing::status_file).collect();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            let read = fs::read_to_string(&path).unwrap();
            assert!(whole.contains(&read), "{read:?}");
        }
    });
    let hour = Instant::now() + Duration::from_hours(1);
    timeout_at(hour, changing::work(directory.path(), beside.path())).await.unwrap_err();
    drop(stop);
    reader.join().unwrap();
}

#[tokio::test]
async fn the_sample_that_changes_is_written_into_the_served_directory() {
    let options = Options::try_parse_from(["cargo local", "--port", "0", "--s3-listen", "127.0.0.1:0"]).unwrap();
    let server = Server::start(options).await.unwrap_or_else(|error| panic!("{error}"));
    let (url, printed) = (server.url().to_owned(), server.to_string());
    let directory = printed.lines().find_map(|line| line.trim().strip_prefix("samples")).unwrap();
    let path = Path::new(directory.split_whitespace().next().unwrap()).join(format!("{CHANGING}.json"));
    let first = fs::metadata(&path).unwrap().modified().unwrap();
    tokio::spawn(server.run(pending()));
    while fs::metadata(&path).unwrap().modified().unwrap() == first {
        let queued = poll(&url, CHANGING).await;
        assert!(queued.contains(&changing::status_file(0)), "{queued}");
    }
}

#[tokio::test]
async fn it_prints_a_curl_for_each_outcome() {
    let local = start(&[]).await;
    let curls: Vec<_> = local.printed.lines().filter(|line| line.starts_with("curl")).collect();
    assert_eq!(curls.len(), 12, "{}", local.printed);
    assert!(
        curls[0].contains(&local.url) && curls[0].contains("x-api-key: demo-key") && curls[0].contains(DONE),
        "{}",
        curls[0]
    );
    assert!(local.printed.contains("bucket jobs"), "{}", local.printed);
}

#[tokio::test]
async fn a_reference_page_is_served_beside_the_endpoint_and_loads_nothing_from_elsewhere() {
    let local = start(&[]).await;
    assert!(local.printed.contains(&format!("  page      {}/  ", local.url)), "{}", local.printed);
    for (path, content_type, text) in [
        ("/", "text/html; charset=utf-8", "<title>Job status: reference</title>"),
        ("/?a=b", "text/html; charset=utf-8", r#" data-api-key="demo-key">"#),
        ("/page.js", "text/javascript; charset=utf-8", r#"url: "/openapi.yaml","#),
        ("/openapi.yaml", "application/yaml", include_str!("../../../../schemas/openapi.yaml")),
        ("/swagger-ui-bundle.js", "text/javascript; charset=utf-8", "SwaggerUIBundle"),
        ("/swagger-ui.css", "text/css; charset=utf-8", ".swagger-ui"),
        ("/favicon-32x32.png", "image/png", "PNG"),
    ] {
        let response = get(&local.url, path).await;
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n")), "{path}: {head}");
        assert!(head.contains("\r\ncontent-security-policy: default-src 'self'; "), "{path}: {head}");
        assert!(body.contains(text), "{path}");
        if ["/", "/page.js"].contains(&path) {
            for elsewhere in ["http://", "https://", "\"//"] {
                assert!(!body.contains(elsewhere), "{body}");
            }
        }
    }
    for request in ["POST /", "HEAD /", "POST /openapi.yaml", "GET /index.html", "GET //"] {
        let response =
            exchange(&local.url, &format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n"), "{response}");
    }
}

#[tokio::test]
async fn the_page_gives_away_no_key_but_the_demo_key() {
    let local = start(&["--api-key", "my own key"]).await;
    assert!(get(&local.url, "/").await.contains(r#" data-api-key="">"#));
    for path in ["/", "/page.js"] {
        assert!(!get(&local.url, path).await.contains("my own key"), "{path}");
    }
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let local = start(&[]).await;
    local.stop.send(()).unwrap();
    local.task.await.unwrap().unwrap();
    let address: SocketAddr = local.url.strip_prefix("http://").unwrap().parse().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_port_in_use_and_bad_flags_get_a_clear_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    let port = taken.port().to_string();
    let options = Options::try_parse_from(["cargo local", "--port", &port]).unwrap();
    let error = Server::start(options).await.err().unwrap();
    assert_eq!(error.to_string(), format!("{taken} is in use already: choose another with --port"));
    let listen = taken.to_string();
    for (arguments, option) in
        [(&["--port", "0", "--s3-listen", &listen][..], "--s3-listen"), (&["--listen", &listen], "--listen")]
    {
        let options = Options::try_parse_from([&["cargo local"], arguments].concat()).unwrap();
        let error = Server::start(options).await.err().unwrap();
        assert_eq!(error.to_string(), format!("{taken} is in use already: choose another with {option}"));
    }

    for (arguments, message) in [
        (&["--jobs", "/no/such/directory"][..], "there is no such directory"),
        (&["--port", "99999"], "99999 is not in 0..=65535"),
        (&["--api-key", ""], "a value is required for '--api-key"),
        (&["--s3-listen", "9001"], "invalid socket address syntax"),
        (&["--listen", "9000"], "invalid socket address syntax"),
        (&["--listen", "0.0.0.0:9000", "--port", "9000"], "cannot be used with"),
        (&["--bucket", "b", "--jobs", "."], "cannot be used with"),
        (&["--prefix", "jobs/", "--jobs", "."], "cannot be used with"),
        (&["--prefix", "jobs/"], "--bucket <NAME>"),
        (&["--verbose"], "unexpected argument '--verbose'"),
    ] {
        let error = Options::try_parse_from([&["cargo local"], arguments].concat()).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
}
