//! `cargo local`: the job-status endpoint on localhost.

use std::{
    error::Error,
    io::{self, IsTerminal},
    pin::pin,
    process::ExitCode,
};

use clap::Parser;
use local::{Console, Options, Server, platform::told_to_stop};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let options = Options::parse();
    let console = Console::install(options.json || !io::stdout().is_terminal());
    match run(options, &console) {
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

fn run(options: Options, console: &Console) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(serve(options, console));
    runtime.shutdown_background(); // dropped, it would wait for a file that hangs
    ended
}

async fn serve(options: Options, console: &Console) -> Result<(), Box<dyn Error>> {
    let mut stop = pin!(told_to_stop()?);
    let server = tokio::select! {
        started = Server::start(options) => started?,
        () = &mut stop => return Ok(()),
    };
    println!("{server}");
    console.open();
    Ok(server.run(stop).await?)
}
