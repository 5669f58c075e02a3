//! What differs between Unix and Windows: how the process is told to stop, how one directory appears in
//! another, and how a shell reads a command.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{CURL, ask, link, quoted, told_to_stop, with_api_key};
#[cfg(windows)]
pub use windows::{CURL, ask, link, quoted, told_to_stop, with_api_key};
