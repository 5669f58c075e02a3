//! What the operating system says about a directory: which status files changed.
//!
//! Changes are collected by job, so that any number of them takes no more room than there are files.
//! If the system had to drop some, everything counts as changed. If it does not watch at all, because a
//! limit is reached, the directory is looked at more often.
//!
//! A directory is locked as long as it is published: two publishers could send an older state after a
//! newer one. If another directory takes its place, that one is locked and watched from then on. Where
//! directories can't be locked (NFS), that is left to the operator.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    path::{self, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use job_status::JobId;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};
use tokio::sync::Notify;

use super::file::{self, Found};
use crate::platform::{self, Identity};

/// From one look at a directory to the next, if the system tells what changes in it.
const OFTEN_ENOUGH: Duration = Duration::from_mins(1);
/// The same if it does not.
const OFTEN: Duration = Duration::from_secs(3);

/// Changes since they were last taken.
#[derive(Default)]
pub struct Changes {
    /// The changed files, by job.
    pub files: HashMap<JobId, Change>,
    /// Whether there may have been others.
    pub lost: bool,
    /// Whether the directory itself was moved or removed.
    pub moved: bool,
}

/// A file that changed.
pub struct Change {
    pub name: OsString,
    /// Whether its writer is done with it, as far as the system knows.
    pub is_complete: bool,
}

/// A directory, locked for as long as this lives, and watched if the system does that.
pub struct Watch {
    directory: PathBuf,
    lock: Lock,
    watcher: Option<RecommendedWatcher>,
    wants_watcher: bool,
    shared: Arc<Shared>,
}

/// What a look at a directory found.
pub struct Look {
    files: Vec<Found>,
    /// Of another directory that has taken the place of the first one.
    lock: Option<Lock>,
    watcher: Option<notify::Result<RecommendedWatcher>>,
}

/// Why a directory can't be published, or not be watched.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// It is no directory, or none that this user may read.
    #[error("it can't be read")]
    Unreadable(#[from] io::Error),
    /// Another publisher has it.
    #[error("another publisher is at work on it")]
    Busy,
    /// The system's limits are reached.
    #[error("the system does not tell what changes in it")]
    Unwatched(#[from] notify::Error),
}

impl Unavailable {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "make the directory, and let this user read it",
            Self::Busy => "end the other publisher; one is enough for a directory",
            Self::Unwatched(_) => platform::UNWATCHED,
        }
    }
}

struct Lock {
    _file: Option<File>,
    identity: Identity,
}

#[derive(Default)]
struct Shared {
    changes: Mutex<Changes>,
    wake: Notify,
}

impl Watch {
    /// Locks a directory; the first look begins to watch it, if it is to be watched.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn start(directory: &Path, wants_watcher: bool) -> Result<Self, Unavailable> {
        let directory = path::absolute(directory)?; // as events have it
        let lock = Lock::take(&directory)?;
        Ok(Self { directory, lock, watcher: None, wants_watcher, shared: Arc::default() })
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

    /// A look at the whole directory, which may take its time. It watches the directory first, so that
    /// no change is missed.
    pub fn look(&self) -> impl FnOnce() -> Result<Look, Unavailable> + Send + 'static {
        let (directory, shared, identity) = (self.directory.clone(), Arc::clone(&self.shared), self.lock.identity);
        let (wants_watcher, has_watcher) = (self.wants_watcher, self.watcher.is_some());
        move || {
            let lock = if platform::identity(&directory.metadata()?) == identity {
                None
            } else {
                Some(Lock::take(&directory)?)
            };
            let watcher = (wants_watcher && (lock.is_some() || !has_watcher)).then(|| watcher(&directory, &shared));
            Ok(Look { files: file::scan(&directory)?, lock, watcher })
        }
    }

    /// Goes on with what a look found: the files, and why the directory is not watched, if it is not.
    pub fn looked(&mut self, look: Look) -> (Vec<Found>, Option<Unavailable>) {
        if let Some(lock) = look.lock {
            (self.lock, self.watcher) = (lock, None);
        }
        let unwatched = match look.watcher {
            Some(Ok(watcher)) => {
                self.watcher = Some(watcher);
                None
            }
            Some(Err(error)) => Some(error.into()),
            None => None,
        };
        (look.files, unwatched)
    }

    /// A look failed: what changes there is not what is meant any more.
    pub fn unwatch(&mut self) {
        self.watcher = None;
    }

    /// When to look again.
    pub fn look_after(&self) -> Duration {
        if self.watcher.is_some() || !self.wants_watcher { OFTEN_ENOUGH } else { OFTEN }
    }
}

impl Lock {
    fn take(directory: &Path) -> Result<Self, Unavailable> {
        let (file, metadata) = platform::lock_directory(directory).map_err(|error| match error {
            TryLockError::WouldBlock => Unavailable::Busy,
            TryLockError::Error(error) => error.into(),
        })?;
        if !metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
        }
        Ok(Self { _file: file, identity: platform::identity(&metadata) })
    }
}

impl Shared {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, directory: &Path, event: notify::Result<Event>) {
        let mut changes = self.changes();
        match event {
            Ok(event) if event.need_rescan() => changes.lost = true,
            Ok(event) if is_change(event.kind) => {
                for path in event.paths {
                    if path == directory {
                        changes.moved = true;
                    } else if let Some(name) = path.file_name()
                        && let Some(id) = file::job(name)
                    {
                        let is_complete = is_complete(event.kind);
                        changes.files.insert(id, Change { name: name.into(), is_complete });
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

fn watcher(directory: &Path, shared: &Arc<Shared>) -> notify::Result<RecommendedWatcher> {
    let (noted, path) = (Arc::clone(shared), directory.to_owned());
    let mut watcher = notify::recommended_watcher(move |event| noted.note(&path, event))?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(_) => is_complete(kind),
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}

/// A file was closed after it was written, or renamed.
fn is_complete(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
    )
}
