//! Whom the program trusts: `AWS_CA_BUNDLE` as companies hand it out, and machines without certificates.

use std::fs;

use testbed::fault_s3::{Act, FaultS3, object, tls};
use tokio::process::Command;

use crate::harness::{S3, offline, run};

const KEYRING: &str = "s3://jobs/keyring.json";

/// Lists the keys of a keyring behind TLS, with this bundle.
async fn list(server: &FaultS3, bundle: &str) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundle.pem");
    fs::write(&path, bundle).unwrap();
    let mut command = offline(&["keys", "list", "--ring", KEYRING]);
    command.env("AWS_ENDPOINT_URL_S3", server.url()).env("AWS_CA_BUNDLE", path);
    run(command).await
}

#[tokio::test]
async fn odd_certificates_of_a_bundle_are_left_out_and_named() {
    let (acceptor, good) = tls();
    let server = FaultS3::start_tls(acceptor).await;
    server.always(Act::Answer(object(r#"{"keys":[]}"#)));
    let good = good.trim_end();
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!\u{e9}!\n-----END CERTIFICATE-----";
    let half = &good[..good.len() / 2];
    for (bundle, left_out) in [
        (good.to_owned(), None),
        (format!("# a company's\n{odd}\n{good}\n"), Some("1")),
        (format!("{good}\n{no_base64}\n{odd}"), Some("2, 3")),
        (format!("{half}\n{good}"), Some("1")),
        (format!("{good}\n-----BEGIN CRL-----\n!\n-----END CRL-----\n{half}"), Some("2")),
    ] {
        let (code, stdout, stderr) = list(&server, &bundle).await;
        let warning = left_out.map(|numbers| {
            format!("warning: AWS_CA_BUNDLE has certificates that cannot be used and are left out: number {numbers}\n")
        });
        assert_eq!((code, stderr), (0, warning.unwrap_or_default()), "{stdout}");
    }
    for bundle in ["", "no certificate", odd, half] {
        let (code, _, stderr) = list(&server, bundle).await;
        assert!(code == 6 && stderr.contains("has no certificate that can be used"), "{stderr}");
    }
}

#[tokio::test]
async fn an_s3_without_tls_needs_no_certificates() {
    let s3 = S3::start().await;
    let without = |arguments: &[&str]| -> Command {
        let mut command = s3.jobs(arguments);
        command.env("SSL_CERT_FILE", "/no/such/file").env("SSL_CERT_DIR", "/no/such/directory");
        command
    };
    let (code, _, stderr) = run(without(&["keys", "add", "acme", "--create", "--ring", KEYRING])).await;
    assert_eq!(code, 0, "{stderr}");
}
