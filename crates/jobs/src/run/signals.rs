//! What tells `jobs run` to stop, and how a process ends by it.
//!
//! On Unix, SIGTERM and SIGINT are passed on to the command. A terminal's Ctrl-C is not: the terminal has
//! sent it to the command already, and many programs take a second one for impatience. Windows has no
//! signals. Its console tells all of its processes the same, so nothing is passed on there.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::Signals;
#[cfg(windows)]
pub use windows::Signals;

/// How a process ended.
pub struct Ending {
    /// Its exit code, as a shell gives it.
    pub code: u8,
    /// The name of the signal that it ended by.
    pub signal: Option<String>,
}
