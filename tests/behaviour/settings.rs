//! The settings, which are read from the environment variables.

use std::collections::HashMap;

use job_status::{Addressing, Bucket, Settings};
use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::harness::Deployment;

fn read_settings(change: &[(&'static str, &str)]) -> Result<Settings, String> {
    let mut variables =
        HashMap::from([("JOBS_BUCKET", "jobs"), ("API_KEYS", r#"{"keys":[]}"#), ("AWS_REGION", "eu-central-1")]);
    variables.extend(change.iter().copied());
    Settings::from_variables(|name| variables.get(name).map(ToString::to_string)).map_err(|faults| faults.to_string())
}

fn elsewhere(endpoint: Option<&str>) -> Addressing {
    Addressing { endpoint: endpoint.map(Into::into), ..Addressing::default() }
}

fn fault(name: &'static str, value: &str) -> String {
    let Err(faults) = read_settings(&[(name, value)]) else { panic!("{name}={value} is accepted") };
    faults.strip_prefix("cannot start: ").unwrap().to_owned()
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let settings =
        read_settings(&[("JOBS_PREFIX", ""), ("AWS_ENDPOINT_URL_S3", ""), ("AWS_CA_BUNDLE", ""), ("RUST_LOG", "")])
            .unwrap();
    assert_eq!(settings.jobs_prefix, "");
    assert_eq!(settings.jobs_bucket, Bucket::resolve("jobs", "eu-central-1", &Addressing::default()).unwrap());
    assert_eq!(settings.trust_store.name, "amazon");
    assert_eq!(settings.log, LevelFilter::INFO);
    assert_eq!(fault("JOBS_BUCKET", ""), "JOBS_BUCKET is not set: expected the bucket of the status files");
}

#[test]
fn a_variable_with_two_names_is_read_by_either() {
    let bucket = |variables: &[_]| read_settings(variables).unwrap().jobs_bucket;
    let expected = |region, endpoint| Bucket::resolve("jobs", region, &elsewhere(endpoint)).unwrap();
    assert_eq!(bucket(&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-east-2")]), expected("us-east-2", None));
    assert_eq!(bucket(&[("AWS_ENDPOINT_URL", "http://a:1")]), expected("eu-central-1", Some("http://a:1")));
    assert_eq!(
        bucket(&[("AWS_ENDPOINT_URL", "http://a:1"), ("AWS_ENDPOINT_URL_S3", "https://b")]),
        expected("eu-central-1", Some("https://b"))
    );
    assert_eq!(
        fault("AWS_REGION", ""),
        "AWS_REGION or AWS_DEFAULT_REGION is not set: expected a region such as eu-central-1"
    );
}

#[test]
fn the_log_level_comes_from_lambda_or_from_rust_log() {
    for (variables, level) in [
        (vec![("AWS_LAMBDA_LOG_LEVEL", "DEBUG")], LevelFilter::DEBUG),
        (vec![("AWS_LAMBDA_LOG_LEVEL", "FATAL")], LevelFilter::ERROR),
        (vec![("RUST_LOG", "warn")], LevelFilter::WARN),
        (vec![("RUST_LOG", "off")], LevelFilter::OFF),
        (vec![("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")], LevelFilter::ERROR),
    ] {
        assert_eq!(read_settings(&variables).unwrap().log, level, "{variables:?}");
    }
    assert_eq!(
        fault("AWS_LAMBDA_LOG_LEVEL", "INOF"),
        "AWS_LAMBDA_LOG_LEVEL is not a log level: expected TRACE, DEBUG, INFO, WARN, ERROR or OFF"
    );
}

#[test]
fn malformed_settings_are_named_without_their_value() {
    for (name, value, expected) in [
        ("JOBS_BUCKET", "my bucket", "JOBS_BUCKET is not a bucket's name"),
        ("JOBS_PREFIX", "/jobs", "JOBS_PREFIX is not a key prefix such as jobs/ (no slash in front, no double slash)"),
        ("JOBS_PREFIX", "a//b/", "JOBS_PREFIX is not a key prefix such as jobs/ (no slash in front, no double slash)"),
        (
            "STALLED_AFTER_SECONDS",
            "-1",
            "STALLED_AFTER_SECONDS is not a number of seconds: expected whole seconds, or 0",
        ),
        (
            "STALLED_AFTER_SECONDS",
            "5 min",
            "STALLED_AFTER_SECONDS is not a number of seconds: expected whole seconds, or 0",
        ),
        ("UNFINISHED_STATES", "pending,done", "UNFINISHED_STATES has done or failed, which are final"),
        ("UNFINISHED_STATES", "failed", "UNFINISHED_STATES has done or failed, which are final"),
        ("UNFINISHED_STATES", "pending,,waiting", "UNFINISHED_STATES has an empty word"),
        ("UNFINISHED_STATES", " ", "UNFINISHED_STATES has an empty word"),
        ("UNFINISHED_STATES", &"x".repeat(1025), "UNFINISHED_STATES has more than 1024 bytes"),
        ("API_KEYS", "s3://bucket", "API_KEYS is not of the form s3://bucket/key"),
        ("API_KEYS", "s3://bucket/", "API_KEYS is not of the form s3://bucket/key"),
        ("API_KEYS", "demo-key", "API_KEYS is not a valid keyring: it is not valid JSON (line 1, column 1)"),
        ("AWS_REGION", "Frankfurt", "AWS_REGION is not a region such as eu-central-1"),
        ("AWS_ENDPOINT_URL_S3", "localhost:9001", "AWS_ENDPOINT_URL_S3 is not a URL such as http://localhost:9001"),
        ("AWS_ENDPOINT_URL_S3", "ftp://x", "AWS_ENDPOINT_URL_S3 is not a URL such as http://localhost:9001"),
        (
            "AWS_ENDPOINT_URL_S3",
            "https://user:password@minio.example.com",
            "AWS_ENDPOINT_URL_S3 has a user name or a password: credentials have variables of their own",
        ),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "snap-start",
            "AWS_LAMBDA_INITIALIZATION_TYPE is snap-start: SnapStart is not supported, switch it off",
        ),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "0",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is not a number of MB: expected 1 or more",
        ),
        (
            "JOBS_BUCKET",
            "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
            "JOBS_BUCKET is not a bucket or access point that can be read (no multi-region access point)",
        ),
        (
            "AWS_LAMBDA_MAX_CONCURRENCY",
            "0",
            "AWS_LAMBDA_MAX_CONCURRENCY is not a number of invocations: expected 1 or more",
        ),
        ("AWS_CA_BUNDLE", "/no/such/file", "AWS_CA_BUNDLE cannot be read: entity not found"),
        ("AWS_CA_BUNDLE", "/dev/null", "AWS_CA_BUNDLE has no usable certificate: expected the path of a PEM file"),
    ] {
        assert_eq!(fault(name, value), expected);
    }
}

#[tokio::test]
async fn an_unusable_certificate_of_a_ca_bundle_is_left_out_and_named() {
    const UNUSABLE: &str = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
    let bundle = tempfile::NamedTempFile::new().unwrap();
    let path = bundle.path().to_str().unwrap();
    let good = include_str!("../../src/s3/amazon-roots.pem");
    std::fs::write(&bundle, format!("{UNUSABLE}{good}{UNUSABLE}")).unwrap();
    let environment = Deployment::with_samples().await.set("AWS_CA_BUNDLE", path).start().await;
    let lines = environment.logs.with("event", "certificates_left_out");
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["level"], &lines[0]["numbers"]), (&json!("WARN"), &json!("1, 7")));

    std::fs::write(&bundle, UNUSABLE).unwrap();
    assert_eq!(
        fault("AWS_CA_BUNDLE", path),
        "AWS_CA_BUNDLE has no usable certificate: expected the path of a PEM file"
    );
}

#[tokio::test]
async fn a_prefix_without_a_slash_at_its_end_is_a_warning() {
    for (prefix, named) in [("jobs", vec!["jobs"]), ("jobs/", vec![]), ("", vec![])] {
        let environment = Deployment::with_samples().await.set("JOBS_PREFIX", prefix).start().await;
        let lines = environment.logs.with("event", "prefix_without_slash");
        assert_eq!(lines.iter().map(|line| &line["prefix"]).collect::<Vec<_>>(), named, "{prefix}");
    }
}

#[test]
fn the_switches_that_sdks_know_decide_how_s3_is_addressed() {
    let url = |variables: &[_]| read_settings(variables).unwrap().jobs_bucket.url().to_owned();
    assert_eq!(url(&[("AWS_USE_FIPS_ENDPOINT", "true")]), "https://jobs.s3-fips.eu-central-1.amazonaws.com");
    assert_eq!(url(&[("AWS_USE_DUALSTACK_ENDPOINT", "True")]), "https://jobs.s3.dualstack.eu-central-1.amazonaws.com");
    assert_eq!(url(&[("AWS_USE_FIPS_ENDPOINT", "false")]), "https://jobs.s3.eu-central-1.amazonaws.com");
    assert_eq!(fault("AWS_USE_FIPS_ENDPOINT", "yes"), "AWS_USE_FIPS_ENDPOINT is neither true nor false");
    assert_eq!(
        fault("AWS_RESPONSE_CHECKSUM_VALIDATION", "never"),
        "AWS_RESPONSE_CHECKSUM_VALIDATION is neither when_required nor when_supported"
    );
}

#[test]
fn a_buckets_address_depends_on_partition_region_and_kind() {
    let arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/jobs";
    for (name, region, endpoint, expected) in [
        ("jobs", "eu-central-1", None, "https://jobs.s3.eu-central-1.amazonaws.com"),
        ("jobs", "us-east-1", None, "https://jobs.s3.us-east-1.amazonaws.com"),
        ("jobs", "cn-north-1", None, "https://jobs.s3.cn-north-1.amazonaws.com.cn"),
        ("jobs.example.com", "eu-central-1", None, "https://s3.eu-central-1.amazonaws.com/jobs.example.com"),
        (arn, "eu-west-1", None, "https://jobs-123456789012.s3-accesspoint.eu-west-1.amazonaws.com"),
        ("jobs", "eu-central-1", Some("http://localhost:9001/"), "http://localhost:9001/jobs"),
    ] {
        assert_eq!(Bucket::resolve(name, region, &elsewhere(endpoint)).unwrap().url(), expected);
    }
}

#[test]
fn an_endpoint_may_have_a_base_path_with_or_without_a_slash_at_its_end() {
    for (endpoint, expected) in [
        ("http://localhost:9001", "http://localhost:9001/jobs"),
        ("http://localhost:9001/", "http://localhost:9001/jobs"),
        ("https://proxy.example.com/s3", "https://proxy.example.com/s3/jobs"),
        ("https://proxy.example.com/s3/", "https://proxy.example.com/s3/jobs"),
    ] {
        let settings = read_settings(&[("AWS_ENDPOINT_URL_S3", endpoint)]).unwrap();
        assert_eq!(settings.jobs_bucket.url(), expected, "{endpoint}");
    }
}

#[test]
fn every_other_way_to_make_an_environment_is_fine() {
    for way in ["on-demand", "provisioned-concurrency", "lambda-managed-instances"] {
        assert!(read_settings(&[("AWS_LAMBDA_INITIALIZATION_TYPE", way)]).is_ok(), "{way}");
    }
}
