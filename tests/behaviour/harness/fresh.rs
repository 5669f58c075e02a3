//! An environment in front of an S3 whose objects have just been written.

use testbed::fault_s3::FaultS3;

use super::Environment;

/// From what the clock of a test says to the `last-modified` of every object of `FaultS3`, in seconds.
const UNTIL_WRITTEN: u64 = 47 * 3600;

impl Environment {
    /// Starts a deployment with these settings in front of an S3 whose objects have just been written.
    pub async fn with_fresh_objects(settings: &[(&'static str, &str)]) -> (FaultS3, Self) {
        let (s3, environment) = Self::with_fault_s3(settings).await;
        environment.clock.forward(UNTIL_WRITTEN);
        (s3, environment)
    }
}
