//! S3 as people know it: the SDK's client, with the default chain of credentials and regions.

use aws_config::BehaviorVersion;
use aws_sdk_s3::{Client, config::Builder};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A client for what the environment, the profile and the machine say. An S3 of one's own
/// (`AWS_ENDPOINT_URL_S3`) is addressed path-style, as the function does it.
pub async fn client() -> Client {
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let found = aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await;
    let own = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| std::env::var_os(name).is_some());
    Client::from_conf(Builder::from(&found).force_path_style(own).build())
}
