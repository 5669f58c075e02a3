//! The loop: what changed goes into the queue, what is due goes to S3, what failed goes back.
//!
//! A failure is the file's own, or it counts for all: then there is an [`Outage`] until S3 answers
//! again. S3's answer tells which. A failure that would count for all is the file's own if S3 has taken
//! others since it last failed for this one.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::Client;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    file,
    outage::Outage,
    queue::{Queue, Sent, Work},
    summary::{Summary, millis},
    upload::{Failed, Outcome, Target, Uploader},
    watch::Watch,
};
use crate::s3::Scope;

/// From one summary to the next, and from one look at the whole directory to the next.
const MINUTE: Duration = Duration::from_mins(1);
/// What ending may take: systemd and Docker kill 10 seconds after SIGTERM or later.
const DRAIN: Duration = Duration::from_millis(9500);
/// How often the queue is looked at, though nothing has happened.
const SECOND: Duration = Duration::from_secs(1);

/// Publishes one directory.
pub struct Publisher {
    watch: Watch,
    uploader: Arc<Uploader>,
    since: Duration,
    queue: Queue,
    tasks: JoinSet<(Work, Outcome)>,
    outage: Option<Outage>,
    /// When S3 last took a file.
    taken: Option<Instant>,
    ending: bool,
    summary: Summary,
}

/// Why a publisher ended without having sent everything.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// S3 does not have so many files yet.
    #[error("files that are not sent yet: {0}")]
    NotSent(usize),
    /// So many files are broken.
    #[error("files that are broken and were not sent: {0}")]
    Broken(usize),
    /// A defect.
    #[error("{0}")]
    Panic(#[from] JoinError),
}

impl Publisher {
    /// For a directory. Several changes of a file within `settle` are one upload, and files that were
    /// last changed before `since` are left alone until they change.
    ///
    /// The client should not repeat what failed: a failed upload is repeated here, with the file as it
    /// is then.
    #[must_use]
    pub fn new(watch: Watch, client: Client, target: Target, settle: Duration, since: Duration) -> Self {
        Self {
            watch,
            uploader: Arc::new(Uploader::new(client, target)),
            since,
            queue: Queue::new(settle),
            tasks: JoinSet::new(),
            outage: None,
            taken: None,
            ending: false,
            summary: Summary::default(),
        }
    }

    /// Publishes until `stop` is ready and what is pending then is sent, which it tries for 9.5
    /// seconds. With `once` it ends as soon as there is nothing left to do.
    ///
    /// # Errors
    /// [`Unfinished`]
    pub async fn run(mut self, once: bool, stop: impl Future<Output = ()>) -> Result<(), Unfinished> {
        let mut stop = pin!(stop);
        let mut minute = interval_at(Instant::now() + MINUTE, MINUTE);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = Instant::now();
        self.look().await;
        let target = self.uploader.target().to_string();
        info!(event = "started", directory = %self.watch.directory().display(), target, "publishing");
        loop {
            self.start_due();
            if (once || self.ending) && self.queue.pending() == 0 {
                break;
            }
            if once && (self.queue.is_hopeless() || self.outage.as_ref().is_some_and(Outage::is_hopeless)) {
                break;
            }
            let wake = self.wake();
            tokio::select! {
                Some(done) = self.tasks.join_next() => {
                    let (work, outcome) = done?;
                    self.finish(&work, outcome);
                }
                () = self.watch.changed(), if !self.ending => self.note_changes().await,
                () = sleep_until(wake) => {}
                _ = minute.tick() => {
                    self.summary.write(self.queue.pending(), self.queue.reported());
                    self.look().await;
                }
                () = &mut stop, if !self.ending => {
                    end = Instant::now() + DRAIN;
                    self.ending = true;
                    self.look().await;
                    self.queue.hurry();
                    if let Some(outage) = &mut self.outage {
                        outage.resume = Instant::now();
                    }
                }
                () = sleep_until(end), if self.ending => break,
            }
        }
        self.ended()
    }

    fn ended(mut self) -> Result<(), Unfinished> {
        let (pending, broken) = (self.queue.pending(), self.queue.reported());
        self.summary.write(pending, broken);
        info!(event = "stopped", pending, broken, "stopped");
        if pending > 0 {
            return Err(Unfinished::NotSent(pending));
        }
        if broken > 0 {
            return Err(Unfinished::Broken(broken));
        }
        Ok(())
    }

    /// Looks at the whole directory for files that changed without its being told: before the start,
    /// while the system had to drop changes, on another machine.
    async fn look(&mut self) {
        if let Err(error) = self.watch.follow() {
            error!(event = "not_watched", error = %error, hint = "make the directory again", "the directory is not watched");
            return;
        }
        let directory = self.watch.directory().to_owned();
        let found = match tokio::task::spawn_blocking(move || file::scan(&directory)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return error!(event = "not_read", %error, "the directory cannot be read"),
            Err(panic) => return error!(event = "not_read", error = %panic, "the directory cannot be read"),
        };
        let oldest = SystemTime::now().checked_sub(self.since).unwrap_or(SystemTime::UNIX_EPOCH);
        self.queue.found(found, |file| file.modified >= oldest);
    }

    async fn note_changes(&mut self) {
        let changes = self.watch.take();
        for (id, name) in changes.names {
            self.queue.changed(id, name);
        }
        if changes.lost {
            warn!(event = "changes_lost", "the system could not report every change; looking at all files");
            self.look().await;
        }
    }

    fn start_due(&mut self) {
        while self.outage.as_ref().is_none_or(|outage| Instant::now() >= outage.resume) {
            let Some(work) = self.queue.next() else { break };
            if let Some(outage) = &mut self.outage {
                outage.probe();
            }
            let path = self.watch.directory().join(&work.name);
            self.tasks.spawn(Arc::clone(&self.uploader).publish(work, path));
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
            Outcome::Published(sent, bytes) => {
                self.took();
                let delay = work.changed.map(|changed| changed.elapsed());
                info!(event = "published", job_id = %work.id, bytes, delay_ms = delay.map(millis), "published");
                self.summary.published += 1;
                self.summary.bytes += bytes as u64;
                self.summary.slowest = self.summary.slowest.max(delay.unwrap_or_default());
                self.queue.done(work, sent);
            }
            Outcome::Present(sent) => {
                self.took();
                self.unchanged(work, sent);
            }
            Outcome::Unchanged(sent) => self.unchanged(work, sent),
            Outcome::Broken(_) if self.ending => self.queue.gone(work), // the next start looks at it again
            Outcome::Broken(why) => {
                if self.queue.broken(work) {
                    warn!(
                        event = "broken",
                        job_id = %work.id,
                        error = why,
                        hint = "the file waits until it is whole",
                        "a status file is broken"
                    );
                }
            }
            Outcome::Changing => self.queue.changing(work),
            Outcome::Gone => self.queue.gone(work),
            Outcome::Failed(failed) => self.failed(work, &failed),
        }
    }

    fn unchanged(&mut self, work: &Work, sent: Sent) {
        self.summary.unchanged += 1;
        self.queue.done(work, sent);
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
        self.summary.failed += 1;
        let Failed { error, hint, scope, .. } = failed;
        let took_others = work.failed.is_some_and(|failed| self.taken.is_some_and(|taken| taken > failed));
        let (is_news, message);
        if *scope == Scope::Object || took_others {
            if failed.is_answer {
                self.recovered();
            }
            // A file that is refused for days does not fill the log.
            is_news = self.queue.refused(work).is_power_of_two();
            message = "S3 did not take this file; it is tried again, and the others go on";
        } else {
            self.queue.failed(work);
            is_news = self.outage.as_mut().is_none_or(|outage| outage.fail(work.started));
            self.outage.get_or_insert_with(Outage::begin);
            message = "S3 takes no files; they wait";
        }
        if is_news {
            let pending = self.queue.pending();
            error!(event = "upload_failed", job_id = %work.id, error, hint, pending, "{message}");
        }
    }
}
