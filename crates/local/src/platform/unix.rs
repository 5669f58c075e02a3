//! Linux and macOS.

use std::{future::Future, io, os::unix::fs::symlink, path::Path};

use tokio::signal::unix::{SignalKind, signal};

/// What curl is called.
pub const CURL: &str = "curl";

/// Waits for Ctrl-C or SIGTERM. From this call on neither ends the process, which has a temporary
/// directory to remove.
///
/// # Errors
/// The system's own.
pub fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Lets `directory` appear at `path`, too.
///
/// # Errors
/// The system's own.
pub fn link(directory: &Path, path: &Path) -> io::Result<()> {
    symlink(directory, path)
}

/// A command that asks for a job, with more of curl's arguments.
#[must_use]
pub fn ask(url: &str, job_id: &str, arguments: &str) -> String {
    format!("{CURL} -i {url} {arguments} -d '{{\"job_id\":\"{job_id}\"}}'")
}

/// A command with the API key in its environment.
#[must_use]
pub fn with_api_key(key: &str, command: &str) -> String {
    format!("JOBS_API_KEY={} {command}", quoted(key))
}

/// A shell word that says `text`.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
