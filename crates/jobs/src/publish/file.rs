//! A status file on the disk: which files are meant, and reading one whole.
//!
//! Others than the workers may write into the directory. So nothing is followed or opened that could
//! lead elsewhere or never end: links, pipes, devices.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use job_status::{JobId, StatusFile, chain, limits::MAX_STATUS_FILE};
use sha2::{Digest, Sha256};

use super::toolkit::Toolkit;
use crate::platform::{self, Unopened, Version};

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    version: Version,
    length: u64,
}

impl From<&fs::Metadata> for Stamp {
    fn from(file: &fs::Metadata) -> Self {
        Self { version: platform::version(file), length: file.len() }
    }
}

/// A file that is there.
pub struct Found {
    pub id: JobId,
    pub name: OsString,
    pub stamp: Stamp,
    pub modified: SystemTime,
}

/// A file that is open.
pub struct Opened {
    path: PathBuf,
    file: File,
    stamp: Stamp,
    modified: SystemTime,
}

/// A whole file.
pub struct Content {
    pub bytes: Vec<u8>,
    pub sha256: [u8; 32],
    pub stamp: Stamp,
    pub modified: SystemTime,
    pub toolkit: Toolkit,
}

/// Why there is no whole file to send.
pub enum Unread {
    /// It can't be published as it is, and why.
    Broken(String),
    /// It is something else than a file.
    NotAFile(&'static str),
    /// It changed meanwhile.
    Changing,
    /// Somebody has it open for themselves alone.
    Held,
    /// There is no such file.
    Gone,
}

/// The job whose status file has this name: `<uuid>.json`, letters of the id in any case.
pub fn job(name: &OsStr) -> Option<JobId> {
    JobId::parse(name.to_str()?.strip_suffix(".json")?)
}

/// The status files of a directory, those changed last first. Of two files for one job, which differ
/// in the case of their names, the one changed last counts. What is no file is among them, but for
/// directories.
pub fn scan(directory: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = job(&name) else { continue };
        // One that has vanished since is no file of ours any more.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_dir() {
            found.push(Found { id, name, stamp: Stamp::from(&metadata), modified: metadata.modified()? });
        }
    }
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then(a.id.cmp(&b.id)));
    let mut seen = HashSet::with_capacity(found.len());
    found.retain(|file| seen.insert(file.id));
    Ok(found)
}

impl Opened {
    /// Opens a file, if it is one.
    pub fn open(path: PathBuf) -> Result<Self, Unread> {
        let file = platform::open_status_file(&path).map_err(|unopened| match unopened {
            Unopened::NotAFile(what) => Unread::NotAFile(what),
            Unopened::Held => Unread::Held,
            Unopened::Other(error) => unreadable(&error),
        })?;
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        if metadata.is_dir() {
            return Err(Unread::Gone);
        }
        if !metadata.is_file() {
            return Err(Unread::NotAFile("it is a pipe or a device"));
        }
        if metadata.len() > MAX_STATUS_FILE {
            return Err(Unread::Broken(format!(
                "it has more than {MAX_STATUS_FILE} bytes, which the function refuses"
            )));
        }
        let modified = metadata.modified().map_err(|error| unreadable(&error))?;
        Ok(Self { path, file, stamp: Stamp::from(&metadata), modified })
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.stamp.length
    }

    /// Reads it whole into an empty buffer, and checks it.
    pub fn read(mut self, mut bytes: Vec<u8>) -> Result<Content, Unread> {
        let limit = MAX_STATUS_FILE + 1;
        (&mut self.file).take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        // By its path, so that another file in its place counts as a change.
        if Stamp::from(&fs::symlink_metadata(&self.path).map_err(|error| unreadable(&error))?) != self.stamp {
            return Err(Unread::Changing);
        }
        if bytes.len() as u64 != self.stamp.length {
            return Err(Unread::Broken(format!(
                "its length is {}, and it has {} bytes",
                self.stamp.length,
                bytes.len()
            )));
        }
        let text = check(bytes)?;
        let (sha256, toolkit) = (Sha256::digest(&text).into(), Toolkit::judge(&text));
        Ok(Content { bytes: text.into_bytes(), sha256, stamp: self.stamp, modified: self.modified, toolkit })
    }
}

/// What is sent of a file: it is judged by the function's own check.
fn check(bytes: Vec<u8>) -> Result<String, Unread> {
    let file = StatusFile::check(bytes, &[]).map_err(|malformed| Unread::Broken(chain(&malformed)))?;
    Ok(file.text)
}

fn unreadable(error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound => Unread::Gone,
        _ if platform::is_held(error) => Unread::Held,
        _ => Unread::Broken(format!("it cannot be read: {error}")),
    }
}

/// Linux only: `/proc` has such a file.
#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::panic)]
mod tests {
    use super::{Opened, Unread};

    #[test]
    fn a_file_whose_length_is_never_that_of_its_content_is_broken() {
        // The system says that it is empty.
        let Ok(opened) = Opened::open("/proc/version".into()) else { panic!("there is no such file") };
        let Err(Unread::Broken(why)) = opened.read(Vec::new()) else { panic!("it is not broken") };
        assert!(why.starts_with("its length is 0, and it has "), "{why}");
    }
}
