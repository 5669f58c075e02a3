//! The SDK's own client as oracle: it asks the same server for the same object, with the same
//! credentials and by the same clock. Host, path, query, headers and signature are the same, but for
//! what the SDK adds: [`SIGNED_ADDITIONS`], which are taken away before it signs, and
//! [`UNSIGNED_ADDITIONS`].

mod express;

use std::collections::BTreeMap;

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, ConfigBag, Credentials, IdentityCache, Intercept, Region, RuntimeComponents,
        StalledStreamProtectionConfig, interceptors::BeforeTransmitInterceptorContextMut, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
    primitives::SdkBody,
    types::ChecksumMode,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use job_status::Connector;
use local::samples::UNKNOWN;
use testbed::{
    fault_s3::{Act, FaultS3, no_such_key, object},
    keyring::{DEMO_KEY, document, entry},
};
use tokio::net::TcpStream;

use crate::harness::{Clock, Deployment};

/// What the SDK adds to each request and signs, and what for. S3 needs none of it.
const SIGNED_ADDITIONS: [(&str, &str); 2] = [
    ("?x-id=GetObject", "names the operation in access logs; S3 goes by method, path and query"),
    ("x-amz-user-agent", "tells AWS about SDK, language and operating system"),
];

/// What it adds and does not sign.
const UNSIGNED_ADDITIONS: [(&str, &str); 3] = [
    ("user-agent", "the same as x-amz-user-agent"),
    ("amz-sdk-invocation-id", "tells AWS which attempts belong together"),
    ("amz-sdk-request", "tells AWS which attempt it is"),
];

/// Has the SDK sign what it would ask without its additions.
#[derive(Debug)]
struct WithoutAdditions;

impl Intercept for WithoutAdditions {
    fn name(&self) -> &'static str {
        "WithoutAdditions"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let [(operation, _), (user_agent, _)] = SIGNED_ADDITIONS;
        let request = context.request_mut();
        if !request.uri().ends_with("?session") {
            request.set_uri(request.uri().strip_suffix(operation).expect("it is still added").to_owned())?;
        }
        request.headers_mut().remove(user_agent).expect("it is still added");
        Ok(())
    }
}

/// Leads each connection to `server`, whatever host and scheme it is for.
fn leading_to(server: &FaultS3) -> Connector {
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    Connector::new(tower::service_fn(move |_: Uri| {
        let address = address.clone();
        async move { Ok(MaybeHttpsStream::Http(TokioIo::new(TcpStream::connect(address).await?))) }
    }))
}

/// Sends the SDK's requests.
#[derive(Clone, Debug)]
struct Sender(legacy::Client<Connector, Empty<Bytes>>);

impl Sender {
    fn to(server: &FaultS3) -> SharedHttpClient {
        let sender = Self(legacy::Client::builder(TokioExecutor::new()).build(leading_to(server)));
        http_client_fn(move |_, _| SharedHttpConnector::new(sender.clone()))
    }
}

impl HttpConnector for Sender {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().unwrap().map(|_empty| Empty::new());
            let answer = client.request(request).await.map_err(|error| ConnectorError::other(error.into(), None))?;
            let (head, body) = answer.into_parts();
            let body = SdkBody::from(body.collect().await.unwrap().to_bytes());
            Ok(HttpResponse::try_from(http::Response::from_parts(head, body)).unwrap())
        })
    }
}

/// A request as the server reads it: its first line, and its headers by name.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
}

impl Asked {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Self { line, headers: headers.collect() }
    }

    fn without_additions(mut self) -> Self {
        for (name, _) in UNSIGNED_ADDITIONS {
            self.headers.remove(name).expect("it is still added");
        }
        self
    }
}

/// Where status files and keyring are.
#[derive(Clone, Copy)]
struct Location {
    region: &'static str,
    bucket: &'static str,
    prefix: &'static str,
    /// The keyring's key, in the bucket `config`.
    keyring: &'static str,
    endpoint: Option<&'static str>,
}

const ORDINARY: Location =
    Location { region: "eu-central-1", bucket: "jobs", prefix: "jobs/", keyring: "keyring.json", endpoint: None };

/// Those of a role have one, those of a user have none. Every location is asked with each.
const SESSION_TOKENS: [&str; 2] = ["token+with/signs=", ""];

impl Location {
    /// A deployment whose status files are there, sending to `server`.
    fn deployment(self, server: &FaultS3, session_token: &str) -> Deployment {
        Deployment::with_s3(self.endpoint.unwrap_or_default())
            .set("AWS_REGION", self.region)
            .set("AWS_SESSION_TOKEN", session_token)
            .set("JOBS_BUCKET", self.bucket)
            .set("JOBS_PREFIX", self.prefix)
            .over(leading_to(server))
    }

    /// The SDK's own client, sending to `server`.
    fn sdk(self, server: &FaultS3, credentials: Credentials, clock: &Clock) -> Client {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region))
            .force_path_style(self.endpoint.is_some())
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::no_cache())
            .time_source(clock.clone())
            .http_client(Sender::to(server))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        // The one difference: to a base path without a slash the SDK's rules glue the bucket's name.
        config.set_endpoint_url(self.endpoint.map(|url| format!("{}/", url.trim_end_matches('/'))));
        Client::from_conf(config.build())
    }
}

fn take_requests(server: &FaultS3) -> Vec<Asked> {
    server.take_requests().iter().map(|head| Asked::parse(head)).collect()
}

/// Asserts that both ask alike, for the keyring that they know and for a status file.
async fn assert_alike(location: Location) {
    for session_token in SESSION_TOKENS {
        assert_alike_with(session_token, location).await;
    }
}

async fn assert_alike_with(session_token: &str, location: Location) {
    let server = FaultS3::start().await;
    let keyring = object(document(&[entry("demo", DEMO_KEY)]));
    server.always_by(move |head| {
        Act::Answer(if head.lines().next().unwrap().contains("keyring") { keyring.clone() } else { no_such_key() })
    });
    let deployment =
        location.deployment(&server, session_token).set("API_KEYS", format!("s3://config/{}", location.keyring));
    let sdk = location.sdk(&server, deployment.credentials(), &deployment.clock);
    let environment = deployment.start().await;
    server.take_requests();
    environment.clock.forward(60);
    assert_eq!(environment.poll(UNKNOWN).await.status, 404);
    let [ours_for_keyring, ours_for_status] = take_requests(&server).try_into().unwrap();
    for (ours, bucket, key, etag) in [
        (ours_for_keyring, "config", location.keyring.to_owned(), Some("\"1\"")),
        (ours_for_status, location.bucket, format!("{}{UNKNOWN}.json", location.prefix), None),
    ] {
        let get = sdk.get_object().bucket(bucket).key(&key).checksum_mode(ChecksumMode::Enabled);
        let get = get.set_if_none_match(etag.map(Into::into));
        let _answer = get.customize().interceptor(WithoutAdditions).send().await;
        let [by_sdk] = take_requests(&server).try_into().unwrap();
        assert_eq!(ours, by_sdk.without_additions(), "{key}");
    }
}

#[tokio::test]
async fn every_kind_of_bucket_is_asked_as_the_sdk_asks_it() {
    for region in ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"] {
        for bucket in ["jobs", "jobs.example.com"] {
            assert_alike(Location { region, bucket, ..ORDINARY }).await;
        }
    }
    let access_points = [
        ("eu-west-1", "arn:aws:s3:eu-west-1:123456789012:accesspoint/jobs"),
        ("cn-north-1", "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/jobs"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint:jobs"),
        ("eu-west-1", "jobs-abcdefghij0123456789abcdefghij01-s3alias"),
    ];
    for (region, bucket) in access_points {
        assert_alike(Location { region, bucket, ..ORDINARY }).await;
    }
}

#[tokio::test]
async fn every_key_is_asked_for_as_the_sdk_asks_for_it() {
    for bucket in ["jobs", "jobs.example.com"] {
        for prefix in ["", "a b/", "a+b/", "100%/", "%2F/", "a&b=c?d#e/", "~-_.!*'()/", "Büro/作業/", "../x/", "./"]
        {
            assert_alike(Location { bucket, prefix, ..ORDINARY }).await;
        }
    }
    for keyring in
        ["a//keyring.json", "/keyring.json", "keyring.json/", "a/../keyring.json", "Schlüssel+keyring 1%.json"]
    {
        assert_alike(Location { keyring, ..ORDINARY }).await;
    }
}

#[tokio::test]
async fn another_s3_is_asked_as_the_sdk_asks_it() {
    for endpoint in [
        "http://minio.example:9001",
        "http://127.0.0.1:9001/base/path",
        "https://minio.example/",
        "http://127.0.0.1:9001/base/path/",
    ] {
        for bucket in ["jobs", "jobs.example.com"] {
            let location = Location { endpoint: Some(endpoint), bucket, ..ORDINARY };
            assert_alike(location).await;
            assert_alike(Location { prefix: "a b/100%/", keyring: "a//keyring.json", ..location }).await;
        }
    }
}
