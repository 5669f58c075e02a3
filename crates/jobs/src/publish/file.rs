//! A status file on the disk: which files are meant, and reading one whole.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt,
    path::Path,
    time::SystemTime,
};

use job_status::{JobId, StatusFile, chain, limits::MAX_STATUS_FILE};
use sha2::{Digest, Sha256};

/// What tells one version of a file from another without reading it: its inode, length and times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&fs::Metadata> for Stamp {
    fn from(file: &fs::Metadata) -> Self {
        Self {
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// A file that is there.
pub struct Found {
    pub id: JobId,
    pub name: OsString,
    pub stamp: Stamp,
    pub modified: SystemTime,
}

/// A whole file.
pub struct Content {
    pub bytes: Vec<u8>,
    pub sha256: [u8; 32],
    pub stamp: Stamp,
}

/// What reading a file comes to.
pub enum Reading {
    Whole(Content),
    /// It can't be published as it is, and why.
    Broken(String),
    /// It changed meanwhile.
    Changing,
    /// There is no such file.
    Gone,
}

/// The job whose status file has this name: `<uuid>.json`, letters of the id in any case.
pub fn job(name: &OsStr) -> Option<JobId> {
    JobId::parse(name.to_str()?.strip_suffix(".json")?)
}

/// The status files of a directory, those changed last first. Of two files for one job, which differ
/// in the case of their names, the one changed last counts.
pub fn scan(directory: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(id) = job(&name) else { continue };
        // One that has vanished since is no file of ours any more.
        let Ok(metadata) = fs::metadata(directory.join(&name)) else { continue };
        if metadata.is_file() {
            let modified = metadata.modified()?;
            found.push(Found { id, name, stamp: Stamp::from(&metadata), modified });
        }
    }
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then(a.id.cmp(&b.id)));
    let mut seen = std::collections::HashSet::with_capacity(found.len());
    found.retain(|file| seen.insert(file.id));
    Ok(found)
}

/// The file's length, if there is such a file.
pub fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.len())
}

/// Reads a file whole and has the function's own check judge it.
pub fn read(path: &Path) -> Reading {
    match read_unchanged(path) {
        Ok(Some((bytes, stamp))) => match StatusFile::check(bytes) {
            Ok(file) => {
                let bytes = file.text.into_bytes();
                Reading::Whole(Content { sha256: Sha256::digest(&bytes).into(), bytes, stamp })
            }
            Err(malformed) => Reading::Broken(chain(&malformed)),
        },
        Ok(None) => Reading::Changing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Reading::Gone,
        Err(error) => Reading::Broken(format!("it cannot be read: {error}")),
    }
}

/// The bytes, unless the file changed while it was read.
fn read_unchanged(path: &Path) -> io::Result<Option<(Vec<u8>, Stamp)>> {
    // Before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    if before.len() > MAX_STATUS_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_STATUS_FILE} bytes, which the function refuses")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
    (&mut file).take(MAX_STATUS_FILE + 1).read_to_end(&mut bytes)?;
    // By its path, so that another file in its place counts as a change.
    let stamp = Stamp::from(&before);
    let is_unchanged = Stamp::from(&fs::metadata(path)?) == stamp && bytes.len() as u64 == before.len();
    Ok(is_unchanged.then_some((bytes, stamp)))
}
