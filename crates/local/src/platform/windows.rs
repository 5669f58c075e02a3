//! Windows.

use std::{future::Future, io, path::Path};

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

/// What curl is called. PowerShell 5 calls another command `curl`.
pub const CURL: &str = "curl.exe";

/// Waits for Ctrl-C or Ctrl-Break, the end of the console or that of the system. From this call on none of
/// them ends the process at once, which has a temporary directory to remove.
///
/// # Errors
/// The system's own.
pub fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut break_, mut close, mut shutdown) =
        (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = break_.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}

/// Lets `directory` appear at `path`, too: as a junction, because a link needs a right that few users have.
///
/// # Errors
/// The system's own. A directory on another machine can't appear here.
pub fn link(directory: &Path, path: &Path) -> io::Result<()> {
    junction::create(directory, path)
}

/// A command that asks for a job, with more of curl's arguments. By GET, because PowerShell and `cmd` do not
/// agree on how to write a quote of JSON.
#[must_use]
pub fn ask(url: &str, job_id: &str, arguments: &str) -> String {
    format!("{CURL} -i {} {arguments}", quoted(&format!("{url}?job_id={job_id}")))
}

/// A command of PowerShell with the API key in its environment.
#[must_use]
pub fn with_api_key(key: &str, command: &str) -> String {
    format!("$env:JOBS_API_KEY='{}'; {command}", key.replace('\'', "''"))
}

/// A word for PowerShell and for `cmd`, as long as it has neither quotes nor variables.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
