//! What differs between Unix and Windows. Both have the same functions and types, and the rest of the
//! command knows neither system.
//!
//! Windows has no signals: Ctrl-C, Ctrl-Break and the end of the console say that it is time to stop. A
//! file has no inode there, so its times tell its versions apart. A directory can't be locked itself,
//! so a file in it is. And who has a file open can keep all others from opening, replacing or removing
//! it, which [`patiently`] waits for.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{io, time::Duration};

use tokio::time::{Instant, sleep};

#[cfg(unix)]
pub use unix::{
    END_OF_TEXT, Identity, KILLED_AFTER, UNWATCHED, Version, identity, is_held, keep_owner, lock_directory, lock_file,
    open_status_file, stop, sync_directory, version,
};
#[cfg(windows)]
pub use windows::{
    END_OF_TEXT, Identity, KILLED_AFTER, UNWATCHED, Version, identity, is_held, keep_owner, lock_directory, lock_file,
    open_status_file, stop, sync_directory, version,
};

/// What is said of a link.
const LINK: &str = "it is a link, which is not followed";
/// How long a file that somebody has open for themselves is waited for. A virus scanner, or a reader of a
/// keyring, needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a status file can't be opened.
pub enum Unopened {
    /// It is something else than a file, and what.
    NotAFile(&'static str),
    /// Somebody has it open for themselves alone.
    Held,
    Other(io::Error),
}

/// Does something with a file, and again for two seconds while somebody has it open for themselves.
pub async fn patiently<T>(mut doing: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        match doing() {
            Err(error) if is_held(&error) && Instant::now() < end => sleep(PAUSE).await,
            result => return result,
        }
    }
}
