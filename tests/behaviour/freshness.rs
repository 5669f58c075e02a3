//! What an answer says about the status in it: how fresh it is, and when it goes.

use local::samples::{DONE, UNKNOWN};
use proptest::{collection, prelude::*};
use testbed::fault_s3::{Act, object, object_version, object_with};

use crate::harness::{Environment, GATEWAYS, Request, STATUS, assert_response, runtime};

#[tokio::test]
async fn an_answer_says_when_its_status_was_written_and_when_it_goes() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    let expiration =
        "x-amz-expiration: expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT\", rule-id=\"after%2030%20days\"\r\n";
    s3.always(Act::Answer(object_with(expiration, STATUS)));
    for request in Request::every_poll(UNKNOWN) {
        assert_response!(environment.send(request).await, @r#"
        200
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        sunset: Fri, 25 Dec 2026 00:00:00 GMT
        x-job-outcome: done

        {"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"00000000-0000-4000-8000-000000000000","response":{"job_status":"done"},"message":"success","pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}
        "#);
    }
    for invalid in
        ["expiry-date=\"soon\", rule-id=\"x\"", "expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT", "rule-id=\"x\"", ""]
    {
        s3.always(Act::Answer(object_with(&format!("x-amz-expiration: {invalid}\r\n"), "{}")));
        assert_eq!(environment.poll(UNKNOWN).await.header("sunset"), None, "{invalid}");
    }
}

#[tokio::test]
async fn a_get_for_a_status_that_the_caller_has_is_a_304_with_the_headers_that_matter() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    let expiration = "x-amz-expiration: expiry-date=\"Fri, 25 Dec 2026 00:00:00 GMT\", rule-id=\"x\"\r\n";
    s3.always(Act::Answer(object_with(expiration, r#"{"job_status":"running"}"#)));
    for gateway in &GATEWAYS {
        let request = Request::get_job(UNKNOWN).header("If-None-Match", r#"W/"1""#).through(gateway);
        assert_response!(environment.send(request).await, @r#"
        304
        etag: W/"1"
        last-modified: Wed, 25 Nov 2026 11:00:00 GMT
        retry-after: 1
        sunset: Fri, 25 Dec 2026 00:00:00 GMT
        x-job-outcome: unfinished
        "#);
        let line = environment.logs.request();
        assert_eq!(
            (&line["outcome"], &line["status"], &line["bytes"]),
            (&"unfinished".into(), &304.into(), &24.into())
        );
    }
    environment.clock.forward(50);
    let later = environment.send(Request::get_job(UNKNOWN).header("if-none-match", "*")).await;
    assert_eq!((later.status, later.header("retry-after")), (304, Some("5")), "it comes from the file that was read");
}

#[tokio::test]
async fn a_post_is_never_a_304_and_neither_is_anything_but_a_200() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    s3.always(Act::Answer(object(STATUS)));
    let conditional = |request: Request| request.header("if-none-match", "*");
    assert_eq!(environment.send(conditional(Request::job(UNKNOWN))).await.status, 200);
    assert_eq!(environment.send(conditional(Request::get_job(UNKNOWN)).no_key()).await.status, 401);
    s3.always(Act::Answer(object(r#"{"job_status":"#)));
    assert_eq!(environment.send(conditional(Request::get_job(UNKNOWN))).await.status, 500);
    let environment = Environment::start().await;
    assert_eq!(environment.send(conditional(Request::get_job(UNKNOWN))).await.status, 404);
    assert_eq!(environment.send(conditional(Request::get_job(DONE))).await.status, 304);
}

#[tokio::test]
async fn if_none_match_is_read_as_a_list_of_tags() {
    let (s3, environment) = Environment::with_fresh_objects(&[]).await;
    s3.always(Act::Answer(object_version(r#""a,b-2""#, "{}")));
    for (header, status) in [
        (r#"W/"a,b-2""#, 304),
        (r#""a,b-2""#, 304),
        (r#""x", W/"a,b-2""#, 304),
        (r#",, "x","",	"a,b-2","y""#, 304),
        ("*", 304),
        (" * ", 304),
        (r#""x", "y""#, 200),
        (r#""a", "b-2""#, 200),
        (r#""A,B-2""#, 200),
        (r#""x"#, 200),
        ("a,b-2", 200),
        (r#"w/"a,b-2""#, 200),
        (r#"nonsense, "a,b-2""#, 200),
        ("\u{e9}", 200),
        ("", 200),
    ] {
        let request = Request::get_job(UNKNOWN).header("if-none-match", header);
        let response = environment.send_through_each(&request).await;
        assert_eq!((response.status, response.header("etag")), (status, Some(r#"W/"a,b-2""#)), "{header}");
    }
}

#[test]
fn any_get_is_a_304_only_if_the_caller_has_the_status() {
    let runtime = runtime();
    let (s3, environment) = runtime.block_on(Environment::with_fresh_objects(&[]));
    let tag = ("(W/)?", "\"[ab,]{0,2}\"");
    proptest!(|(current in "\"[ab,]{0,2}\"", known in collection::vec(tag, 0..4))| {
        s3.always(Act::Answer(object_version(&current, "{}")));
        let header = known.iter().map(|(weak, tag)| format!("{weak}{tag}")).collect::<Vec<_>>().join(", ");
        let response = runtime.block_on(environment.send(Request::get_job(UNKNOWN).header("if-none-match", &header)));
        let has_it = known.iter().any(|(_, tag)| *tag == current);
        prop_assert_eq!(response.status, if has_it { 304 } else { 200 }, "{} for {}", header, current);
        let etag = format!("W/{current}");
        prop_assert_eq!(response.header("etag"), Some(&*etag));
    });
}
