//! Start-up, as a table of contents: settings → logging → S3 → keyring → serve.

use std::process::ExitCode;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, Settings, front_door, log, s3::S3};
use lambda_http::Error;
use tracing::level_filters::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!(
            "job-status is an AWS Lambda function that answers job-status polls; to run it on this machine, use `cargo local` in its repository"
        );
        return ExitCode::from(2);
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::init(LevelFilter::INFO);
            tracing::error!(event = "stopped", error = job_status::error::chain(&*error), "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    log::init(settings.log);
    // Lambda hands credentials over in the environment and nowhere else; the default chain would
    // look there first, at the price of being built at every cold start.
    let s3 = S3::new(&settings, EnvironmentVariableCredentialsProvider::new())?;
    let endpoint = Endpoint::start(settings, s3, SharedTimeSource::default()).await?;
    front_door::serve(endpoint).await
}
