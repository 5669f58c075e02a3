//! Which job's file is to be looked at, and when.
//!
//! A job is in work once or not at all, so that two uploads of one id never meet. What changes while
//! it is in work makes it due again. A change is waited for from the first one on, not from the last:
//! a file that never rests is published too.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    ffi::OsString,
    time::Duration,
};

use job_status::JobId;
use tokio::time::Instant;

/// How long a file may be broken before that is reported.
const BROKEN: Duration = Duration::from_secs(10);
/// Pause after a first failure; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);
/// Where it stops doubling: what S3 is asked while it is away costs nothing.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// The jobs with something to do, and broken files.
#[derive(Default)]
pub struct Queue {
    jobs: HashMap<JobId, Job>,
    due: BTreeSet<(Instant, JobId)>,
    /// What a scan found. It has time until nothing is due.
    backlog: VecDeque<JobId>,
    working: usize,
    ending: bool,
}

#[derive(Default)]
struct Job {
    name: OsString,
    when: When,
    working: bool,
    /// The first change that is not published yet.
    changed: Option<Instant>,
    failures: u32,
    broken: Option<Broken>,
}

#[derive(Default, PartialEq)]
enum When {
    #[default]
    Never,
    Backlog,
    At(Instant),
}

struct Broken {
    since: Instant,
    reported: bool,
}

/// A job to work on.
pub struct Work {
    pub id: JobId,
    pub name: OsString,
    /// The change that is being published; `None` if a scan found the file.
    pub changed: Option<Instant>,
}

impl Queue {
    /// A file changed: it is due after `settle`.
    pub fn changed(&mut self, id: JobId, name: OsString, settle: Duration) {
        let now = Instant::now();
        let job = self.jobs.entry(id).or_default();
        job.name = name;
        let first = *job.changed.get_or_insert(now);
        self.schedule(id, first + settle);
    }

    /// A scan found a file that may have changed.
    pub fn found(&mut self, id: JobId, name: OsString) {
        let job = self.jobs.entry(id).or_default();
        job.name = name;
        if job.working {
            self.schedule(id, Instant::now());
        } else if job.when == When::Never {
            job.when = When::Backlog;
            self.backlog.push_back(id);
        }
    }

    /// The next job to work on, if one is due.
    pub fn next(&mut self) -> Option<Work> {
        let now = Instant::now();
        let mut later = Vec::new();
        let mut next = None;
        while let Some(&(at, id)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            if self.jobs.get(&id).is_some_and(|job| job.working) {
                later.push((at, id)); // until it is done
            } else {
                next = Some(id);
                break;
            }
        }
        self.due.extend(later);
        let next = next.or_else(|| self.next_of_backlog());
        let id = next?;
        let job = self.jobs.get_mut(&id)?;
        (job.when, job.working) = (When::Never, true);
        self.working += 1;
        Some(Work { id, name: job.name.clone(), changed: job.changed.take() })
    }

    fn next_of_backlog(&mut self) -> Option<JobId> {
        while let Some(id) = self.backlog.pop_front() {
            // Some have become due by a change meanwhile.
            if self.jobs.get(&id).is_some_and(|job| job.when == When::Backlog) {
                return Some(id);
            }
        }
        None
    }

    /// When a job becomes due next.
    pub fn next_due(&self) -> Option<Instant> {
        if !self.backlog.is_empty() {
            return Some(Instant::now());
        }
        self.due.iter().find(|(_, id)| self.jobs.get(id).is_some_and(|job| !job.working)).map(|(at, _)| *at)
    }

    /// A job's file is published, or there is nothing to publish.
    pub fn done(&mut self, id: JobId) {
        if let Some(job) = self.end(id) {
            (job.failures, job.broken) = (0, None);
            if job.when == When::Never {
                self.jobs.remove(&id);
            }
        }
    }

    /// A job's file changed under the reader: it is due after `settle`.
    pub fn again(&mut self, work: &Work, settle: Duration) {
        if let Some(job) = self.end(work.id) {
            job.changed = work.changed.or(job.changed);
            self.schedule(work.id, Instant::now() + settle);
        }
    }

    /// A job's upload failed: it is due after a pause, which is returned.
    pub fn failed(&mut self, work: &Work) {
        if let Some(job) = self.end(work.id) {
            job.changed = work.changed.or(job.changed);
            job.failures = job.failures.saturating_add(1);
            let at = Instant::now() + backoff(job.failures);
            self.schedule(work.id, at);
        }
    }

    /// A job's file is broken. `true` if that is to be reported now.
    pub fn broken(&mut self, work: &Work) -> bool {
        let ending = self.ending;
        let Some(job) = self.end(work.id) else { return false };
        job.changed = work.changed.or(job.changed);
        let now = Instant::now();
        let broken = job.broken.get_or_insert(Broken { since: now, reported: false });
        let report_at = broken.since + BROKEN;
        if broken.reported {
            return false;
        }
        if now < report_at && !ending {
            self.schedule(work.id, report_at);
            return false;
        }
        broken.reported = true;
        true
    }

    /// Everything is due now, for the process is about to end. That goes for broken files too, which
    /// may be whole by now; one that is still broken is not waited for.
    pub fn hurry(&mut self) {
        self.ending = true;
        let now = Instant::now();
        self.due = std::mem::take(&mut self.due).into_iter().map(|(_, id)| (now, id)).collect();
        for job in self.jobs.values_mut() {
            if let When::At(at) = &mut job.when {
                *at = now;
            }
        }
    }

    /// Whether there is nothing to do, now or later.
    pub fn is_idle(&self) -> bool {
        self.due.is_empty() && self.backlog.is_empty() && self.working == 0
    }

    /// Jobs that are due some time, in the backlog or in work; broken files that wait are among them.
    pub fn pending(&self) -> usize {
        self.jobs.values().filter(|job| job.working || job.when != When::Never).count()
    }

    /// Broken files that have been reported.
    pub fn reported(&self) -> usize {
        self.jobs.values().filter(|job| job.broken.as_ref().is_some_and(|broken| broken.reported)).count()
    }

    /// Jobs in work.
    pub fn working(&self) -> usize {
        self.working
    }

    fn end(&mut self, id: JobId) -> Option<&mut Job> {
        self.working = self.working.saturating_sub(1);
        let job = self.jobs.get_mut(&id)?;
        job.working = false;
        Some(job)
    }

    /// Makes a job due, unless it is due before.
    fn schedule(&mut self, id: JobId, at: Instant) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let When::At(before) = job.when {
            if before <= at {
                return;
            }
            self.due.remove(&(before, id));
        }
        job.when = When::At(at);
        self.due.insert((at, id));
    }
}

/// The pause after so many failures in a row: half of it is random.
pub fn backoff(failures: u32) -> Duration {
    let longest = BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_BACKOFF);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}
