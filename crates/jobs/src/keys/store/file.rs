//! The next file of a keyring, as git does it with `index.lock`: it lies beside the keyring, whoever
//! has locked it may change the keyring, and it takes the keyring's place as a whole. So a reader sees
//! the old keyring or the new one, and nothing is left beside it. If the command is killed, the lock is
//! gone with it, and the next command takes the file over.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};
use tokio::time::{Instant, sleep};

use crate::output::remark;

/// From here on it says that it waits for another command.
const SILENCE: Duration = Duration::from_secs(1);
/// Longest wait for others. A change takes milliseconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// A file that is about to replace a keyring.
pub struct NextFile {
    /// Removed unless it takes the keyring's place.
    file: NamedTempFile,
    keyring: PathBuf,
}

impl NextFile {
    /// Begins to change a keyring, which need not be there yet. Waits while others change it.
    pub async fn lock(keyring: &Path) -> io::Result<Self> {
        let keyring = target(keyring)?;
        let mut path = keyring.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let begin = Instant::now();
        let mut silent = true;
        loop {
            // For writing, because NFS gives an exclusive lock to nobody else.
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            match file.try_lock() {
                Ok(()) if is_at(&path, &file)? => {
                    file.set_len(0)?; // somebody may have been killed while writing it
                    let file = NamedTempFile::from_parts(file, TempPath::try_from_path(&path)?);
                    return Ok(Self { file, keyring });
                }
                Ok(()) => {} // it has become the keyring, or was removed
                Err(TryLockError::WouldBlock) if begin.elapsed() > PATIENCE => {
                    let why = format!("another command has locked {} for a minute", path.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                Err(TryLockError::WouldBlock) => {
                    if silent && begin.elapsed() > SILENCE {
                        remark(format_args!("waiting for another command, which has locked {}", path.display()));
                        silent = false;
                    }
                    sleep(PAUSE.mul_f64(fastrand::f64())).await;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Puts a file with this text in the keyring's place, with the owner and the permissions of the old
    /// one.
    pub fn replace(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        let file = self.file.as_file();
        if let Ok(old) = fs::metadata(&self.keyring) {
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        self.file.persist(&self.keyring)?;
        File::open(directory(&self.keyring))?.sync_all()
    }
}

/// Where links lead to, so that what is there is replaced and not they themselves; it need not be there.
fn target(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), fs::read_link(path)) {
        (Err(error), Ok(to)) if error.kind() == io::ErrorKind::NotFound => target(&directory(path).join(to)),
        (Err(error), Err(_)) if error.kind() == io::ErrorKind::NotFound => Ok(path.into()),
        (result, _) => result,
    }
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

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
