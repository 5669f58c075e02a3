//! `cargo local`: the job-status endpoint on localhost.

use std::process::ExitCode;

use clap::Parser;
use local::{Options, Server};
use tracing::level_filters::LevelFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    job_status::log::init(LevelFilter::INFO);
    let server = match Server::start(options).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("cargo local: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("\n{server}");
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    match server.run(stop).await {
        Ok(()) => {
            println!("\nstopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cargo local: {error}");
            ExitCode::FAILURE
        }
    }
}
