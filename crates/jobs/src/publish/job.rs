//! What is known of one job's file, and so when it is looked at next.
//!
//! The first change of a new file counts at once, for somebody may ask for the job already. Later ones
//! settle, from the first one on and not from the last: a file that never rests is published too. No
//! change shortens the pause after a read or a refusal.

use std::{ffi::OsString, mem::take, time::Duration};

use job_status::JobId;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    file::{Found, Stamp},
    lanes::Lane,
    watch::Change,
};
use crate::s3::backoff;

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
/// After a request that S3 may have done late, its object is compared again after this time.
const COMPARE_AGAIN: Duration = Duration::from_secs(5);
/// After so many refusals `--once` gives a file up.
const HOPELESS: u32 = 5;

/// One job's file.
#[derive(Default)]
pub struct Job {
    name: OsString,
    /// What is known since the file was last looked at.
    known: Option<Known>,
    /// When to look at the file; `None` if there is nothing new.
    wanted: Option<Instant>,
    /// But not before.
    not_before: Option<Instant>,
    /// The first change that is not published yet.
    changed: Option<Instant>,
    /// Whether the bucket may have something newer.
    compare: bool,
    /// How often in a row S3 refused this file.
    refusals: u32,
    /// When S3 failed to take it, if it has not taken it since.
    failed: Option<Instant>,
    /// Whether S3 may still do what it failed to do.
    is_uncertain: bool,
    broken: Option<Broken>,
}

/// What is known of a file that was looked at.
#[derive(Clone, Copy)]
pub struct Known {
    pub stamp: Stamp,
    /// SHA-256 of what the bucket has, if it has what was in the file.
    pub sha256: Option<[u8; 32]>,
}

struct Broken {
    since: Instant,
    reported: bool,
}

/// What may mend a broken file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mends {
    /// Another read: it changed during the last one, or somebody had it open for themselves.
    Read,
    /// Its writer, which may be at work.
    Writer,
    /// Nothing but another file in its place.
    Nothing,
}

/// A file that is worked on.
pub struct Work {
    pub id: JobId,
    pub name: OsString,
    /// The change that is being published; `None` if a look at the directory found the file.
    pub changed: Option<Instant>,
    /// Whether it changed for the first time and has not settled.
    pub is_early: bool,
    /// Whether to ask first what the bucket has.
    pub compare: bool,
    /// SHA-256 of what the bucket has for certain.
    pub sent: Option<[u8; 32]>,
    pub started: Instant,
    /// When S3 failed to take the file, if it has not taken it since.
    pub failed: Option<Instant>,
    /// When the file was read, and how long it was.
    pub read: Option<(Instant, u64)>,
    pub permit: Option<OwnedSemaphorePermit>,
}

impl Job {
    /// The file changed.
    pub fn change(&mut self, change: Change, settle: Duration) {
        let now = Instant::now();
        let first = *self.changed.get_or_insert(now);
        let is_urgent = self.known.is_none() && change.is_complete;
        self.want(if is_urgent { now } else { first + settle });
        // Of two names for one job, the file that was written last counts.
        self.compare |= self.known.is_some() && self.name != change.name;
        self.name = change.name;
    }

    /// A look at the directory found the file.
    pub fn find(&mut self, file: Found) {
        if self.known.is_none_or(|known| known.stamp != file.stamp) {
            (self.name, self.compare) = (file.name, true);
            self.want(Instant::now());
        }
    }

    /// Where it waits and until when, unless there is nothing new.
    pub fn waits(&self) -> Option<(Lane, Instant)> {
        let lane = match self.changed {
            _ if self.failed.is_some() => Lane::Failed,
            Some(_) => Lane::Changed,
            None => Lane::Found,
        };
        self.wanted.map(|wanted| (lane, self.not_before.map_or(wanted, |not_before| wanted.max(not_before))))
    }

    /// Work on it begins.
    pub fn start(&mut self, id: JobId, settle: Duration, permit: OwnedSemaphorePermit) -> Work {
        let started = Instant::now();
        self.wanted = None;
        Work {
            id,
            name: self.name.clone(),
            is_early: self.known.is_none() && self.changed.is_some_and(|changed| started < changed + settle),
            changed: self.changed.take(),
            compare: take(&mut self.compare),
            sent: self.known.and_then(|known| known.sha256),
            started,
            failed: self.failed,
            read: None,
            permit: Some(permit),
        }
    }

    /// Work on it ends; what came of it follows. The next read has to wait.
    pub fn end(&mut self, work: &Work, settle: Duration) {
        let pause = |bytes: u64| settle.max(READ_PAUSE) + Duration::from_millis(bytes.saturating_mul(1000) / READ_SIZE);
        self.not_before = work.read.map(|(at, bytes)| at + pause(bytes));
    }

    /// There is nothing left to do. `true` if it is another file than when this was last so.
    pub fn done(&mut self, known: Known) -> bool {
        let is_news = self.known.is_none_or(|before| before.stamp != known.stamp);
        (self.known, self.refusals, self.failed, self.broken) = (Some(known), 0, None, None);
        if take(&mut self.is_uncertain) {
            self.known = Some(Known { sha256: None, ..known });
            self.compare = true;
            self.want(Instant::now() + COMPARE_AGAIN);
        }
        is_news
    }

    /// There is no such file any more.
    pub fn gone(&mut self) {
        *self = Self { name: take(&mut self.name), wanted: self.wanted, changed: self.changed, ..Self::default() };
    }

    /// It is looked at again then, for the same change.
    pub fn retry(&mut self, work: &Work, at: Instant) {
        self.changed = work.changed.or(self.changed);
        self.compare |= work.compare;
        self.want(at);
    }

    /// S3 takes no files.
    pub fn fail(&mut self, work: &Work, is_uncertain: bool) {
        let now = Instant::now();
        self.retry(work, now);
        self.failed = Some(now);
        self.is_uncertain |= is_uncertain;
        self.known.iter_mut().for_each(|known| known.sha256 = None);
    }

    /// S3 does not take this file, for the n-th time in a row, which is returned.
    pub fn refuse(&mut self, work: &Work, is_uncertain: bool) -> u32 {
        self.fail(work, is_uncertain);
        self.refusals = self.refusals.saturating_add(1);
        self.not_before = Some(Instant::now() + backoff(BACKOFF, self.refusals, MAX_BACKOFF));
        self.refusals
    }

    /// The file is broken. `true` if that is to be reported now, `ending` being the last chance.
    pub fn broke(&mut self, work: &Work, mends: Mends, ending: bool) -> bool {
        let now = Instant::now();
        let broken = self.broken.get_or_insert(Broken { since: now, reported: false });
        let report_at = broken.since + BROKEN;
        let is_news = !broken.reported && (ending || mends == Mends::Nothing || now >= report_at);
        broken.reported |= is_news;
        match mends {
            _ if broken.reported => self.changed = work.changed.or(self.changed),
            Mends::Read => self.retry(work, now + READ_PAUSE),
            Mends::Writer | Mends::Nothing => self.retry(work, report_at),
        }
        is_news
    }

    /// It is due now, if it waits, for the process is about to end.
    pub fn hurry(&mut self) {
        self.wanted = self.wanted.map(|_| Instant::now());
        self.not_before = None;
    }

    /// Whether S3 has refused it too often.
    pub fn is_hopeless(&self) -> bool {
        self.refusals >= HOPELESS
    }

    /// Whether it is broken and that was reported.
    pub fn is_reported(&self) -> bool {
        self.broken.as_ref().is_some_and(|broken| broken.reported)
    }

    fn want(&mut self, at: Instant) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }
}
