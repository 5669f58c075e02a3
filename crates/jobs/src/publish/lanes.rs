//! Where jobs wait: three lanes, each with permits of its own. In a lane, the job that has waited
//! longest comes first. So finished files do not wait for progress, and no number of refused files
//! holds up a healthy one.

use std::{collections::BTreeSet, sync::Arc};

use job_status::JobId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Changed files that are worked on at a time. They are many, because somebody waits for each.
const CHANGED: usize = 128;
/// The same for found files. S3 takes some 50 ms for one, so this is 600 a second.
const FOUND: usize = 32;
/// The same for files that S3 failed to take. They are few, because it may take long to fail again.
const FAILED: usize = 8;

/// Why a job waits.
#[derive(Clone, Copy)]
pub enum Lane {
    /// Its file was seen to change.
    Changed,
    /// A look at the directory found its file.
    Found,
    /// S3 failed to take its file.
    Failed,
}

/// The lanes.
pub struct Lanes {
    changed: Waiting,
    found: Waiting,
    failed: Waiting,
}

/// The jobs of a lane, each with the time when it is due.
struct Waiting {
    due: BTreeSet<(Instant, JobId)>,
    permits: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        let [changed, found, failed] = [CHANGED, FOUND, FAILED]
            .map(|permits| Waiting { due: BTreeSet::new(), permits: Arc::new(Semaphore::new(permits)) });
        Self { changed, found, failed }
    }
}

impl Lanes {
    pub fn insert(&mut self, lane: Lane, at: Instant, id: JobId) {
        self.lane(lane).due.insert((at, id));
    }

    pub fn remove(&mut self, lane: Lane, at: Instant, id: JobId) {
        self.lane(lane).due.remove(&(at, id));
    }

    /// When the next job is due whose lane has a permit.
    pub fn next_due(&self) -> Option<Instant> {
        let open = self.all().into_iter().filter(|lane| lane.permits.available_permits() > 0);
        open.filter_map(|lane| lane.due.first()).map(|(at, _)| *at).min()
    }

    /// Takes a job that is due, with a permit of its lane: the first one, or to find out whether an
    /// outage is over, the last one that has not failed. For if one failed for reasons of its own, so may
    /// others that were written together with it.
    pub fn next(&mut self, now: Instant, is_probe: bool) -> Option<(JobId, OwnedSemaphorePermit)> {
        let Self { changed, found, failed } = self;
        [(changed, is_probe), (found, is_probe), (failed, false)].into_iter().find_map(|(lane, is_last)| {
            let mut due = lane.due.iter();
            let next = if is_last { due.rfind(|(at, _)| *at <= now) } else { due.next().filter(|(at, _)| *at <= now) };
            let next = next.copied()?;
            let permit = Arc::clone(&lane.permits).try_acquire_owned().ok()?;
            lane.due.remove(&next);
            Some((next.1, permit))
        })
    }

    /// All jobs that wait.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.all().into_iter().flat_map(|lane| lane.due.iter().map(|(_, id)| *id))
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.all().map(|lane| lane.due.len()).into_iter().sum()
    }

    fn all(&self) -> [&Waiting; 3] {
        [&self.changed, &self.found, &self.failed]
    }

    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Changed => &mut self.changed,
            Lane::Found => &mut self.found,
            Lane::Failed => &mut self.failed,
        }
    }
}
