//! Which job's file is looked at next.
//!
//! A job rests, waits in one of the [`lanes`](super::lanes), or is worked on: once or not at all, so
//! that two uploads of one id never meet. What becomes of it is in [`job`](super::job).

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use job_status::JobId;
use tokio::time::Instant;

use super::{
    file::Found,
    job::{Job, Work},
    lanes::{Lane, Lanes},
    watch::Change,
};

/// All jobs that have a file.
pub struct Queue {
    jobs: HashMap<JobId, Entry>,
    lanes: Lanes,
    settle: Duration,
    working: usize,
    ending: bool,
}

#[derive(Default)]
struct Entry {
    job: Job,
    place: Option<(Lane, Instant)>,
    working: bool,
}

impl Queue {
    /// Changes of a file within `settle` are one.
    pub fn new(settle: Duration) -> Self {
        Self { jobs: HashMap::new(), lanes: Lanes::default(), settle, working: 0, ending: false }
    }

    /// A file changed.
    pub fn changed(&mut self, id: JobId, change: Change) {
        self.jobs.entry(id).or_default().job.change(change, self.settle);
        self.place(id);
    }

    /// A look at the directory found these files. Those that are not new are left alone until they
    /// change.
    pub fn found(&mut self, files: Vec<Found>, is_new: impl Fn(&Found) -> bool) {
        let there: HashSet<_> = files.iter().map(|file| file.id).collect();
        self.jobs.retain(|id, entry| entry.working || entry.place.is_some() || there.contains(id));
        for file in files.into_iter().filter(is_new) {
            let id = file.id;
            self.jobs.entry(id).or_default().job.find(file);
            self.place(id);
        }
    }

    /// The next job to work on, if one is due and its lane has a permit: perhaps to find out whether an
    /// outage is over.
    pub fn next(&mut self, is_probe: bool) -> Option<Work> {
        let (id, permit) = self.lanes.next(Instant::now(), is_probe)?;
        let entry = self.jobs.get_mut(&id)?;
        (entry.place, entry.working) = (None, true);
        self.working += 1;
        Some(entry.job.start(id, self.settle, permit))
    }

    /// When [`next`](Self::next) has one, unless something changes.
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.next_due()
    }

    /// Ends the work on a job with what came of it; it is told whether the process is about to end.
    pub fn end<T: Default>(&mut self, work: &Work, outcome: impl FnOnce(&mut Job, bool) -> T) -> T {
        self.working = self.working.saturating_sub(1);
        let Some(entry) = self.jobs.get_mut(&work.id) else { return T::default() };
        entry.working = false;
        entry.job.end(work, self.settle);
        let outcome = outcome(&mut entry.job, self.ending);
        self.place(work.id);
        outcome
    }

    /// Everything that waits is due now, for the process is about to end. That goes for broken files
    /// too, which may be whole by now; one that is still broken is not waited for.
    pub fn hurry(&mut self) {
        (self.ending, self.settle) = (true, Duration::ZERO);
        self.jobs.values_mut().for_each(|entry| entry.job.hurry());
        for id in self.lanes.jobs().collect::<Vec<_>>() {
            self.place(id);
        }
    }

    /// Jobs that wait or are worked on; broken files that are not reported yet are among them.
    pub fn pending(&self) -> usize {
        self.working + self.lanes.len()
    }

    /// Whether S3 has refused all that is pending too often.
    pub fn is_hopeless(&self) -> bool {
        let is_hopeless = |id| self.jobs.get(&id).is_some_and(|entry| entry.job.is_hopeless());
        self.working == 0 && self.lanes.jobs().all(is_hopeless)
    }

    /// Broken files that have been reported.
    pub fn reported(&self) -> usize {
        self.jobs.values().filter(|entry| entry.job.is_reported()).count()
    }

    /// Puts a job where it waits, if it does.
    fn place(&mut self, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id).filter(|entry| !entry.working) else { return };
        if let Some((lane, at)) = entry.place {
            self.lanes.remove(lane, at, id);
        }
        entry.place = entry.job.waits();
        if let Some((lane, at)) = entry.place {
            self.lanes.insert(lane, at, id);
        }
    }
}
