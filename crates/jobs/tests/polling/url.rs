//! Where the endpoint is, and who asks.

use std::fs;

use testbed::fault_s3::{FaultS3, tls};

use crate::harness::{JOB, KEY, asked, end, found, jobs, scripted};

const DONE: &str = r#"{"job_status":"done"}"#;

#[tokio::test]
async fn the_url_is_the_apis_base_or_one_of_its_routes() {
    let server = scripted([found("", DONE)]).await;
    for (below, route) in [
        ("", "/v1/toolkit/job/status"),
        ("/", "/v1/toolkit/job/status"),
        ("/prod", "/prod/v1/toolkit/job/status"),
        ("/a/b/", "/a/b/v1/toolkit/job/status"),
        ("/v1/toolkit/job/status", "/v1/toolkit/job/status"),
        ("/prod/v1/toolkit/job/status/", "/prod/v1/toolkit/job/status"),
        ("/paid/get/job/status", "/paid/get/job/status"),
        ("/prod/paid/get/job/status", "/prod/paid/get/job/status"),
        ("/job/status", "/job/status/v1/toolkit/job/status"),
    ] {
        assert_eq!(end(jobs(&format!("{}{below}", server.url()), &["status", JOB])).await.code, 0, "{below}");
        assert_eq!(asked(&server), [format!("GET {route}?job_id={JOB} HTTP/1.1")], "{below}");
    }
}

#[tokio::test]
async fn an_argument_on_the_command_line_counts_before_the_environment() {
    let server = scripted([found("", DONE)]).await;
    let ended = end(jobs("http://127.0.0.2:1", &["status", JOB, "--url", server.url()])).await;
    assert_eq!((ended.code, asked(&server).len()), (0, 1), "{ended:?}");
}

#[tokio::test]
async fn the_key_comes_from_the_environment_or_from_a_file() {
    let server = scripted([found("", DONE)]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    fs::write(&file, "key of the file\n").unwrap();
    for (arguments, key) in [(vec![], KEY), (vec!["--api-key-file", file.to_str().unwrap()], "key of the file")] {
        let arguments = [vec!["status", JOB], arguments].concat();
        assert_eq!(end(jobs(server.url(), &arguments)).await.code, 0);
        let [head] = server.take_requests().try_into().unwrap();
        assert!(head.contains(&format!("\r\nx-api-key: {key}\r\n")), "{head}");
    }
    for (key, file) in [("", None), ("a\nb", None), (KEY, Some("/no/such/file"))] {
        let mut command = jobs(server.url(), &["status", JOB]);
        command.env("JOBS_API_KEY", key).args(file.map(|file| ["--api-key-file", file]).into_iter().flatten());
        let ended = end(command).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert!(ended.stderr.contains("--api-key-file"), "{ended:?}");
    }
    assert_eq!(asked(&server), [""; 0]);
}

#[tokio::test]
async fn a_file_with_the_key_is_what_editors_and_shells_of_all_systems_write() {
    let server = scripted([found("", DONE)]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("Schlüssel für Привет.txt");
    let utf16: Vec<u8> = "\u{feff}key of the file\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in ["\u{feff}key of the file\r\n".into(), utf16] {
        fs::write(&file, bytes).unwrap();
        let ended = end(jobs(server.url(), &["status", JOB, "--api-key-file", file.to_str().unwrap()])).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let [head] = server.take_requests().try_into().unwrap();
        assert!(head.contains("\r\nx-api-key: key of the file\r\n"), "{head}");
    }
}

#[tokio::test]
async fn what_is_no_url_or_no_job_is_refused_before_anything_is_asked() {
    let server = scripted([found("", DONE)]).await;
    for url in [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://a:b@api.example.com",
        "https://x/?a=b",
        "https://x/#a",
    ] {
        assert_eq!(end(jobs(url, &["status", JOB])).await.code, 2, "{url}");
    }
    for job in ["42", "e6d7f3c09c9f4b8ab7c3f0e3c9f6b9d7", ""] {
        assert_eq!(end(jobs(server.url(), &["wait", job])).await.code, 2, "{job}");
    }
    assert_eq!(asked(&server), [""; 0]);
    assert_eq!(end(jobs(server.url(), &["status", &JOB.to_uppercase()])).await.code, 0);
    assert_eq!(asked(&server), [format!("GET /v1/toolkit/job/status?job_id={JOB} HTTP/1.1")]);
}

/// Linux only: elsewhere no variable says whom the system trusts.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn https_is_trusted_as_the_operating_system_trusts() {
    let (acceptor, authority) = tls();
    let server = FaultS3::start_tls(acceptor).await;
    server.always(found("", DONE));
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    fs::write(&roots, authority).unwrap();
    let mut trusting = jobs(server.url(), &["status", JOB]);
    trusting.env("SSL_CERT_FILE", &roots);
    let ended = end(trusting).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let ended = end(jobs(server.url(), &["status", JOB])).await;
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.stderr.contains("certificate"), "{ended:?}");
}

/// Linux only: elsewhere no variable says whom the system trusts.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_tls_no_certificates_are_needed() {
    let server = scripted([found("", DONE)]).await;
    for (url, code) in [(server.url(), 0), ("https://127.0.0.1:1", 6)] {
        let mut command = jobs(url, &["status", JOB]);
        command.env("SSL_CERT_FILE", "/no/such/file").env("SSL_CERT_DIR", "/no/such/directory");
        let ended = end(command).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(code == 0 || ended.stderr.contains("ca-certificates"), "{ended:?}");
    }
}
