//! The loop: what changed goes into the queue, what is due goes to S3, what failed goes back.
//!
//! A failure is the file's own, or it counts for all: then there is an [`Outage`] until S3 answers
//! again. S3's answer tells which. A failure that would count for all is the file's own if S3 has taken
//! others since it last failed for this one.
//!
//! Nothing here waits for the disk: it may hang.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::Client;
use job_status::chain;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tracing::{info, warn};

use super::{
    Publish, Unfinished,
    bucket::Failed,
    file::Unread,
    job::{Known, Mends, Work},
    log::Log,
    outage::Outage,
    queue::Queue,
    summary::{self, Summary},
    upload::{Outcome, Uploader},
    watch::{Look, Unavailable, Watch},
};
use crate::{platform, s3::Scope};

/// From one summary to the next.
const MINUTE: Duration = Duration::from_mins(1);
/// What ending may take.
const DRAIN: Duration = Duration::from_millis(platform::KILLED_AFTER - 500);
/// The queue is looked at so often, even if nothing has happened: a permit may have come back.
const SECOND: Duration = Duration::from_secs(1);

/// Publishes one directory.
pub struct Publisher {
    watch: Watch,
    uploader: Arc<Uploader>,
    options: Publish,
    queue: Queue,
    uploads: JoinSet<(Work, Outcome)>,
    looks: JoinSet<Result<Look, Unavailable>>,
    next_look: Instant,
    /// What was wrong with the last look, so that it is said once.
    trouble: Option<String>,
    started: bool,
    outage: Option<Outage>,
    /// When S3 last took a file.
    taken: Option<Instant>,
    ending: bool,
    summary: Summary,
    log: Log,
}

impl Publisher {
    /// The client should not repeat what failed: a failed upload is repeated here, with the file as it
    /// is then.
    pub fn new(watch: Watch, client: Client, log: Log, options: Publish) -> Self {
        Self {
            watch,
            uploader: Arc::new(Uploader::new(client, options.store.clone(), options.all)),
            queue: Queue::new(*options.settle),
            options,
            uploads: JoinSet::new(),
            looks: JoinSet::new(),
            next_look: Instant::now(),
            trouble: None,
            started: false,
            outage: None,
            taken: None,
            ending: false,
            summary: Summary::default(),
            log,
        }
    }

    /// Publishes until `stop` is ready and what is pending then is sent, which it tries for [`DRAIN`].
    ///
    /// # Errors
    /// [`Unfinished`]
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Unfinished> {
        let mut stop = pin!(stop);
        let mut minute = interval_at(Instant::now() + MINUTE, MINUTE);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = Instant::now();
        self.look();
        while !self.is_done() {
            self.start_due();
            let wake = self.wake();
            tokio::select! {
                Some(done) = self.uploads.join_next() => {
                    let (work, outcome) = done?;
                    self.finish(&work, outcome);
                }
                Some(look) = self.looks.join_next() => self.looked(look?),
                () = self.watch.changed(), if !self.ending => self.note_changes(),
                () = sleep_until(wake) => {}
                () = sleep_until(self.next_look), if self.looks.is_empty() => self.look(),
                _ = minute.tick() => self.summary.write(&self.queue, &self.log),
                () = &mut stop, if !self.ending => {
                    end = Instant::now() + DRAIN;
                    self.ending = true;
                    self.look();
                    self.queue.hurry();
                    self.outage.iter_mut().for_each(|outage| outage.resume = Instant::now());
                }
                () = sleep_until(end), if self.ending => break,
            }
        }
        self.ended()
    }

    fn is_done(&self) -> bool {
        let Publish { once, .. } = self.options;
        let is_hopeless = self.queue.is_hopeless() || self.outage.as_ref().is_some_and(Outage::is_hopeless);
        self.looks.is_empty()
            && ((once || self.ending) && self.queue.pending() == 0 || once && self.queue.pending() > 0 && is_hopeless)
    }

    fn ended(mut self) -> Result<(), Unfinished> {
        let (pending, broken) = (self.queue.pending(), self.queue.reported());
        self.summary.write(&self.queue, &self.log);
        info!(event = "stopped", pending, broken, "stopped");
        match (pending, broken) {
            _ if !self.started => Err(Unfinished::NotRead),
            (0, 0) => Ok(()),
            (0, broken) => Err(Unfinished::Broken(broken)),
            (pending, _) => Err(Unfinished::NotSent(pending)),
        }
    }

    /// Looks at the whole directory for files that changed without its being told: before the start,
    /// while the system had to drop changes, on another machine.
    fn look(&mut self) {
        self.looks.spawn_blocking(self.watch.look());
    }

    fn looked(&mut self, look: Result<Look, Unavailable>) {
        let trouble = match look {
            Ok(look) => {
                let (files, unwatched) = self.watch.looked(look);
                let oldest = SystemTime::now().checked_sub(*self.options.since).unwrap_or(SystemTime::UNIX_EPOCH);
                self.queue.found(files, |file| file.modified >= oldest);
                if !self.started {
                    self.started = true;
                    let (directory, target) = (self.watch.directory().display(), self.uploader.store());
                    info!(event = "started", %directory, %target, "publishing");
                }
                unwatched
            }
            Err(error) => {
                self.watch.unwatch();
                Some(error)
            }
        };
        self.next_look = Instant::now() + self.watch.look_after();
        // Said once, as long as it is the same.
        let said = std::mem::replace(&mut self.trouble, trouble.as_ref().map(|error| chain(error)));
        if let Some(error) = trouble.filter(|_| self.trouble != said) {
            let (error, hint) = (chain(&error), error.hint());
            warn!(
                event = "not_watched",
                error, hint, "the directory is not watched; it is looked at every few seconds"
            );
        }
    }

    fn note_changes(&mut self) {
        let changes = self.watch.take();
        for (id, change) in changes.files {
            self.queue.changed(id, change);
        }
        if changes.lost {
            warn!(event = "changes_lost", "the system could not report every change; looking at all files");
        }
        // A look that is under way may have come too early.
        if changes.lost || changes.moved {
            self.look();
        }
    }

    fn start_due(&mut self) {
        while self.outage.as_ref().is_none_or(|outage| Instant::now() >= outage.resume) {
            let Some(work) = self.queue.next(self.outage.is_some()) else { break };
            if let Some(outage) = &mut self.outage {
                outage.probe();
            }
            let path = self.watch.directory().join(&work.name);
            self.uploads.spawn(Arc::clone(&self.uploader).publish(work, path));
        }
    }

    /// When to look for due jobs again, if nothing else happens.
    fn wake(&self) -> Instant {
        let later = Instant::now() + SECOND;
        let resume = self.outage.as_ref().map(|outage| outage.resume);
        self.queue.next_due().map_or(later, |due| resume.map_or(due, |resume| due.max(resume)).min(later))
    }

    fn finish(&mut self, work: &Work, outcome: Outcome) {
        match outcome {
            Outcome::Published(known, bytes) => {
                self.took();
                self.summary.published(work, bytes);
                self.done(work, known);
            }
            Outcome::Present(known) => {
                self.took();
                self.summary.unchanged += 1;
                self.done(work, known);
            }
            Outcome::Unchanged(known) => {
                self.summary.unchanged += 1;
                self.done(work, known);
            }
            Outcome::Older(known) => {
                self.took();
                if self.done(work, known) {
                    self.summary.older(work);
                }
            }
            Outcome::Poll(known) => {
                self.summary.polls += u64::from(self.done(work, known));
            }
            Outcome::Early => self.queue.end(work, |job, _| job.retry(work, Instant::now())),
            Outcome::Unread(Unread::Gone) => self.queue.end(work, |job, _| job.gone()),
            Outcome::Unread(Unread::Changing) => self.broken(work, Mends::Read, "it changes all the time"),
            Outcome::Unread(Unread::Held) => self.broken(work, Mends::Read, "another process has it open"),
            Outcome::Unread(Unread::Broken(error)) => self.broken(work, Mends::Writer, &error),
            Outcome::Unread(Unread::NotAFile(error)) => self.broken(work, Mends::Nothing, error),
            Outcome::Failed(failed) => self.failed(work, &failed),
        }
    }

    fn done(&mut self, work: &Work, known: Known) -> bool {
        self.queue.end(work, |job, _| job.done(known))
    }

    fn broken(&mut self, work: &Work, mends: Mends, error: &str) {
        if self.queue.end(work, |job, ending| job.broke(work, mends, ending)) {
            summary::broken(work, mends, error);
        }
    }

    fn took(&mut self) {
        self.taken = Some(Instant::now());
        self.recovered();
    }

    fn recovered(&mut self) {
        if self.outage.take().is_some() {
            info!(event = "recovered", pending = self.queue.pending(), "S3 answers again");
        }
    }

    fn failed(&mut self, work: &Work, failed: &Failed) {
        let took_others = work.failed.is_some_and(|failed| self.taken.is_some_and(|taken| taken > failed));
        let is_own = failed.scope == Scope::Object || took_others;
        let is_news = if is_own {
            if failed.is_answer {
                self.recovered();
            }
            // A file that is refused for days does not fill the log.
            self.queue.end(work, |job, _| job.refuse(work, failed.is_uncertain)).is_power_of_two()
        } else {
            self.queue.end(work, |job, _| job.fail(work, failed.is_uncertain));
            let is_news = self.outage.as_mut().is_none_or(|outage| outage.fail(work.started));
            self.outage.get_or_insert_with(Outage::begin);
            is_news
        };
        if failed.scope == Scope::Credentials {
            self.uploader = Arc::new(self.uploader.renewed());
        }
        self.summary.failed(work, failed, is_own, is_news.then(|| self.queue.pending()));
    }
}
