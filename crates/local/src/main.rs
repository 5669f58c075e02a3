//! `cargo local`: the job-status endpoint on localhost.

use std::{
    error::Error,
    future::Future,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;
use local::{Console, Options, Server};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let console = Console::install(options.json || !io::stdout().is_terminal());
    match run(options, &console).await {
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

async fn run(options: Options, console: &Console) -> Result<(), Box<dyn Error>> {
    let stop = told_to_stop()?;
    let server = Server::start(options).await?;
    println!("{server}");
    console.open();
    Ok(server.run(stop).await?)
}

/// Waits for Ctrl-C or SIGTERM. From this call on neither ends the process, which has a temporary
/// directory to remove.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
