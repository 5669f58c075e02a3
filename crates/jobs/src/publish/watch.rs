//! What the operating system says about a directory: which status files changed.
//!
//! Changes are collected by job, so that any number of them takes no more room than there are files.
//! If the system had to drop some, everything counts as changed.
//!
//! A watched directory is locked: two publishers could send an older state after a newer one. Where
//! directories can't be locked (NFS), that is left to the operator.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use job_status::JobId;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::Notify;

use super::file;

/// Changes since they were last taken.
#[derive(Default)]
pub struct Changes {
    /// The changed files' names, by job.
    pub names: HashMap<JobId, OsString>,
    /// Whether there may have been others.
    pub lost: bool,
}

/// A watched directory, locked for as long as this lives.
pub struct Watch {
    directory: PathBuf,
    watcher: Watched,
    shared: Arc<Shared>,
    _lock: File,
}

/// Why a directory can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum Unwatched {
    /// It is no directory, or none that this user may read.
    #[error("it can't be opened")]
    Unreadable(#[from] io::Error),
    /// Another publisher has it.
    #[error("another publisher is at work on it")]
    Busy,
    /// The system's limits are reached.
    #[error("the system refuses to watch it")]
    Refused(#[from] notify::Error),
}

struct Watched {
    _watcher: RecommendedWatcher,
    /// Device and inode of the directory.
    identity: (u64, u64),
}

#[derive(Default)]
struct Shared {
    changes: Mutex<Changes>,
    wake: Notify,
}

impl Watch {
    /// Watches a directory from now on.
    ///
    /// # Errors
    /// [`Unwatched`]
    pub fn start(directory: &Path) -> Result<Self, Unwatched> {
        let lock = File::open(directory)?;
        if !lock.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
        }
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(Unwatched::Busy);
        }
        let shared = Arc::default();
        let watcher = watch(directory, &shared)?;
        Ok(Self { directory: directory.into(), watcher, shared, _lock: lock })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until something has changed.
    pub async fn changed(&self) {
        self.shared.wake.notified().await;
    }

    /// What has changed since this was last called.
    pub fn take(&self) -> Changes {
        std::mem::take(&mut *self.shared.changes())
    }

    /// Watches the directory that is there now, if another one has taken its place.
    pub fn follow(&mut self) -> notify::Result<()> {
        if identity(&self.directory)? != self.watcher.identity {
            self.watcher = watch(&self.directory, &self.shared)?;
        }
        Ok(())
    }
}

impl Shared {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: notify::Result<Event>) {
        let mut changes = self.changes();
        match event {
            Ok(event) if event.need_rescan() => changes.lost = true,
            Ok(event) if is_change(event.kind) => {
                for path in event.paths {
                    if let Some(name) = path.file_name()
                        && let Some(id) = file::job(name)
                    {
                        changes.names.insert(id, name.into());
                    }
                }
            }
            Ok(_) => return,
            Err(_) => changes.lost = true,
        }
        drop(changes);
        self.wake.notify_one();
    }
}

fn watch(directory: &Path, shared: &Arc<Shared>) -> notify::Result<Watched> {
    let identity = identity(directory)?;
    let noted = Arc::clone(shared);
    let mut watcher = notify::recommended_watcher(move |event| noted.note(event))?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(Watched { _watcher: watcher, identity })
}

fn identity(directory: &Path) -> notify::Result<(u64, u64)> {
    let metadata = directory.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}
