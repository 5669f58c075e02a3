//! How a command ends without success: an exit code, what happened, and what to do.

use std::{error::Error, fmt, io, process::ExitCode};

use anstyle::{AnsiColor, Style};
use job_status::chain;

use crate::output::remark;

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
        Self::new(1, what)
    }

    /// 2: the command was asked for something that can't be.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(2, what)
    }

    /// 6: S3, a file or the endpoint could not be reached. `doing` is what was tried.
    pub fn unreachable(doing: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        Self::new(6, format!("{}: {}", doing.into(), chain(error)))
    }

    /// 3: timed out before the job finished.
    pub fn out_of_time(what: impl Into<String>) -> Self {
        Self::new(3, what)
    }

    /// 4: there is no such job.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(4, what)
    }

    /// 5: the API key is refused.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(5, what)
    }

    /// 6: the endpoint, or S3, did not do what it was asked.
    pub fn unanswered(what: impl Into<String>) -> Self {
        Self::new(6, what)
    }

    /// 7: nobody works on the job.
    pub fn stalled(what: impl Into<String>) -> Self {
        Self::new(7, what)
    }

    /// 127: the command that it was to run can't be started, as a shell says it.
    pub fn not_started(error: &io::Error) -> Self {
        Self::new(127, format!("the command can't be started: {error}"))
    }

    /// 6: this command has a bug. What it is stands above.
    pub fn bug() -> Self {
        Self::new(6, "this is a bug").advise("please report it, with the lines above")
    }

    /// Stdout is gone, or full.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub fn printing(error: io::Error) -> Self {
        Self::unreachable("printing the result", &error).advise("see where stdout leads")
    }

    fn new(code: u8, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), advice: None }
    }

    /// What to do about it, as a command to the reader.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Tells the person at the terminal; the exit code of the process.
    pub fn report(self) -> ExitCode {
        remark(format_args!("{ERROR}jobs:{ERROR:#} {}", self.what));
        if let Some(advice) = self.advice {
            remark(format_args!("  {advice}"));
        }
        ExitCode::from(self.code)
    }
}

/// What happened, without what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
