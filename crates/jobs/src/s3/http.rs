//! How the SDK's requests are sent: by the client that `jobs wait` has. So the same proxies count
//! (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, SOCKS among them).

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use reqwest::{Body, Client, ClientBuilder, Request, Response, redirect::Policy};
use rustls::{ClientConfig, crypto::ring};

use super::trust;
use crate::failure::Failure;

/// TCP connect and TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Where EC2 and ECS have credentials: the machine itself, which no proxy reaches.
const MACHINE: [&str; 2] = ["169.254.", "[fd00:ec2:"];

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    direct: Client,
}

impl Http {
    /// It trusts whom the file that `AWS_CA_BUNDLE` names has, or else whom the system trusts.
    pub fn new() -> Result<Self, Failure> {
        // The one that is compiled in; a process has one of them.
        let _ = ring::default_provider().install_default();
        let tls =
            trust::roots()?.map(|roots| ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        let build = |client: fn() -> ClientBuilder| {
            // Contents are passed on as they are, and S3's redirects name another region.
            let client = || client().no_gzip().redirect(Policy::none()).connect_timeout(CONNECT);
            match tls.clone() {
                Some(tls) => client().tls_backend_preconfigured(tls).build(),
                // A machine without certificates can reach an S3 without TLS.
                None => client().build().or_else(|_| client().tls_certs_only([]).build()),
            }
            .map_err(|error| Failure::unreachable("setting up HTTPS", &error).advise("see the system's proxies"))
        };
        Ok(Self { client: build(Client::builder)?, direct: build(|| Client::builder().no_proxy())? })
    }
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { client, direct } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let is_machine =
                request.uri().host().is_some_and(|host| MACHINE.iter().any(|start| host.starts_with(start)));
            let request = Request::try_from(request.map(Body::wrap)).map_err(failed)?;
            let client = if is_machine { direct } else { client };
            answer(client.execute(request).await.map_err(failed)?)
        })
    }
}

fn answer(response: Response) -> Result<HttpResponse, ConnectorError> {
    let response = http::Response::<Body>::from(response).map(SdkBody::from_body_1_x);
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

fn failed(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
