//! The loop: what changed goes into the queue, what is due goes to S3, what failed goes back.
//!
//! Any failure of S3's counts for all files: until an upload succeeds again, one is tried at a time,
//! with a pause that grows to ten seconds.

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::Client;
use job_status::JobId;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    file::{self, Stamp},
    queue::{Queue, Work, backoff},
    summary::{Summary, millis},
    upload::{Outcome, Plan, Refused, Sent, Target, Uploader},
    watch::Watch,
};

/// Uploads at a time. S3 takes some 50 ms for one, so this is 600 a second.
const AT_ONCE: usize = 32;
/// From one summary to the next, and from one look at the whole directory to the next.
const MINUTE: Duration = Duration::from_mins(1);
/// What ending may take: systemd and Docker kill 10 seconds after SIGTERM or later.
const DRAIN: Duration = Duration::from_millis(9500);
/// Failures in a row after which `--once` gives up.
const ONCE_FAILURES: u32 = 5;

/// Publishes one directory.
pub struct Publisher {
    watch: Watch,
    uploader: Arc<Uploader>,
    settle: Duration,
    since: Duration,
    queue: Queue,
    /// What the bucket has of each file.
    sent: HashMap<JobId, (Stamp, [u8; 32])>,
    tasks: JoinSet<(Work, Outcome)>,
    failures: u32,
    /// No upload starts before.
    resume: Instant,
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
            settle,
            since,
            queue: Queue::default(),
            sent: HashMap::new(),
            tasks: JoinSet::new(),
            failures: 0,
            resume: Instant::now(),
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
            if (once || self.ending) && self.queue.is_idle() {
                break;
            }
            if once && self.failures >= ONCE_FAILURES {
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
                    self.resume = Instant::now();
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
        let mut still = HashMap::with_capacity(found.len());
        for file in found {
            let sent = self.sent.remove(&file.id);
            if sent.is_none_or(|(stamp, _)| stamp != file.stamp) && file.modified >= oldest {
                self.queue.found(file.id, file.name);
            }
            if let Some(sent) = sent {
                still.insert(file.id, sent);
            }
        }
        self.sent = still;
    }

    async fn note_changes(&mut self) {
        let changes = self.watch.take();
        for (id, name) in changes.names {
            self.queue.changed(id, name, self.settle);
        }
        if changes.lost {
            warn!(event = "changes_lost", "the system could not report every change; looking at all files");
            self.look().await;
        }
    }

    fn start_due(&mut self) {
        while Instant::now() >= self.resume && self.queue.working() < self.at_once() {
            let Some(work) = self.queue.next() else { break };
            let plan = Plan {
                path: self.watch.directory().join(&work.name),
                compare: work.changed.is_none(),
                sent: self.sent.get(&work.id).map(|(_, sha256)| *sha256),
            };
            let uploader = Arc::clone(&self.uploader);
            self.tasks.spawn(async move {
                let outcome = uploader.publish(work.id, plan).await;
                (work, outcome)
            });
        }
    }

    /// When to look for due jobs again, if nothing else happens.
    fn wake(&self) -> Instant {
        let later = Instant::now() + MINUTE;
        if self.queue.working() < self.at_once() {
            self.queue.next_due().map_or(later, |due| due.max(self.resume))
        } else {
            later // the end of an upload comes first
        }
    }

    fn at_once(&self) -> usize {
        if self.failures == 0 { AT_ONCE } else { 1 }
    }

    fn finish(&mut self, work: &Work, outcome: Outcome) {
        match outcome {
            Outcome::Published(sent) => {
                self.succeeded();
                let delay = work.changed.map(|changed| changed.elapsed());
                info!(event = "published", job_id = %work.id, bytes = sent.bytes, delay_ms = delay.map(millis), "published");
                self.summary.published += 1;
                self.summary.bytes += sent.bytes as u64;
                self.summary.slowest = self.summary.slowest.max(delay.unwrap_or_default());
                self.settled(work, &sent);
            }
            Outcome::Present(sent) => {
                self.succeeded();
                self.summary.unchanged += 1;
                self.settled(work, &sent);
            }
            Outcome::Unchanged(sent) => {
                self.summary.unchanged += 1;
                self.settled(work, &sent);
            }
            Outcome::Broken(_) if self.ending => self.queue.done(work.id), // the next start looks at it again
            Outcome::Broken(why) => {
                let id = work.id;
                if self.queue.broken(work) {
                    warn!(
                        event = "broken",
                        job_id = %id,
                        error = why,
                        hint = "the file waits until it is whole",
                        "a status file is broken"
                    );
                }
            }
            Outcome::Changing => self.queue.again(work, self.settle),
            Outcome::Gone => {
                self.sent.remove(&work.id);
                self.queue.done(work.id);
            }
            Outcome::Failed(refused) => self.refused(work, &refused),
        }
    }

    fn settled(&mut self, work: &Work, sent: &Sent) {
        self.sent.insert(work.id, (sent.stamp, sent.sha256));
        self.queue.done(work.id);
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            info!(event = "recovered", pending = self.queue.pending(), "S3 takes files again");
        }
        self.failures = 0;
    }

    fn refused(&mut self, work: &Work, refused: &Refused) {
        // S3 may have taken it all the same: what it has is not known any more.
        self.sent.remove(&work.id);
        self.summary.failed += 1;
        let now = Instant::now();
        // Those that were under way when the first failed tell nothing new.
        if now >= self.resume {
            self.failures = self.failures.saturating_add(1);
            self.resume = now + backoff(self.failures);
            let Refused { error, advice } = refused;
            error!(
                event = "upload_failed",
                job_id = %work.id,
                error,
                hint = advice,
                pending = self.queue.pending(),
                "S3 did not take a file; it is tried again"
            );
        }
        self.queue.failed(work);
    }
}
