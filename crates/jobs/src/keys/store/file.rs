//! The next file of a keyring, as git does it with `index.lock`: it lies beside the keyring, whoever
//! has locked it may change the keyring, and it takes the keyring's place as a whole. So a reader sees
//! the old keyring or the new one, and nothing is left beside it. If the command is killed, the lock is
//! gone with it, and the next command takes the file over.

use std::{
    fs::{self, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};
use tokio::time::{Instant, sleep};

use crate::{output::remark, platform};

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
            match platform::lock_file(&path) {
                Ok(file) => {
                    file.set_len(0)?; // somebody may have been killed while writing it
                    let file = NamedTempFile::from_parts(file, TempPath::try_from_path(&path)?);
                    return Ok(Self { file, keyring });
                }
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
                // It is about to be gone.
                Err(TryLockError::Error(error)) if platform::is_held(&error) && begin.elapsed() < SILENCE => {
                    sleep(PAUSE).await;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Puts a file with this text in the keyring's place, with the owner and the permissions of the old
    /// one.
    pub async fn replace(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        let file = self.file.as_file();
        if let Ok(old) = fs::metadata(&self.keyring) {
            platform::keep_owner(file, &old)?;
        }
        file.sync_all()?;
        platform::patiently(|| fs::rename(self.file.path(), &self.keyring)).await?;
        self.file.disable_cleanup(true); // its name may be another command's by now
        platform::sync_directory(directory(&self.keyring))
    }
}

/// Where links lead to, so that what is there is replaced and not they themselves; it need not be there.
fn target(path: &Path) -> io::Result<PathBuf> {
    match (dunce::canonicalize(path), fs::read_link(path)) {
        (Err(error), Ok(to)) if error.kind() == io::ErrorKind::NotFound => target(&directory(path).join(to)),
        (Err(error), Err(_)) if error.kind() == io::ErrorKind::NotFound => Ok(path.into()),
        (result, _) => result,
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
