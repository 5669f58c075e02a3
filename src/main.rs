//! Start-up, as a table of contents: settings → logging → S3 → keyring → serve.

use std::{error::Error, io, num::NonZero, process::ExitCode, sync::Arc};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, S3, Settings, chain, log, serve};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

fn main() -> ExitCode {
    let Ok(runtime_api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else {
        eprintln!(
            "job-status is an AWS Lambda function that answers job-status polls; to run it on this machine, use `cargo local` in its repository"
        );
        return ExitCode::from(2);
    };
    match run(&runtime_api) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::init(LevelFilter::INFO);
            tracing::error!(event = "stopped", error = chain(&*error), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn run(runtime_api: &str) -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    log::init(settings.log);
    // Lambda hands credentials over in the environment and nowhere else, on Managed Instances too.
    // The default chain would look there first, but it would be built at every cold start.
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let clock = SharedTimeSource::default();
    let roots = Arc::clone(&settings.trust_store.roots);
    let s3 = S3::new(roots, settings.concurrency.get(), credentials, clock.clone())?;
    let concurrency = settings.concurrency;
    runtime(concurrency)?.block_on(async {
        let endpoint = Endpoint::start(settings, s3, clock).await?;
        Ok(serve(endpoint, runtime_api, concurrency).await?)
    })
}

/// One thread where Lambda sends one invocation at a time, one for each core where it sends more. An
/// invocation that comes alone takes 15 to 30 % more CPU on the latter.
fn runtime(concurrency: NonZero<usize>) -> io::Result<Runtime> {
    let mut builder = if concurrency.get() > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    builder.enable_all().build()
}
