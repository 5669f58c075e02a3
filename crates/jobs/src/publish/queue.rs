//! What is known of each job, and so when its file is looked at next.
//!
//! A job rests, waits in one of the [`lanes`](super::lanes), or is in work. It is in work once or not
//! at all, so that two uploads of one id never meet. A change is waited for from the first one on, not
//! from the last: a file that never rests is published too. No change shortens the pause after a read
//! or a refusal.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    time::Duration,
};

use job_status::JobId;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    file::{Found, Stamp},
    lanes::{Lane, Lanes},
};

/// The shortest time from one read of a file to the next, for an empty file.
const READ_PAUSE: Duration = Duration::from_millis(200);
/// So many bytes make it a second longer.
const READ_SIZE: u64 = 16 << 20;
/// How long a file may be broken before that is reported.
const BROKEN: Duration = Duration::from_secs(10);
/// Pause after the first refusal of a file; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);
/// Where it stops doubling.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// After so many refusals `--once` gives a file up.
const HOPELESS: u32 = 5;

/// All jobs that have a file.
pub struct Queue {
    jobs: HashMap<JobId, Job>,
    lanes: Lanes,
    settle: Duration,
    working: usize,
    ending: bool,
}

#[derive(Default)]
struct Job {
    name: OsString,
    /// What the bucket has.
    sent: Option<Sent>,
    /// When to look at the file; `None` if there is nothing new.
    wanted: Option<Instant>,
    /// But not before.
    not_before: Option<Instant>,
    /// Where it waits, and until when.
    waits: Option<(Lane, Instant)>,
    working: bool,
    /// The first change that is not published yet.
    changed: Option<Instant>,
    /// How often in a row S3 refused this file.
    refusals: u32,
    /// When S3 failed to take this file, if it has not taken it since.
    failed: Option<Instant>,
    broken: Option<Broken>,
}

struct Broken {
    since: Instant,
    reported: bool,
}

/// What the bucket has of a file.
#[derive(Clone, Copy)]
pub struct Sent {
    pub stamp: Stamp,
    pub sha256: [u8; 32],
}

/// A job to work on.
pub struct Work {
    pub id: JobId,
    pub name: OsString,
    /// The change that is being published; `None` if a look at the directory found the file.
    pub changed: Option<Instant>,
    /// SHA-256 of what the bucket has for certain.
    pub sent: Option<[u8; 32]>,
    pub started: Instant,
    /// When S3 failed to take the file, if it has not taken it since.
    pub failed: Option<Instant>,
    /// When the file was read, and how long it was.
    pub read: Option<(Instant, u64)>,
    pub _permit: OwnedSemaphorePermit,
}

impl Queue {
    /// Changes of a file within `settle` are one.
    pub fn new(settle: Duration) -> Self {
        Self { jobs: HashMap::new(), lanes: Lanes::default(), settle, working: 0, ending: false }
    }

    /// A file changed.
    pub fn changed(&mut self, id: JobId, name: OsString) {
        let job = self.jobs.entry(id).or_default();
        job.name = name;
        let first = *job.changed.get_or_insert_with(Instant::now);
        job.want(first + self.settle);
        self.place(id);
    }

    /// A look at the directory found these files. Those that are not new are left alone until they
    /// change.
    pub fn found(&mut self, files: Vec<Found>, is_new: impl Fn(&Found) -> bool) {
        let there: HashSet<_> = files.iter().map(|file| file.id).collect();
        self.jobs.retain(|id, job| job.working || job.waits.is_some() || there.contains(id));
        for file in files {
            let job = self.jobs.entry(file.id).or_default();
            if job.sent.is_none_or(|sent| sent.stamp != file.stamp) && is_new(&file) {
                job.name = file.name;
                job.want(Instant::now());
                self.place(file.id);
            }
        }
    }

    /// The next job to work on, if one is due and its lane has a permit.
    pub fn next(&mut self) -> Option<Work> {
        let started = Instant::now();
        let (id, permit) = self.lanes.next(started)?;
        let job = self.jobs.get_mut(&id)?;
        (job.wanted, job.waits, job.working) = (None, None, true);
        self.working += 1;
        Some(Work {
            id,
            name: job.name.clone(),
            changed: job.changed.take(),
            sent: job.sent.map(|sent| sent.sha256),
            started,
            failed: job.failed,
            read: None,
            _permit: permit,
        })
    }

    /// When [`next`](Self::next) has one, unless something changes.
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.next_due()
    }

    /// The bucket has the file.
    pub fn done(&mut self, work: &Work, sent: Sent) {
        self.end(work, |job| (job.sent, job.refusals, job.failed, job.broken) = (Some(sent), 0, None, None));
    }

    /// There is no such file any more.
    pub fn gone(&mut self, work: &Work) {
        self.end(work, |job| (job.sent, job.refusals, job.failed, job.broken) = (None, 0, None, None));
    }

    /// The file changed while it was read.
    pub fn changing(&mut self, work: &Work) {
        self.end(work, |job| job.retry(work, Instant::now()));
    }

    /// S3 takes no file at all. The job waits behind those that were not tried.
    pub fn failed(&mut self, work: &Work) {
        self.end(work, |job| job.fail(work));
    }

    /// S3 refused this file, for the n-th time in a row, which is returned.
    pub fn refused(&mut self, work: &Work) -> u32 {
        self.end(work, |job| {
            job.fail(work);
            job.refusals = job.refusals.saturating_add(1);
            job.not_before = Some(Instant::now() + backoff(BACKOFF, job.refusals, MAX_BACKOFF));
            job.refusals
        })
    }

    /// A job's file is broken. `true` if that is to be reported now.
    pub fn broken(&mut self, work: &Work) -> bool {
        let ending = self.ending;
        self.end(work, |job| {
            let now = Instant::now();
            let broken = job.broken.get_or_insert(Broken { since: now, reported: false });
            let report_at = broken.since + BROKEN;
            let is_due = !broken.reported && (ending || now >= report_at);
            broken.reported |= is_due;
            if broken.reported {
                job.changed = work.changed.or(job.changed);
            } else {
                job.retry(work, report_at);
            }
            is_due
        })
    }

    /// Everything is due now, for the process is about to end. That goes for broken files too, which
    /// may be whole by now; one that is still broken is not waited for.
    pub fn hurry(&mut self) {
        self.ending = true;
        for id in self.lanes.jobs().collect::<Vec<_>>() {
            if let Some(job) = self.jobs.get_mut(&id) {
                (job.wanted, job.not_before) = (Some(Instant::now()), None);
            }
            self.place(id);
        }
    }

    /// Jobs that wait or are in work; broken files that are not reported yet are among them.
    pub fn pending(&self) -> usize {
        self.working + self.lanes.len()
    }

    /// Whether S3 has refused all that is pending too often.
    pub fn is_hopeless(&self) -> bool {
        let is_hopeless = |id| self.jobs.get(&id).is_some_and(|job| job.refusals >= HOPELESS);
        self.working == 0 && self.lanes.jobs().all(is_hopeless)
    }

    /// Broken files that have been reported.
    pub fn reported(&self) -> usize {
        self.jobs.values().filter(|job| job.broken.as_ref().is_some_and(|broken| broken.reported)).count()
    }

    /// Ends the work on a job with what came of it.
    fn end<T: Default>(&mut self, work: &Work, outcome: impl FnOnce(&mut Job) -> T) -> T {
        self.working = self.working.saturating_sub(1);
        let Some(job) = self.jobs.get_mut(&work.id) else { return T::default() };
        job.working = false;
        let pause = |(at, bytes): (Instant, u64)| {
            at + self.settle.max(READ_PAUSE) + Duration::from_millis(bytes.saturating_mul(1000) / READ_SIZE)
        };
        job.not_before = work.read.map(pause);
        let outcome = outcome(job);
        self.place(work.id);
        outcome
    }

    /// Puts a job where it waits, if it does.
    fn place(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.working) else { return };
        if let Some((lane, at)) = job.waits.take() {
            self.lanes.remove(lane, at, id);
        }
        if let Some(wanted) = job.wanted {
            let at = job.not_before.map_or(wanted, |not_before| wanted.max(not_before));
            let lane = match job.changed {
                _ if job.refusals > 0 => Lane::Refused,
                Some(_) => Lane::Changed,
                None => Lane::Found,
            };
            job.waits = Some((lane, at));
            self.lanes.insert(lane, at, id);
        }
    }
}

impl Job {
    /// The file is to be looked at then, or before.
    fn want(&mut self, at: Instant) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }

    /// The same once more, for the change that was being published.
    fn retry(&mut self, work: &Work, at: Instant) {
        self.changed = work.changed.or(self.changed);
        self.want(at);
    }

    /// S3 did not take the file, or it did and its answer was lost.
    fn fail(&mut self, work: &Work) {
        let now = Instant::now();
        self.retry(work, now);
        (self.sent, self.failed) = (None, Some(now));
    }
}

/// The pause after so many failures in a row: half of it is random.
pub fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    let pause = first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(longest);
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}
