//! How large a status file may be, and an answer.

use std::time::Duration;

use local::samples::UNKNOWN;
use testbed::{
    fault_s3::{Act, object, object_announced_as},
    status_file::noisy,
};

use crate::harness::{Environment, GATEWAYS, Request, STATUS, failure, stop_timers};

const TOO_LARGE: &str = "the status is too large";
const COMPRESS: &str = "the status is too large to be sent uncompressed: send accept-encoding: gzip";

#[tokio::test(start_paused = true)]
async fn the_largest_file_is_accepted() {
    let _stopped = stop_timers();
    let environment = Environment::start().await;
    let segment = r#"{"start":1.5,"text":"and so on, \"quoted\""},"#;
    let content =
        format!(r#"{{"segments":[{}0],"job_status":"done"}}"#, segment.repeat(32 * 1024 * 1024 / segment.len() - 2));
    environment.put("jobs", &format!("{UNKNOWN}.json"), &content);
    let request = Request::job(UNKNOWN).header("accept-encoding", "gzip").time_left(Duration::from_secs(10));
    assert_eq!(environment.send(request).await.status_file().len(), content.len());
}

#[tokio::test]
async fn a_huge_file_is_refused_before_it_is_downloaded() {
    let (s3, environment) = Environment::with_fault_s3(&[]).await;
    // If it waited for the body, it would wait for ever.
    s3.then([Act::Hang(object_announced_as(50_000_000, "", b"{"))]);
    let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(response.to_string(), failure(TOO_LARGE));
    assert_eq!(s3.take_requests().len(), 1, "not tried again");
    let line = environment.logs.request();
    assert_eq!(line["error"], "too_large: the object has at least 50000000 bytes, 33554432 are read");
}

#[tokio::test]
async fn a_file_that_cannot_fit_uncompressed_is_refused_before_it_is_downloaded() {
    let (s3, environment) = Environment::with_fault_s3(&[]).await;
    for (size, gateway, message) in [
        (7_000_000, &GATEWAYS[0], COMPRESS),
        (1_100_000, &GATEWAYS[1], COMPRESS),
        (7_000_000, &GATEWAYS[2], TOO_LARGE),
        (50_000_000, &GATEWAYS[0], TOO_LARGE),
    ] {
        // If it waited for the body, it would wait for ever.
        s3.then([Act::Hang(object_announced_as(size, "", b"{"))]);
        let response = environment.send(Request::job(UNKNOWN).through(gateway)).await;
        assert_eq!(response.to_string(), failure(message), "{size} through {}", gateway.name);
        assert_eq!(s3.take_requests().len(), 1, "not tried again");
        let line = environment.logs.request();
        assert!(line["error"].as_str().unwrap().contains(&size.to_string()), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_longer_than_announced_is_cut_off() {
    let _stopped = stop_timers();
    let (s3, environment) = Environment::with_fault_s3(&[]).await;
    let mut longer = object(STATUS);
    longer.extend_from_slice(b"and more than was announced");
    s3.then([Act::Answer(longer), Act::Answer(object(r#"{"job_status":"queued"}"#))]);
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    assert_eq!(
        environment.poll(UNKNOWN).await.status_file(),
        r#"{"job_status":"queued"}"#,
        "the bytes beyond the announced length are not taken for the next answer"
    );

    // Without an announced length the limit itself cuts it off.
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(33));
    s3.then([Act::Hang(endless.into_bytes())]);
    assert_eq!(environment.poll(UNKNOWN).await.to_string(), failure(TOO_LARGE));
}

#[tokio::test(start_paused = true)]
async fn a_status_too_large_to_be_sent_as_it_is_can_be_sent_compressed() {
    let _stopped = stop_timers();
    let environment = Environment::start().await;
    // 4 MB, and every other character has to be escaped inside Lambda's answer.
    let quotes = format!(r#"{{"job_status":"done","text":"{}"}}"#, r#"\""#.repeat(2_000_000));
    assert_eq!(environment.poll_file(&quotes).await.to_string(), failure(COMPRESS));
    let line = environment.logs.request();
    assert_eq!(line["kind"], "response_too_large");
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("the response takes 8000") && error.contains("of the 6291556"), "{error}");
    let compressed = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(compressed.status_file(), quotes);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_too_large_even_compressed_is_refused() {
    let _stopped = stop_timers();
    let environment = Environment::start().await;
    environment.put("jobs", &format!("{UNKNOWN}.json"), noisy(12_000_000, 11_999_900));
    let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(response.to_string(), failure(TOO_LARGE));
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_on_the_encoded_answer_of_each_gateway() {
    let _stopped = stop_timers();
    let environment = Environment::start().await;
    let file = |length: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
    let path = format!("{UNKNOWN}.json");
    let mut sizes = Vec::new();
    for gateway in &GATEWAYS {
        for (spare, status) in [(2048 + 400, 200), (2048, 500)] {
            environment.put("jobs", &path, file(gateway.max_answer - spare));
            let answer = environment.invoke(&Request::job(UNKNOWN).through(gateway)).await;
            assert_eq!(answer["statusCode"], status, "{}", gateway.name);
            sizes.push(gateway.max_answer - answer.to_string().len().min(gateway.max_answer));
        }
    }
    assert!(sizes.iter().all(|spare| *spare > 0), "every answer is within its limit: {sizes:?}");
}
