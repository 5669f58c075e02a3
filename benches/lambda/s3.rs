//! The S3 that programs read from, and the variables that lead them there.

use std::io::Write;

use tempfile::NamedTempFile;
use testbed::{
    fault_s3::{Act, FaultS3, object, tls},
    variables::{self, Variables},
};

/// An S3; unless said otherwise, with the same status file for every job.
pub struct S3 {
    pub server: FaultS3,
    /// Who vouches for its certificate, if it has one.
    bundle: Option<NamedTempFile>,
}

impl S3 {
    pub async fn over_http(content: &[u8]) -> Self {
        let server = FaultS3::start().await;
        server.always(Act::Answer(object(content)));
        Self::of(server)
    }

    /// A server without TLS that says for itself what it answers.
    pub fn of(server: FaultS3) -> Self {
        Self { server, bundle: None }
    }

    pub async fn over_tls(content: &[u8]) -> Self {
        let (acceptor, pem) = tls();
        let server = FaultS3::start_tls(acceptor).await;
        server.always(Act::Answer(object(content)));
        let mut bundle = NamedTempFile::new().unwrap();
        bundle.write_all(pem.as_bytes()).unwrap();
        Self { server, bundle: Some(bundle) }
    }

    /// What a program is started with. On Lambda it has a session token, which is signed and sent.
    pub fn variables(&self) -> Variables {
        let mut variables = variables::with_s3(self.server.url());
        variables.insert("AWS_DEFAULT_REGION", variables["AWS_REGION"].clone()); // boto3 reads this one
        variables.insert("AWS_SESSION_TOKEN", "token".repeat(100));
        if let Some(bundle) = &self.bundle {
            variables.insert("AWS_CA_BUNDLE", bundle.path().to_str().unwrap().into());
        }
        variables
    }
}
