//! An environment in front of an S3 that does what the test says.

use testbed::fault_s3::FaultS3;

use super::{Deployment, Environment, fast_timers};

/// A status file for tests in which its content does not matter.
pub const STATUS: &str = r#"{"job_status":"done"}"#;

impl Environment {
    /// Starts a deployment with these settings in front of an S3 that has no object until the test says what it
    /// does. What it was asked at start-up is forgotten.
    pub async fn with_fault_s3(settings: &[(&'static str, &str)]) -> (FaultS3, Self) {
        let s3 = FaultS3::start().await;
        let deployment = Deployment::with_s3(s3.url());
        let environment = settings.iter().fold(deployment, |all, (name, value)| all.set(name, *value)).start().await;
        s3.take_requests();
        (s3, environment)
    }

    /// The same with [`fast_timers`], for a test that pauses the clock of its timers.
    pub async fn with_fault_s3_and_fast_timers(settings: &[(&'static str, &str)]) -> (FaultS3, Self) {
        fast_timers();
        Self::with_fault_s3(settings).await
    }
}
