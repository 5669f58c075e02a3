//! The same for directory buckets: `CreateSession` and `GetObject`, at the same double.

use aws_sdk_s3::{
    Client,
    config::Credentials,
    types::{ChecksumMode, SessionMode},
};
use local::samples::UNKNOWN;
use testbed::{
    express::{DIRECTORY_BUCKET, Express, session},
    fault_s3::object,
};

use super::{Location, ORDINARY, SESSION_TOKENS, WithoutAdditions, take_requests};
use crate::harness::STATUS;

const DIRECTORY: Location = Location { region: "us-east-1", bucket: DIRECTORY_BUCKET, ..ORDINARY };

/// Asserts that both make a session alike, and ask alike for an object in it.
async fn assert_alike(location: Location) {
    for session_token in SESSION_TOKENS {
        assert_alike_with(session_token, location).await;
    }
}

async fn assert_alike_with(session_token: &str, location: Location) {
    let express = Express::start().await;
    express.hold(|_| object(STATUS));
    let deployment = location.deployment(&express.server, session_token);
    let sdk = location.sdk(&express.server, deployment.credentials(), &deployment.clock);
    let environment = deployment.start().await;
    assert_eq!(environment.poll(UNKNOWN).await.status_file(), STATUS);
    let [our_session, _probe, our_get] = take_requests(&express.server).try_into().unwrap();

    let create_session = sdk.create_session().bucket(location.bucket).session_mode(SessionMode::ReadOnly);
    create_session.customize().interceptor(WithoutAdditions).send().await.unwrap();
    let [by_sdk] = take_requests(&express.server).try_into().unwrap();
    assert_eq!(our_session, by_sdk.without_additions(), "{}", location.bucket);

    // Our session is the first one. The SDK would make one of its own, and sign with that.
    let [key, secret, token] = session(1);
    let ours = Credentials::new(key, secret, Some(token), None, "test");
    let in_our_session = sdk.config().to_builder().express_credentials_provider(ours).build();
    let key = format!("{}{UNKNOWN}.json", location.prefix);
    let get = |sdk: Client| sdk.get_object().bucket(location.bucket).key(&key).checksum_mode(ChecksumMode::Enabled);
    let got = get(Client::from_conf(in_our_session)).customize().interceptor(WithoutAdditions).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), STATUS.as_bytes());
    let [by_sdk] = take_requests(&express.server).try_into().unwrap();
    assert_eq!(our_get, by_sdk.without_additions(), "{key}");

    // Left alone, it finds its way too: the double is one that it takes for S3 Express.
    let got = get(sdk).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), STATUS.as_bytes());
    assert_eq!(take_requests(&express.server).len(), 2);
}

#[tokio::test]
async fn every_directory_bucket_is_asked_as_the_sdk_asks_it() {
    for (region, bucket) in [
        ("us-east-1", DIRECTORY_BUCKET),
        ("eu-north-1", "jobs--eun1-az1--x-s3"),
        ("cn-north-1", "jobs--cnn1-az1--x-s3"),
        ("us-gov-west-1", "jobs--usgw1-az1--x-s3"),
        ("us-east-1", "jobs--use1-az4--xa-s3"),
    ] {
        assert_alike(Location { region, bucket, ..DIRECTORY }).await;
    }
    for prefix in ["", "a b/", "a+b/", "100%/", "Büro/作業/"] {
        assert_alike(Location { prefix, ..DIRECTORY }).await;
    }
}

#[tokio::test]
async fn a_directory_bucket_elsewhere_is_asked_as_the_sdk_asks_it() {
    for endpoint in ["http://127.0.0.1:9001", "http://s3.example/", "https://s3.example/base/path/"] {
        assert_alike(Location { endpoint: Some(endpoint), ..DIRECTORY }).await;
    }
}
