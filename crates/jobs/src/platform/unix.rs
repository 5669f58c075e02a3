//! Linux and macOS.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    future::Future,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{LINK, Unopened};

/// When a process that was told to stop is killed, in milliseconds: systemd and Docker wait 10 seconds
/// after SIGTERM or longer.
pub const KILLED_AFTER: u64 = 10_000;

/// The keys that end what somebody types into a terminal.
pub const END_OF_TEXT: &str = "Enter and Ctrl-D";

/// What to do where the system does not tell what changes in a directory.
pub const UNWATCHED: &str = if cfg!(target_os = "linux") {
    "raise the limits fs.inotify.max_user_instances and max_user_watches"
} else {
    "see that the directory is on a disk of this machine"
};

/// What tells one version of a file from another without reading it, beside its length: its inode and
/// times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What tells a directory from another in its place: device and inode.
pub type Identity = (u64, u64);

/// The version of a file.
pub fn version(file: &Metadata) -> Version {
    Version {
        inode: file.ino(),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    }
}

/// The identity of a directory.
pub fn identity(directory: &Metadata) -> Identity {
    (directory.dev(), directory.ino())
}

/// Ready when the process is told to stop: by SIGTERM, by SIGHUP or by Ctrl-C.
///
/// # Errors
/// The system's own.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    let [terminate, interrupt, hangup] =
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let (mut terminate, mut interrupt, mut hangup) = (terminate?, interrupt?, hangup?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Opens a file for reading, unless it is a link. A pipe without a writer is opened at once.
///
/// # Errors
/// [`Unopened`]
pub fn open_status_file(path: &Path) -> Result<File, Unopened> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => Unopened::NotAFile(LINK),
        Errno::NXIO | Errno::OPNOTSUPP => Unopened::NotAFile("it is a socket or a device"), // Linux, macOS
        Errno::AGAIN => Unopened::Held, // somebody has a lease on it
        error => Unopened::Other(error.into()),
    })?;
    Ok(File::from(opened))
}

/// Locks a directory for as long as the file lives, and says what is locked. Where directories can't be
/// locked (NFS), that is left to the operator.
///
/// # Errors
/// Another process has it, or it can't be opened.
pub fn lock_directory(directory: &Path) -> Result<(Option<File>, Metadata), TryLockError> {
    let file = File::open(directory).map_err(TryLockError::Error)?;
    let metadata = file.metadata().map_err(TryLockError::Error)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        _ => Ok((Some(file), metadata)),
    }
}

/// Opens the file at this path and locks it, if nobody has locked it. A new one is for its owner alone.
///
/// # Errors
/// Another process has it, or it is a link, or the system's own.
pub fn lock_file(path: &Path) -> Result<File, TryLockError> {
    // For writing, because NFS gives an exclusive lock to nobody else.
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(TryLockError::Error)?;
    file.try_lock()?;
    // Whoever had it locked before may have moved it.
    if is_at(path, &file).map_err(TryLockError::Error)? { Ok(file) } else { Err(TryLockError::WouldBlock) }
}

/// Whether a file is still the one at this path. A link there is never followed.
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is a link", path.display())))
        }
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a new file the owner and the permissions of the one that it is about to replace.
///
/// # Errors
/// The system's own.
pub fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    let own = new.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    new.set_permissions(old.permissions())
}

/// Sees that a new name in a directory outlives a crash of the machine.
///
/// # Errors
/// The system's own.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Never: whoever has a file open keeps nobody from it.
pub fn is_held(_: &io::Error) -> bool {
    false
}
