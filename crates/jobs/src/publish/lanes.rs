//! Where jobs wait: three lanes, each with permits of its own. In a lane, the job that has waited
//! longest comes first. So finished files do not wait for progress, and no number of refused files
//! holds up a healthy one.

use std::{collections::BTreeSet, sync::Arc};

use job_status::JobId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Files of these lanes that are worked on at a time. S3 takes some 50 ms for one, so this is 600 a
/// second.
const CHANGED: usize = 32;
const FOUND: usize = 32;
/// The same for refused files. They are few, because S3 may take long to refuse one again.
const REFUSED: usize = 8;

/// Why a job waits.
#[derive(Clone, Copy)]
pub enum Lane {
    /// Its file was seen to change.
    Changed,
    /// A look at the directory found its file.
    Found,
    /// S3 refused its file.
    Refused,
}

/// The lanes.
pub struct Lanes {
    changed: Waiting,
    found: Waiting,
    refused: Waiting,
}

/// The jobs of a lane, each with the time when it is due.
struct Waiting {
    due: BTreeSet<(Instant, JobId)>,
    permits: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        let [changed, found, refused] = [CHANGED, FOUND, REFUSED]
            .map(|permits| Waiting { due: BTreeSet::new(), permits: Arc::new(Semaphore::new(permits)) });
        Self { changed, found, refused }
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

    /// Takes the job that is due first, with a permit of its lane.
    pub fn next(&mut self, now: Instant) -> Option<(JobId, OwnedSemaphorePermit)> {
        let first = self.next_due().filter(|at| *at <= now)?;
        let mut lanes = [&mut self.changed, &mut self.found, &mut self.refused].into_iter();
        lanes.find_map(|lane| {
            lane.due.first().filter(|(at, _)| *at == first)?;
            let permit = Arc::clone(&lane.permits).try_acquire_owned().ok()?;
            lane.due.pop_first().map(|(_, id)| (id, permit))
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
        [&self.changed, &self.found, &self.refused]
    }

    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Changed => &mut self.changed,
            Lane::Found => &mut self.found,
            Lane::Refused => &mut self.refused,
        }
    }
}
