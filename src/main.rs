//! Start-up, as a table of contents: settings → logging → S3 → keyring → serve.

use std::{io, num::NonZero, process::ExitCode};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, Settings, front_door, log, s3::S3};
use lambda_http::Error;
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

fn main() -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!(
            "job-status is an AWS Lambda function that answers job-status polls; to run it on this machine, use `cargo local` in its repository"
        );
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::init(LevelFilter::INFO);
            tracing::error!(event = "stopped", error = job_status::error::chain(&*error), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    log::init(settings.log);
    // Lambda hands credentials over in the environment and nowhere else, on Managed Instances too;
    // the default chain would look there first, at the price of being built at every cold start.
    let s3 = S3::new(&settings, EnvironmentVariableCredentialsProvider::new())?;
    runtime(settings.concurrency)?.block_on(async {
        let endpoint = Endpoint::start(settings, s3, SharedTimeSource::default()).await?;
        front_door::serve(endpoint).await
    })
}

/// One thread where Lambda sends one invocation at a time, one for each core where it sends more: an
/// invocation alone on those takes 15 to 30 % more CPU.
fn runtime(concurrency: NonZero<usize>) -> io::Result<Runtime> {
    let mut builder = if concurrency.get() > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    builder.enable_all().build()
}
