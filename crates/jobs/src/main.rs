//! `jobs`: the companion command of the job-status endpoint.
//!
//! [`command`] is the table of contents: the verbs and how they are told apart. Each verb has a
//! file of its own, with its arguments, what it does and its exit codes. Results go to stdout,
//! everything else to stderr. A command that fails ends with a [`failure::Failure`], which says
//! what to do.

#![allow(clippy::doc_markdown, rustdoc::bare_urls)] // the comments of arguments are what --help prints

mod check;
mod command;
mod endpoint;
mod failure;
mod input;
mod json;
mod keys;
mod list;
mod output;
mod platform;
mod publish;
mod run;
mod s3;
mod set;
mod status_document;
mod wait;

use std::{panic::catch_unwind, process::ExitCode};

use clap::Parser;
use command::{Jobs, Verb};
use failure::Failure;

/// A panic is a bug, and ends with the exit code of a failure as well.
fn main() -> ExitCode {
    catch_unwind(run).unwrap_or_else(|_| Failure::bug().report())
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> ExitCode {
    let outcome = match Jobs::parse().verb {
        Verb::Keys(keys) => keys::run(keys).await,
        Verb::Publish(publish) => publish::run(publish).await,
        Verb::Run(run) => return run::run(run).await.unwrap_or_else(Failure::report),
        Verb::Set(set) => set::run(set).await,
        Verb::List(list) => list::run(list).await,
        Verb::Check(check) => check::run(check).await,
        Verb::Wait(wait) => wait::run(wait).await,
        Verb::Status(once) => wait::once(once).await,
        Verb::Completions { shell } => command::completions(shell),
        Verb::Man { dir } => command::man(dir.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
