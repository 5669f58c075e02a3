//! The file that the command writes its progress into. `JOBS_PROGRESS` has its path.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::status_document;

/// How often it is looked at, which is the most that the status file is written in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// The most that is read of it, in bytes.
const LONGEST: u16 = 1024;

/// The file. Its directory goes when this is dropped.
pub struct Progress {
    path: PathBuf,
    _directory: TempDir,
    last: Option<Value>,
    ticks: Interval,
}

impl Progress {
    /// Makes a directory for it.
    pub fn new() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("jobs-").tempdir()?;
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { path: directory.path().join("progress"), _directory: directory, last: None, ticks })
    }

    /// Where the command finds it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The progress, when it has changed.
    pub async fn changed(&mut self) -> Value {
        loop {
            self.ticks.tick().await;
            if let Ok(Some(new)) = read(&self.path)
                && self.last.as_ref() != Some(&new)
            {
                return self.last.insert(new).clone();
            }
        }
    }
}

/// The last line that says something. A file that is being written anew may be empty.
fn read(path: &Path) -> io::Result<Option<Value>> {
    // A pipe in its place would be waited for.
    if !path.metadata()?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST.into())))?;
    let mut bytes = Vec::new();
    file.take(LONGEST.into()).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(status_document::progress))
}
