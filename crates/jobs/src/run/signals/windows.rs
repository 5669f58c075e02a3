//! Windows: Ctrl-C, Ctrl-Break, and the end of the console or of the system. They have the names and exit
//! codes of the signals that stand for them on Unix.

use std::{future::pending, io, process::ExitStatus};

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

use super::Ending;

/// What this process is told.
pub struct Signals {
    interrupt: CtrlC,
    break_: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

/// What it was told.
#[derive(Clone, Copy)]
pub enum Signal {
    Interrupt,
    Terminate,
}

impl Signals {
    /// From now on it does not end this process any more.
    pub fn receive() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, break_: ctrl_break()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.break_.recv() => Signal::Interrupt,
            Some(()) = self.close.recv() => Signal::Terminate,
            Some(()) = self.shutdown.recv() => Signal::Terminate,
            else => pending().await,
        }
    }
}

impl Signal {
    /// The console has told the command already.
    pub fn pass_on(self, _: u32) {}

    /// How a job ends to whose run this came.
    pub fn ending(self) -> Ending {
        let (code, name) = match self {
            Self::Interrupt => (130, "SIGINT"),
            Self::Terminate => (143, "SIGTERM"),
        };
        Ending { code, signal: Some(name.into()) }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        let code = status.code().and_then(|code| code.try_into().ok()).unwrap_or(u8::MAX);
        Self { code, signal: None }
    }
}
