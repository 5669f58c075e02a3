//! The environment variables that a function is deployed with.

use std::collections::HashMap;

use crate::keyring::{DEMO_KEY, document, entry};

/// Variables by their names.
pub type Variables = HashMap<&'static str, String>;

/// What Lambda and the template set: status files in the bucket `jobs`, [`DEMO_KEY`] in the keyring,
/// S3 at `s3_url`, credentials that are made up.
pub fn with_s3(s3_url: &str) -> Variables {
    HashMap::from([
        ("JOBS_BUCKET", "jobs".into()),
        ("API_KEYS", document(&[entry("demo", DEMO_KEY)])),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "example-secret".into()),
        ("AWS_ENDPOINT_URL_S3", s3_url.into()),
    ])
}
