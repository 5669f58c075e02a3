//! Windows.

use std::{
    fs::{File, Metadata, OpenOptions, TryLockError},
    future::Future,
    io,
    os::windows::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
use windows_sys::Win32::{
    Foundation::{
        ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, GENERIC_WRITE,
    },
    Storage::FileSystem::{
        DELETE, FILE_ATTRIBUTE_HIDDEN, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_DELETE_ON_CLOSE,
        FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE,
    },
};

use super::{LINK, Unopened};

/// When a process is killed whose console was closed, in milliseconds.
pub const KILLED_AFTER: u64 = 5_000;

/// The keys that end what somebody types into a terminal.
pub const END_OF_TEXT: &str = "Enter, Ctrl-Z and Enter";

/// What to do where the system does not tell what changes in a directory.
pub const UNWATCHED: &str = "see that the directory is on a disk of this machine";

/// The file that is locked instead of its directory.
const LOCK: &str = ".jobs-publish.lock";

/// What tells one version of a file from another without reading it, beside its length: when it was made
/// and when it was written, in units of 100 ns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version {
    created: u64,
    written: u64,
}

/// What tells a directory from another in its place: when it was made.
pub type Identity = u64;

/// The version of a file.
pub fn version(file: &Metadata) -> Version {
    Version { created: file.creation_time(), written: file.last_write_time() }
}

/// The identity of a directory.
pub fn identity(directory: &Metadata) -> Identity {
    directory.creation_time()
}

/// Ready when the process is told to stop: by Ctrl-C or Ctrl-Break, by the end of its console or that of
/// the system.
///
/// # Errors
/// The system's own.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
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

/// Opens a file for reading, unless it is a link. Others may write, replace and remove it meanwhile.
///
/// # Errors
/// [`Unopened`]
pub fn open_status_file(path: &Path) -> Result<File, Unopened> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS; // a link itself, or a directory
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unopened)?;
    if file.metadata().map_err(unopened)?.is_symlink() { Err(Unopened::NotAFile(LINK)) } else { Ok(file) }
}

fn unopened(error: io::Error) -> Unopened {
    if shares_nothing(&error) { Unopened::Held } else { Unopened::Other(error) }
}

/// Locks a directory for as long as the file lives, and says what is locked. It is a file in the directory
/// that is gone with the process, even if that is killed. Where this user may not write, the lock is left
/// to the operator.
///
/// # Errors
/// Another process has it, or it is not there.
pub fn lock_directory(directory: &Path) -> Result<(Option<File>, Metadata), TryLockError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).access_mode(GENERIC_WRITE | DELETE).share_mode(0);
    options.custom_flags(FILE_FLAG_DELETE_ON_CLOSE).attributes(FILE_ATTRIBUTE_HIDDEN);
    let file = match options.open(directory.join(LOCK)) {
        Err(error) if shares_nothing(&error) => return Err(TryLockError::WouldBlock),
        result => result.ok(),
    };
    Ok((file, directory.metadata().map_err(TryLockError::Error)?))
}

/// Opens the file at this path so that nobody else can, and only moving it is allowed.
///
/// # Errors
/// Another process has it, or it is a link, or the system's own.
pub fn lock_file(path: &Path) -> Result<File, TryLockError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).share_mode(FILE_SHARE_DELETE);
    let file = match options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path) {
        Err(error) if shares_nothing(&error) => return Err(TryLockError::WouldBlock),
        result => result.map_err(TryLockError::Error)?,
    };
    if file.metadata().map_err(TryLockError::Error)?.is_symlink() {
        let error = io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is a link", path.display()));
        return Err(TryLockError::Error(error));
    }
    Ok(file)
}

/// Nothing to do: a new file has the permissions that its directory hands down.
#[expect(clippy::unnecessary_wraps, reason = "Unix may fail")]
pub fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: NTFS has a journal of names.
#[expect(clippy::unnecessary_wraps, reason = "Unix may fail")]
pub fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether somebody else has the file open. The system says so in several ways, and one of them is that it
/// may not be opened at all.
pub fn is_held(error: &io::Error) -> bool {
    shares_nothing(error) || is_one_of(error, &[ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING])
}

fn shares_nothing(error: &io::Error) -> bool {
    is_one_of(error, &[ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION])
}

fn is_one_of(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()).is_some_and(|code| codes.contains(&code))
}
