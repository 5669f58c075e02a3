//! `jobs wait`.

use std::{
    fs::{self, File},
    io::{Write, pipe},
    process::Stdio,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use testbed::fault_s3::Act;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
};

use crate::harness::{JOB, KEY, answer, asked, bytes, end, found, jobs, jobs_in_shell, local, run, scripted};

const SOON: &str = "retry-after: 0\r\n";
const DONE: &str = r#"{"job_status":"done","response":{"code":200,"message":"success"}}"#;
const RUNNING: &str = r#"{"job_status":"running"}"#;

#[tokio::test]
async fn a_job_is_followed_to_its_end_by_conditional_gets() {
    let server = scripted([
        found("etag: W/\"1\"\r\nretry-after: 0\r\n", r#"{"job_status":"queued"}"#),
        answer(304, "etag: W/\"1\"\r\nretry-after: 0\r\n", ""),
        found("etag: W/\"2\"\r\nretry-after: 0\r\n", r#"{"job_status":"running","progress":"50 %"}"#),
        found("etag: W/\"3\"\r\n", DONE),
    ])
    .await;
    let ended = run(&server, &["wait", JOB, "--json"]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{DONE}\n")));
    assert_eq!(ended.stderr, "queued, next poll in 1s\nrunning (50 %), next poll in 1s\n");
    let requests = server.take_requests();
    let known: Vec<_> =
        requests.iter().map(|head| head.lines().find_map(|line| line.strip_prefix("if-none-match: "))).collect();
    assert_eq!(known, [None, Some("W/\"1\""), Some("W/\"1\""), Some("W/\"2\"")]);
    for head in requests {
        assert!(head.starts_with(&format!("GET /v1/toolkit/job/status?job_id={JOB} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nx-api-key: {KEY}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn the_endpoint_itself_is_followed_while_a_worker_writes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(format!("{JOB}.json"));
    fs::write(&file, RUNNING).unwrap();
    let url = local(&["--jobs", directory.path().to_str().unwrap()]).await;
    let mut command = jobs(&url, &["wait", JOB, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.starts_with("running") && line.contains("next poll in"), "{line}");
    fs::write(&file, DONE).unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{DONE}\n"));
}

#[tokio::test]
async fn the_final_status_is_indented_for_people_and_left_alone_for_programs() {
    let file = r#"{ "job_status":"done",  "n":1.0000000000000000000001, "a":{},"b":[ ],"s":"{\"x\": [1,2] }\\","response":[{"z":null,"é":1e400}]}"#;
    let indented = r#"{
  "job_status": "done",
  "n": 1.0000000000000000000001,
  "a": {},
  "b": [],
  "s": "{\"x\": [1,2] }\\",
  "response": [
    {
      "z": null,
      "é": 1e400
    }
  ]
}
"#;
    let server = scripted([found("", file)]).await;
    assert_eq!(run(&server, &["wait", JOB]).await.stdout, indented);
    assert_eq!(run(&server, &["wait", JOB, "--json"]).await.stdout, format!("{file}\n"));
}

#[tokio::test]
async fn what_is_nested_deep_stays_in_its_line_and_nothing_that_a_terminal_acts_on_is_left() {
    let deep = format!("{}[1,  2]{}", "[".repeat(30), "]".repeat(30));
    let texts = "\"a\u{202e}\u{9b}b\u{200d}\":\"c\u{202e}\u{9b}d\u{200d}\u{e0041}\"";
    let file = format!(r#"{{"job_status":"done",{texts},"cut \ud83d":"cut \ud83d","deep":{deep}}}"#);
    let server = scripted([found("", &file)]).await;
    let shown = run(&server, &["wait", JOB]).await.stdout;
    let begin = "{\n  \"job_status\": \"done\",\n  \"ab\u{200d}\": \"c\\u202e\\u009bd\u{200d}\\udb40\\udc41\",\n  \"cut \u{fffd}\u{fffd}\u{fffd}\": \"cut \\ud83d\",\n  \"deep\": [\n    [\n";
    assert!(shown.starts_with(begin), "{shown}");
    assert!(shown.contains(&format!("\n{}{}[1,  2]{}\n", "  ".repeat(12), "[".repeat(19), "]".repeat(19))), "{shown}");
    assert_eq!(run(&server, &["wait", JOB, "--json"]).await.stdout, format!("{file}\n"));
}

/// Linux only: a shell there limits memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_bounded_by_the_largest_status_however_small_it_travels_or_deep_it_is() {
    const DEPTH: usize = 5 * 1024 * 1024;
    let packed = |parts: &[(&[u8], usize)]| {
        let mut body = GzEncoder::new(Vec::new(), Compression::fast());
        for (part, times) in parts {
            for _ in 0..*times {
                body.write_all(part).unwrap();
            }
        }
        let body = body.finish().unwrap();
        let head = format!("HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
        Act::AnswerShared([head.into_bytes(), body].concat().into())
    };
    let megabyte = vec![b'x'; 1024 * 1024];
    let bomb = packed(&[(br#"{"response":{"job_status":"done","x":""#, 1), (&megabyte, 400), (br#""}}"#, 1)]);
    let (open, close) = (vec![b'['; DEPTH], vec![b']'; DEPTH]);
    let brackets = packed(&[(br#"{"response":{"job_status":"done","x":"#, 1), (&open, 1), (&close, 1), (b"}}", 1)]);
    for (act, code, least) in [(bomb, 2, 0), (brackets, 0, 2 * DEPTH)] {
        let server = scripted([act]).await;
        let ended = end(jobs_in_shell(r#"ulimit -v 700000; exec "$0" "$@""#, server.url(), &["status", JOB])).await;
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stdout.len() >= least, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_exit_code_says_how_the_job_ended() {
    for (file, code, message) in [
        (r#"{"job_status":"done"}"#, 0, ""),
        (r#"{"job_status":"done","response":null}"#, 0, ""),
        (r#"{"job_status":"done","response":{"code":null}}"#, 0, ""),
        (r#"{"job_status":"done","response":{"code":200.0}}"#, 0, ""),
        (r#"{"job_status":"done","response":"text"}"#, 0, ""),
        (r#"{"job_status":"failed"}"#, 1, "the job failed"),
        (
            r#"{"job_status":"failed","response":{"code":200,"message":"no\u001b[31m audio"}}"#,
            1,
            "the job failed: no[31m audio",
        ),
        (r#"{"job_status":"done","response":{"code":500,"message":"no audio"}}"#, 1, "the job failed: no audio"),
        (r#"{"job_status":"done","response":{"code":"200"}}"#, 1, "the job failed"),
        // Text that was cut in the middle of an emoji.
        (r#"{"job_status":"done","response":{"code":500,"\ud800":1}}"#, 1, "the job failed"),
        (r#"{"job_status":"done","\ud83d":1,"response":{"code":200,"text":"cut \ud83d"}}"#, 0, ""),
        (
            r#"{"job_status":"failed","response":{"message":"cut \ud83d"}}"#,
            1,
            "the job failed: cut \u{fffd}\u{fffd}\u{fffd}",
        ),
        (r#"{"\ud800":1,"job_status":"done","job_status":"failed"}"#, 1, "the job failed"),
        (r#"{"job_status":"paused"}"#, 1, "the job ended in a state of its worker's own: paused"),
        (r#"{"job_status":7}"#, 1, "the job ended in a state of its worker's own: no state"),
    ] {
        let server = scripted([found("", file)]).await;
        let ended = run(&server, &["wait", JOB, "--json"]).await;
        let said = if message.is_empty() { String::new() } else { format!("jobs: {message}\n") };
        assert_eq!((ended.code, ended.stderr, ended.stdout), (code, said, format!("{file}\n")));
    }
}

#[tokio::test]
async fn lost_connections_429_and_5xx_are_survived() {
    let half = bytes(200, "", "{\"endpoint\":", 1000);
    for (act, said) in [
        (Act::Reset(vec![]), "no status (error sending request"),
        (Act::Close(half), "no status (error decoding response body"),
        (answer(429, SOON, r#"{"message":"Too Many Requests"}"#), "no status (HTTP 429: Too Many Requests)"),
        (answer(503, SOON, r#"{"message":"Service Unavailable"}"#), "no status (HTTP 503: Service Unavailable)"),
    ] {
        let ended = run(&scripted([act, found("", DONE)]).await, &["wait", JOB]).await;
        assert!(ended.code == 0 && ended.stderr.starts_with(said), "{ended:?}");
    }
}

#[tokio::test]
async fn five_failures_are_enough_as_long_as_nothing_else_was_answered() {
    let failed = || answer(500, SOON, r#"{"error":"Failed to retrieve job status: internal error","code":500}"#);
    let server = scripted([failed()]).await;
    let begin = Instant::now();
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!((ended.code, asked(&server).len()), (6, 5), "{ended:?}");
    assert!(ended.stderr.contains("no status after 5 polls: HTTP 500: Failed to retrieve job status: internal error"));
    assert!(begin.elapsed() >= Duration::from_secs(1 + 2 + 4 + 8), "whatever retry-after says");
}

#[tokio::test]
async fn a_proxy_that_says_retry_after_0_is_asked_once_a_second() {
    let server = scripted([found(SOON, RUNNING), found(SOON, RUNNING), found("", DONE)]).await;
    let begin = Instant::now();
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!((ended.code, asked(&server).len()), (0, 3), "{ended:?}");
    assert!(begin.elapsed() >= Duration::from_secs(2), "{ended:?}");
}

#[tokio::test]
async fn the_last_poll_is_at_the_deadline_however_long_the_endpoint_asks_to_wait() {
    let mut waits = JoinSet::new();
    for headers in ["retry-after: 300\r\n", "retry-after: 18446744073709551615\r\n"] {
        for act in [found(headers, RUNNING), answer(429, headers, "{}")] {
            waits.spawn(async move {
                let wait = ["wait", JOB, "--timeout", "5s", "--json"];
                let begin = Instant::now();
                let server = scripted([act.clone()]).await;
                let ended = run(&server, &wait).await;
                assert!(begin.elapsed() >= Duration::from_secs(5), "{ended:?}");
                assert_eq!((ended.code, ended.stdout.as_str(), asked(&server).len()), (3, "", 2), "{ended:?}");
                assert!(ended.stderr.contains("jobs: timed out before the job finished: "), "{ended:?}");

                let server = scripted([act, found("", DONE)]).await;
                let ended = run(&server, &wait).await;
                assert_eq!((ended.code, ended.stdout), (0, format!("{DONE}\n")));
            });
        }
    }
    waits.join_all().await;
}

#[tokio::test]
async fn a_job_that_is_not_written_down_yet_is_waited_for_a_little() {
    let unknown = |headers: &str| answer(404, headers, &format!(r#"{{"error":"Job not found","job_id":"{JOB}"}}"#));
    let server = scripted([unknown(SOON), unknown(SOON), found("", DONE)]).await;
    assert_eq!(run(&server, &["wait", JOB]).await.code, 0);
    let server = scripted([unknown("retry-after: 11\r\n")]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!((ended.code, asked(&server).len()), (4, 2), "once at the start and once after ten seconds: {ended:?}");
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_tried_again() {
    for (status, body) in [(401, r#"{"error":"Unauthorized: …","code":401}"#), (403, r#"{"message":"Forbidden"}"#)] {
        let server = scripted([answer(status, "", body)]).await;
        let ended = run(&server, &["wait", JOB]).await;
        assert_eq!((ended.code, asked(&server).len()), (5, 1), "{ended:?}");
    }
    let revoked = answer(401, "", r#"{"error":"Unauthorized: …","code":401}"#);
    let server = scripted([found(SOON, RUNNING), revoked]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!((ended.code, asked(&server).len()), (5, 2), "{ended:?}");
}

#[tokio::test]
async fn once_a_poll_was_answered_one_odd_answer_is_survived() {
    let mut waits = JoinSet::new();
    for (odd, said) in [
        (answer(200, "", "<html>Welcome</html>"), "something else answers"),
        (answer(200, "", ""), "something else answers"),
        (answer(200, "", r#"{"endpoint":"/v1/toolkit/job/status","code":200,"resp"#), "something else answers"),
        (answer(304, "", ""), "something else answers"),
        (answer(302, "location: https://login.example.com/\r\n", ""), "the answer leads to https://login.example.com/"),
        (answer(400, "", ""), "HTTP 400"),
        (answer(403, "", "<html>Request blocked</html>"), "HTTP 403"),
        (answer(404, "", r#"{"error":"Job not found","job_id":"x"}"#), "there is no such job"),
        (answer(408, "", ""), "HTTP 408"),
        (answer(425, "", ""), "HTTP 425"),
    ] {
        waits.spawn(async move {
            let server = scripted([found(SOON, RUNNING), odd, found("", DONE)]).await;
            let ended = run(&server, &["wait", JOB]).await;
            assert_eq!((ended.code, asked(&server).len()), (0, 3), "{ended:?}");
            assert!(ended.stderr.contains("\nno status (") && ended.stderr.contains(said), "{ended:?}");
        });
    }
    waits.join_all().await;
}

#[tokio::test]
async fn a_gateway_that_knows_no_route_for_once_does_not_change_how_the_wait_asks() {
    let no_route = || answer(404, "", r#"{"message":"Not Found"}"#);
    let running = || found("etag: W/\"1\"\r\nretry-after: 1\r\n", RUNNING);
    let server = scripted([running(), no_route(), no_route(), found("", DONE)]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let by_post: Vec<_> = asked(&server).iter().map(|line| line.contains("POST /v1")).collect();
    assert_eq!(by_post, [false, false, true, false]);
}

#[tokio::test]
async fn the_same_refusal_five_times_in_a_row_ends_a_wait_with_its_code() {
    let blocked = || answer(403, "", r#"{"message":"Forbidden"}"#);
    let server = scripted([found(SOON, RUNNING), blocked()]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!((ended.code, asked(&server).len()), (5, 6), "{ended:?}");
}

#[tokio::test]
async fn texts_of_others_are_shown_in_one_line_without_what_a_terminal_acts_on() {
    let odd = r"a\n::error::b\u001b]0;OWNED\u0007\u009b31m\u007f\u202e\u2066\u2028\ufeffc";
    let shown = "a::error::b]0;OWNED31mc";
    let said = format!(r#"{{"message":"{odd}"}}"#);
    for (act, verb, expected) in [
        (answer(503, "", &said), "status", format!("jobs: no status after 1 poll: HTTP 503: {shown}\n")),
        (answer(403, "", &said), "status", format!("jobs: HTTP 403: {shown}\n")),
        (found("", &format!(r#"{{"job_status":"{odd}"}}"#)), "wait", format!("of its worker's own: {shown}\n")),
        (
            found("", &format!(r#"{{"job_status":"failed","response":{{"message":"{odd}"}}}}"#)),
            "wait",
            format!("jobs: the job failed: {shown}\n"),
        ),
        (
            found("", &format!(r#"{{"job_status":"running","progress":"{odd}"}}"#)),
            "status",
            format!("jobs: the job has not finished: running ({shown})\n"),
        ),
        (
            answer(503, "", &format!(r#"{{"error":"{}"}}"#, "x".repeat(300))),
            "status",
            format!(": {}\n", "x".repeat(200)),
        ),
    ] {
        let ended = run(&scripted([act]).await, &[verb, JOB, "--json"]).await;
        assert!(ended.stderr.contains(&expected), "{expected:?}: {ended:?}");
        assert!(!ended.stderr.contains(|letter: char| letter.is_control() && letter != '\n'), "{ended:?}");
    }
}

#[tokio::test]
async fn a_stalled_job_is_shown_and_given_up_if_that_is_asked_for() {
    let stalled = || found("retry-after: 0\r\nx-job-stalled: 600\r\n", RUNNING);
    let server = scripted([stalled(), found("", DONE)]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.stderr, "running, stalled: its worker has written nothing for 10m, next poll in 1s\n");

    let ended = run(&scripted([stalled()]).await, &["wait", JOB, "--fail-stalled", "--json"]).await;
    assert_eq!((ended.code, ended.stdout), (7, format!("{RUNNING}\n")));
}

/// Linux only: it has a device that is always full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_behind_stderr_changes_no_exit_code() {
    for (answers, verb, code) in [
        (vec![found(SOON, RUNNING), answer(503, "", ""), found("", DONE)], "wait", 0),
        (vec![answer(401, "", "")], "wait", 5),
        (vec![answer(404, "", "")], "status", 2),
        (vec![answer(404, "", "")], "check", 1),
    ] {
        let arguments = if verb == "check" { vec![verb] } else { vec![verb, JOB] };
        let mut command = jobs(scripted(answers).await.url(), &arguments);
        command.stdout(Stdio::piped()).stderr(File::options().write(true).open("/dev/full").unwrap());
        let output = command.spawn().unwrap().wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{verb}");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_changes_no_exit_code() {
    for (act, arguments, code, said) in [
        (found("", DONE), &["status", JOB][..], 0, ""),
        (found("", r#"{"job_status":"failed"}"#), &["wait", JOB, "--json"], 1, "jobs: the job failed\n"),
        (answer(502, "", ""), &["check"], 1, "jobs: 23 of 23 answers are not as the contract says\n"),
    ] {
        let server = scripted([act]).await;
        let mut command = jobs(server.url(), arguments);
        command.stdout(pipe().unwrap().1).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.starts_with(said) && !stderr.contains("pipe"), "{stderr}");
    }
}

#[tokio::test]
async fn the_age_counts_from_the_workers_write_by_the_clock_of_the_endpoint() {
    let hours =
        "date: Wed, 25 Nov 2020 12:00:00 GMT\r\nlast-modified: Wed, 25 Nov 2020 10:00:00 GMT\r\nretry-after: 0\r\n";
    let server = scripted([found(hours, RUNNING), found("", DONE)]).await;
    let ended = run(&server, &["wait", JOB]).await;
    assert!(ended.stderr.starts_with("running, written 2h"), "{ended:?}");
}

#[tokio::test]
async fn a_deployment_from_before_get_is_asked_by_post() {
    for (status, body) in [
        (404, r#"{"message":"Not Found"}"#),
        (405, r#"{"error":"Method not allowed: use POST","code":405}"#),
        (403, r#"{"message":"Missing Authentication Token"}"#),
    ] {
        let server = scripted([answer(status, "", body), found(SOON, RUNNING), found("", DONE)]).await;
        let ended = run(&server, &["wait", JOB]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let asked = asked(&server);
        assert!(asked[0].starts_with("GET ") && asked[1] == "POST /v1/toolkit/job/status HTTP/1.1", "{asked:?}");
        assert!(asked[2].ends_with("POST /v1/toolkit/job/status HTTP/1.1"), "{asked:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_endpoints_is_told_apart() {
    for (act, why) in [
        (answer(404, "", r#"{"message":"Not Found"}"#), "HTTP 404: Not Found"),
        (answer(404, "", r#"{"error":"Not found","code":404}"#), "HTTP 404: Not found"),
        (
            answer(301, "location: https://elsewhere.example.com/\r\n", ""),
            "the answer leads to https://elsewhere.example.com/",
        ),
        (answer(200, "", "<html>Welcome</html>"), "something else answers"),
        (answer(200, "", "{}"), "something else answers"),
    ] {
        let ended = run(&scripted([act]).await, &["wait", JOB]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert!(ended.stderr.contains(&format!("is no job-status endpoint ({why})")), "{ended:?}");
    }
    let server = scripted([answer(400, "", r#"{"error":"job_id is missing: …","code":400}"#)]).await;
    assert_eq!(run(&server, &["wait", JOB]).await.code, 2);
}

#[tokio::test]
async fn the_exit_codes_are_the_same_in_the_help_and_in_the_docs() {
    let help = end(jobs("http://x", &["wait", "--help"])).await.stdout;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let documented: Vec<_> = include_str!("../../../../docs/clients.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .map(|(code, meaning)| format!("  {code}  {meaning}"))
        .collect();
    assert_eq!(documented, codes.trim_end().lines().collect::<Vec<_>>());
}
