//! Start-up, as a table of contents: settings → logging → endpoint → serve.

use std::process::ExitCode;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, Settings, chain, log, serve};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower::BoxError;
use tracing::level_filters::LevelFilter;

fn main() -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!(
            "job-status is an AWS Lambda function that answers job-status polls; to run it on this machine, use `cargo local` in its repository"
        );
        return ExitCode::from(2);
    }
    let (failed, failures) = channel(1);
    match run(failed.clone(), failures) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::init(LevelFilter::INFO, failed);
            tracing::error!(event = "stopped", error = chain(&*error), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn run(failed: Sender<String>, failures: Receiver<String>) -> Result<(), BoxError> {
    let settings = Settings::from_env()?;
    log::init(settings.log, failed.clone());
    // Lambda hands credentials over in the environment and nowhere else. The default chain would look there first,
    // but it would be built at every cold start.
    let credentials = EnvironmentVariableCredentialsProvider::new();
    // One thread if Lambda sends one invocation at a time, else one for each core. There an invocation that comes alone
    // takes 15 to 30 % more CPU.
    let many = settings.concurrency.get() > 1;
    let mut runtime = if many { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = runtime.enable_all().build()?;
    let ended = runtime.block_on(async {
        let endpoint = Endpoint::start(settings, credentials, SharedTimeSource::default()).await?;
        serve(endpoint, failed, failures).await
    });
    runtime.shutdown_background(); // without waiting for large files
    ended
}
