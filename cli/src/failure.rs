//! How a command ends without success: an exit code, what happened, and what to do.

use std::{error::Error, io, process::ExitCode};

use anstyle::{AnsiColor, Style};
use job_status::chain;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Why a command ends without success. Its text names no key, digest or credential.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    what: String,
    advice: Option<String>,
}

impl Failure {
    /// 1: the command did its work, and the answer is no.
    pub fn no(what: impl Into<String>) -> Self {
        Self { code: 1, what: what.into(), advice: None }
    }

    /// 2: the command was asked for something that can't be.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { code: 2, what: what.into(), advice: None }
    }

    /// 6: S3, a file or the endpoint could not be reached. `doing` is what was tried.
    pub fn unreachable(doing: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        Self { code: 6, what: format!("{}: {}", doing.into(), chain(error)), advice: None }
    }

    /// 6: files are not sent yet.
    pub fn not_sent(files: usize) -> Self {
        Self { code: 6, what: format!("{files} files are not sent yet"), advice: None }
            .advise("see the errors above; the next start compares them with the bucket and sends them")
    }

    /// Stdout is gone, or full.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub fn printing(error: io::Error) -> Self {
        Self::unreachable("printing the result", &error).advise("see where stdout leads")
    }

    /// What to do about it, as a command to the reader.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Tells the person at the terminal; the exit code of the process.
    pub fn report(self) -> ExitCode {
        anstream::eprintln!("{ERROR}jobs:{ERROR:#} {}", self.what);
        if let Some(advice) = self.advice {
            anstream::eprintln!("  {advice}");
        }
        ExitCode::from(self.code)
    }
}
