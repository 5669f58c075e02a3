//! Large envelopes are compressed for callers who accept gzip, if their gateway passes it on.

use job_status::{
    Body, Gzip, encode,
    limits::{GZIP_FROM, PAYLOAD_OVERHEAD},
};
use local::samples::{DONE, LARGE, UNKNOWN};
use testbed::status_file::noisy;

use crate::harness::{Environment, GATEWAYS, Request};

#[tokio::test]
async fn large_envelopes_are_compressed_for_callers_who_accept_gzip() {
    let environment = Environment::start().await;
    let plain = environment.poll(LARGE).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    for (accept, coding) in [
        ("gzip", Some("gzip")),
        ("br, GZIP;q=0.5", Some("gzip")),
        ("*", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip; q=0.000, *", None),
        ("br, identity", None),
        ("", None),
    ] {
        let response = environment.send(Request::job(LARGE).header("accept-encoding", accept)).await;
        assert_eq!(response.header("content-encoding"), coding, "{accept}");
        assert_eq!(response.status_file(), plain.status_file(), "{accept}");
        assert_eq!(response.header("vary"), Some("accept-encoding"), "{accept}");
    }
    let small = environment.send(Request::job(DONE).header("accept-encoding", "gzip")).await;
    assert_eq!((small.header("content-encoding"), small.header("vary")), (None, None));
}

#[tokio::test]
async fn envelopes_are_compressed_only_for_gateways_that_pass_them_on() {
    let environment = Environment::start().await;
    let plain = environment.poll(LARGE).await;
    for gateway in &GATEWAYS {
        let request = Request::job(LARGE).header("accept-encoding", "gzip").through(gateway);
        let response = environment.send(request).await;
        let compressed = (response.header("content-encoding"), response.header("vary"));
        let expected = if gateway.passes_gzip { (Some("gzip"), Some("accept-encoding")) } else { (None, None) };
        assert_eq!(compressed, expected, "{}", gateway.name);
        assert_eq!(response.status_file(), plain.status_file(), "{}", gateway.name);
    }
}

#[tokio::test]
async fn an_envelope_of_8_kib_is_compressed_and_one_byte_less_is_not() {
    let environment = Environment::start().await;
    let file = |padding: usize| format!(r#"{{"padding":"{}"}}"#, "x".repeat(padding));
    let around = environment.poll_file(file(0)).await.body.len();
    for (size, coding) in [(8191, None), (8192, Some("gzip"))] {
        environment.put("jobs", &format!("{UNKNOWN}.json"), file(size - around));
        let response = environment.send(Request::job(UNKNOWN).header("accept-encoding", "gzip")).await;
        assert_eq!(response.body.len(), size);
        assert_eq!(response.header("content-encoding"), coding, "{size}");
        assert_eq!(response.header("vary"), coding.map(|_| "accept-encoding"), "{size}");
    }
}

/// Not through a gateway: how well an envelope compresses depends on the times in it.
#[test]
fn a_compressed_body_fits_to_the_byte() {
    for size in GZIP_FROM..GZIP_FROM + 50 {
        let content = noisy(size, size / 2);
        let encoded = |limit| encode(&[str::from_utf8(&content).unwrap()], Gzip::Accepted, limit);
        let Body::Gzip(compressed) = encoded(usize::MAX).ok().unwrap().body else { panic!("{size}: not compressed") };
        let base64 = compressed.len().div_ceil(3) * 4;
        assert!(encoded(base64 + PAYLOAD_OVERHEAD).is_ok(), "{size}: {base64} bytes fit exactly");
        assert!(encoded(base64 + PAYLOAD_OVERHEAD - 1).is_err(), "{size}: {base64} bytes are one too many");
    }
}
