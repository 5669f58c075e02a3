//! What real workers, S3 servers, tools and callers send, though they should not.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use local::samples::{DONE, UNKNOWN};
use serde_json::{Value, json};
use testbed::{
    fault_s3::{Act, FaultS3, error_document, object, object_with},
    keyring::{DEMO_KEY, document, entry},
    status_file::noisy,
};

use crate::harness::{Deployment, Environment, GATEWAYS, Request, Response, fast_timers};

const STATUS: &str = r#"{"job_status":"done"}"#;
const BYTE_ORDER_MARK: &str = "\u{feff}";

async fn in_front_of_s3() -> (FaultS3, Environment) {
    fast_timers();
    let s3 = FaultS3::start().await;
    let environment = Deployment::with_s3(s3.url()).start().await;
    s3.take_requests();
    (s3, environment)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn failed(message: &str) -> String {
    format!(r#"{{"error":"Failed to retrieve job status: {message}","code":500}}"#)
}

/// A member of the last request's log line.
fn logged(environment: &Environment, name: &str) -> String {
    environment.logs.request()[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_stored_with_gzip_is_decompressed() {
    let (s3, environment) = in_front_of_s3().await;
    for coding in ["gzip", "GZIP", "x-gzip", "aws-chunked,gzip", "aws-chunked, gzip"] {
        s3.always(Act::Answer(object_with(&format!("content-encoding: {coding}\r\n"), gzip(STATUS.as_bytes()))));
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS, "{coding}");
    }
    for coding in ["identity", "aws-chunked", ""] {
        s3.always(Act::Answer(object_with(&format!("content-encoding: {coding}\r\n"), STATUS)));
        assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS, "{coding}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_decompressed_is_named() {
    let (s3, environment) = in_front_of_s3().await;
    let whole = gzip(&noisy(10_000, 5_000));
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    for (coding, content) in [
        ("gzip", &whole[..whole.len() / 2]),
        ("gzip", &damaged),
        ("gzip", b"{}"),
        ("gzip", b""),
        ("br", &whole),
        ("gzip, gzip", &whole),
    ] {
        s3.always(Act::Answer(object_with(&format!("content-encoding: {coding}\r\n"), content)));
        let response = environment.poll(UNKNOWN).await;
        assert_eq!((response.status, response.body), (500, failed("the status could not be decompressed")), "{coding}");
        assert_eq!((logged(&environment, "kind"), s3.take_requests().len()), ("undecodable".into(), 1), "{coding}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_object_that_would_become_a_huge_one_is_refused() {
    let (s3, environment) = in_front_of_s3().await;
    let bomb = gzip(&vec![b' '; 300_000_000]);
    s3.always(Act::AnswerShared(object_with("content-encoding: gzip\r\n", bomb).into()));
    let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
    assert_eq!(response.body, failed("the status is too large"));
    assert_eq!(logged(&environment, "kind"), "too_large");
    let response = environment.poll(UNKNOWN).await;
    assert_eq!(response.body, failed("the status is too large to be sent uncompressed: send accept-encoding: gzip"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_json_in_utf_8_is_recognized_and_its_cure_logged() {
    let (s3, environment) = in_front_of_s3().await;
    let utf_16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), STATUS.encode_utf16().flat_map(bytes).collect()].concat()
    };
    let chunked = format!("{:x}\r\n{STATUS}\r\n0\r\n\r\n", STATUS.len());
    let signed =
        format!("{:x};chunk-signature={}\r\n{STATUS}\r\n0;chunk-signature=0\r\n\r\n", STATUS.len(), "0".repeat(64));
    let trailer = format!("{:x}\r\n{STATUS}\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", STATUS.len());
    for (what, content, message, named, cure) in [
        ("UTF-16, little endian", utf_16(b"\xff\xfe", u16::to_le_bytes), "not UTF-8", "UTF-16", "utf8NoBOM"),
        ("UTF-16, big endian", utf_16(b"\xfe\xff", u16::to_be_bytes), "not UTF-8", "UTF-16", "utf8NoBOM"),
        ("UTF-16 without a mark", utf_16(b"", u16::to_le_bytes), "not a JSON object", "UTF-16", "utf8NoBOM"),
        ("gzip without the header", gzip(STATUS.as_bytes()), "not UTF-8", "gzip", "content-encoding: gzip"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\xff".to_vec(), "not UTF-8", "zstd", "plain JSON"),
        (
            "aws-chunked",
            chunked.into(),
            "not a JSON object",
            "aws-chunked",
            "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
        ),
        (
            "signed chunks",
            signed.into(),
            "not a JSON object",
            "aws-chunked",
            "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
        ),
        (
            "chunks and a trailer",
            trailer.into(),
            "not a JSON object",
            "aws-chunked",
            "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
        ),
        ("text", b"5 jobs\r\n".to_vec(), "not a JSON object", "not one JSON object", "writer"),
    ] {
        s3.always(Act::Answer(object(content)));
        let response = environment.poll(UNKNOWN).await;
        assert_eq!(response.body, failed(&format!("the status file is {message}")), "{what}");
        let hint = logged(&environment, "hint");
        assert!(hint.contains(named) && hint.contains(cure), "{what}: {hint}");
        assert_eq!(logged(&environment, "kind"), "malformed_status_file", "{what}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_in_front_of_the_keyring_is_as_if_it_were_not_there() {
    let keyring = document(&[entry("demo", DEMO_KEY)]);
    let inline = Deployment::with_samples().await.set("API_KEYS", format!("{BYTE_ORDER_MARK}{keyring}"));
    assert_eq!(inline.start().await.poll(DONE).await.status, 200);
    for location in ["s3://config/keyring.json".to_owned(), format!("{BYTE_ORDER_MARK}s3://config/keyring.json")] {
        let deployment = Deployment::with_samples().await.set("API_KEYS", location);
        deployment.put("config", "keyring.json", format!("{BYTE_ORDER_MARK}{keyring}"));
        assert_eq!(deployment.start().await.poll(DONE).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn every_404_but_a_missing_buckets_is_a_job_that_is_not_found() {
    let (s3, environment) = in_front_of_s3().await;
    let with_body = |kind: &str, body: &str| {
        format!("HTTP/1.1 404 Not Found\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    for (what, answer) in [
        ("another code", error_document("404 Not Found", "NotFound", "Not Found")),
        (
            "a deleted version",
            error_document("404 Not Found", "NoSuchVersion", "The specified version does not exist."),
        ),
        ("HTML", with_body("text/html", "<html><body>404</body></html>")),
        ("JSON", with_body("application/json", r#"{"code":"not_found"}"#)),
        ("nothing", with_body("text/plain", "")),
    ] {
        s3.always(Act::Answer(answer));
        let response = environment.poll(UNKNOWN).await;
        let body = format!(r#"{{"error":"Job not found","job_id":"{UNKNOWN}"}}"#);
        assert_eq!((response.status, response.body), (404, body), "{what}");
        assert_eq!((logged(&environment, "outcome"), s3.take_requests().len()), ("not_found".into(), 1), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_of_kms_is_a_throttle_with_a_hint_about_kms() {
    let (s3, environment) = in_front_of_s3().await;
    for (status, code, message, of_kms) in [
        ("400 Bad Request", "KMS.ThrottlingException", "You have exceeded the rate at which you may call KMS.", true),
        (
            "400 Bad Request",
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
            true,
        ),
        ("400 Bad Request", "ThrottlingException", "Rate exceeded", false),
        ("503 Slow Down", "SlowDown", "Please reduce your request rate for operations involving AWS KMS.", true),
        ("503 Slow Down", "SlowDown", "Please reduce your request rate.", false),
    ] {
        s3.always(Act::Answer(error_document(status, code, message)));
        let response = environment.poll(UNKNOWN).await;
        assert_eq!((response.status, response.header("retry-after")), (429, Some("5")), "{code}: {message}");
        assert_eq!(response.body, r#"{"error":"Too many requests: try again in 5 seconds","code":429}"#);
        assert_eq!(s3.take_requests().len(), 3, "{code}: {message}");
        assert_eq!(logged(&environment, "kind"), "slow_down");
        let hint = logged(&environment, "hint");
        assert_eq!(hint.contains("S3 Bucket Keys") && hint.contains("quota"), of_kms, "{code}: {message}: {hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_checksums_has_a_way_out() {
    let (s3, environment) = in_front_of_s3().await;
    let refusal = "Unsupported header 'x-amz-checksum-mode' received for this API call.";
    s3.always_by(move |head| {
        let asked = head.contains("x-amz-checksum-mode");
        Act::Answer(if asked { error_document("400 Bad Request", "InvalidArgument", refusal) } else { object(STATUS) })
    });
    assert_eq!(environment.poll(UNKNOWN).await.body, failed("the status store gave an unexpected answer"));
    assert!(logged(&environment, "hint").contains("AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"));
    let deployment = Deployment::with_s3(s3.url()).set("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required");
    assert_eq!(deployment.start().await.poll(UNKNOWN).await.status_file(), STATUS);
}

#[tokio::test(start_paused = true)]
async fn a_checksum_of_parts_is_not_compared_with_the_whole() {
    let (s3, environment) = in_front_of_s3().await;
    let headers = "x-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-type: COMPOSITE\r\n";
    s3.always(Act::Answer(object_with(headers, STATUS)));
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    s3.always(Act::Answer(object_with(&headers.replace("COMPOSITE", "FULL_OBJECT"), STATUS)));
    assert_eq!(environment.poll(UNKNOWN).await.body, failed("the status arrived damaged"));
}

#[tokio::test(start_paused = true)]
async fn an_object_under_its_writers_own_key_is_named() {
    let (s3, environment) = in_front_of_s3().await;
    let message = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.";
    s3.always(Act::Answer(error_document("400 Bad Request", "InvalidRequest", message)));
    assert_eq!(environment.poll(UNKNOWN).await.body, failed("the status store gave an unexpected answer"));
    assert!(logged(&environment, "hint").contains("SSE-C"));
}

#[tokio::test]
async fn a_deadline_that_has_passed_on_arrival_is_none() {
    let environment = Environment::start().await;
    environment.clock.forward(10);
    let passed = Request::job(DONE).time_left(Duration::ZERO);
    assert_eq!(environment.send(passed).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_an_object_in_an_event_made_by_hand_is_said_to_be_one() {
    let environment = Environment::start().await;
    for gateway in &GATEWAYS {
        let mut event = Request::job(DONE).through(gateway).event();
        event["body"] = json!({ "job_id": DONE });
        let answer = environment.hand_over(&event, Duration::from_secs(10)).await;
        let expected =
            r#"{"error":"The event's body is not a string: put the JSON into a string, as gateways do","code":400}"#;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(400), &json!(expected)), "{}", gateway.name);
    }
}

#[tokio::test]
async fn an_id_that_is_a_string_a_number_or_null_is_repeated_as_it_came() {
    let environment = Environment::start().await;
    let send = async |id: &str| environment.send(Request::body(format!(r#"{{"job_id":"{DONE}","id":{id}}}"#))).await;
    for id in ["7", "12345678901234567890", "-1.50e+3", "0", "null", r#""mine""#, r#""\u00e9\ud800""#, r#""""#] {
        let response: Response = send(id).await;
        assert!(response.body.contains(&format!(r#""code":200,"id":{id},"job_id""#)), "{id}: {response}");
    }
    for id in ["true", "false", "[]", "{}", "[7]"] {
        let body = r#"{"error":"id is not a string or a number: send one of these, null, or nothing","code":400}"#;
        assert_eq!(send(id).await.body, body, "{id}");
    }
}

#[tokio::test]
async fn a_body_that_was_encoded_twice_is_said_to_be_so() {
    let environment = Environment::start().await;
    let twice = Value::from(json!({ "job_id": DONE }).to_string()).to_string();
    let body = r#"{"error":"The request body is a string that contains JSON: send the object itself, not encoded twice","code":400}"#;
    assert_eq!(environment.send(Request::body(twice)).await.body, body);
    let body =
        r#"{"error":"The request body is not a JSON object: send one such as {\"job_id\":\"<uuid>\"}","code":400}"#;
    assert_eq!(environment.send(Request::body(r#""text""#)).await.body, body);
}

#[tokio::test]
async fn a_post_with_a_job_id_in_its_query_string_is_told_what_get_is_for() {
    let environment = Environment::start().await;
    let mut request = Request::body("").no_body();
    request.query = format!("job_id={DONE}");
    let body = r#"{"error":"The request body is empty: GET takes job_id from the query string, POST from a JSON body","code":400}"#;
    assert_eq!(environment.send(request.clone()).await.body, body);
    request.query = "other=1".into();
    let body =
        r#"{"error":"The request body is empty: send a JSON object such as {\"job_id\":\"<uuid>\"}","code":400}"#;
    assert_eq!(environment.send(request).await.body, body);
}
