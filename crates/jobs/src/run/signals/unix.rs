//! Unix: SIGTERM and SIGINT.
//!
//! tokio does not say who sent a signal, so a thread receives them.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus, thread};

use rustix::process::{Pid, kill_process};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::origin::WithOrigin},
    low_level::signal_name,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Ending;

/// The signals that this process gets, in their order.
pub struct Signals(UnboundedReceiver<Signal>);

/// A signal that this process got.
#[derive(Clone, Copy)]
pub struct Signal {
    number: i32,
    /// Whether a process sent it, and not a terminal.
    is_sent: bool,
}

impl Signals {
    /// From now on they do not end this process any more.
    pub fn receive() -> io::Result<Self> {
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT])?;
        let (sender, receiver) = unbounded_channel();
        thread::spawn(move || {
            for origin in signals.forever() {
                let _ = sender.send(Signal { number: origin.signal, is_sent: origin.process.is_some() });
            }
        });
        Ok(Self(receiver))
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

impl Signal {
    /// Passes it on to a process, unless that has got it from the terminal.
    pub fn pass_on(self, process: u32) {
        let process = i32::try_from(process).ok().and_then(Pid::from_raw);
        let signal = rustix::process::Signal::from_named_raw(self.number);
        if let (Some(process), Some(signal), true) = (process, signal, self.is_sent) {
            let _ = kill_process(process, signal); // it may have ended
        }
    }

    /// How a job ends to whose run this signal came.
    pub fn ending(self) -> Ending {
        Ending::by(self.number)
    }
}

impl Ending {
    fn by(signal: i32) -> Self {
        let name = signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned);
        Self { code: u8::try_from(128 + signal).unwrap_or(u8::MAX), signal: Some(name) }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        let code = status.code().and_then(|code| code.try_into().ok()).unwrap_or(u8::MAX);
        status.signal().map_or(Self { code, signal: None }, Self::by)
    }
}
