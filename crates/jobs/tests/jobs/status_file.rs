//! The status file that a command leaves, and what is wrong with it.

use std::{sync::LazyLock, time::Duration};

use jsonschema::Validator;
use serde_json::Value;
use tokio::time::interval;

use crate::harness::S3;

pub const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../../schemas/status.schema.json")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

/// The job's status file, if there is one. It is as the schema says, but for states of a worker's own.
pub async fn status(s3: &S3) -> Option<Value> {
    let object = s3.client().get_object().bucket("jobs").key(format!("{JOB}.json")).send().await.ok()?;
    assert_eq!(object.content_type(), Some("application/json"));
    let status: Value = serde_json::from_slice(&object.body.collect().await.unwrap().to_vec()).unwrap();
    let faults: Vec<_> = SCHEMA.iter_errors(&status).map(|fault| fault.to_string()).collect();
    assert!(faults.iter().all(|fault| fault.contains(" is not one of ")), "{status}: {faults:?}");
    Some(status)
}

/// Waits until the job's status file is as wanted.
pub async fn until(s3: &S3, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut often = interval(Duration::from_millis(50));
    loop {
        often.tick().await;
        if let Some(status) = status(s3).await.filter(&wanted) {
            return status;
        }
    }
}

/// Puts a status file of the job there.
pub async fn put(s3: &S3, file: &str) {
    let put = s3.client().put_object().bucket("jobs").key(format!("{JOB}.json")).content_type("application/json");
    put.body(file.as_bytes().to_vec().into()).send().await.unwrap();
}
