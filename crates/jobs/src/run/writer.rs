//! Keeps a job's status file in S3 up to date.
//!
//! One task writes, so one write is under way at a time, and what comes next is the newest state. S3 may
//! be away for any time: the task tries again until the last state is written.

use std::{sync::Arc, time::Duration};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::{Client, error::SdkError};
use job_status::JobId;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use super::{job::Job, signals::Signals};
use crate::{
    failure::Failure,
    output::{line, remark},
    s3::{self, Scope, Store, backoff, within},
};

/// Pause after the first failed write; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Where it stops doubling.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// S3 may still do a write that timed out. So long after that the last state is written again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the last state is still tried after a signal: Docker and systemd kill 10 seconds after SIGTERM
/// or later.
const AFTER_SIGNAL: Duration = Duration::from_secs(8);

/// The writer of one status file.
pub struct Writer {
    states: watch::Sender<State>,
    latest: watch::Receiver<Latest>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct State {
    file: Arc<[u8]>,
    is_last: bool,
}

/// What came of the latest write.
#[derive(Clone, PartialEq, Eq)]
enum Latest {
    Written {
        is_last: bool,
    },
    Failed {
        why: String,
        advice: &'static str,
    },
    /// It is not over.
    Nothing,
}

impl Writer {
    /// Writes the job's first state, and then the newest at least once in a heartbeat.
    pub fn start(client: Client, store: Store, job: &Job, first: Vec<u8>) -> Self {
        let (states, receiver) = watch::channel(State { file: first.into(), is_last: false });
        let (sender, latest) = watch::channel(Latest::Nothing);
        let task = Task {
            client: Some(client),
            store,
            id: job.id,
            heartbeat: job.heartbeat,
            states: receiver,
            latest: sender,
            timed_out: None,
        };
        Self { states, latest, task: tokio::spawn(task.write()) }
    }

    /// There is a new state.
    pub fn update(&self, file: Vec<u8>) {
        self.states.send_replace(State { file: file.into(), is_last: false });
    }

    /// Waits until the last state is written.
    ///
    /// # Errors
    /// It was not, within `give_up` or soon after a signal.
    pub async fn finish(mut self, file: Vec<u8>, give_up: Duration, signals: &mut Signals) -> Result<(), Failure> {
        self.states.send_replace(State { file: file.into(), is_last: true });
        let mut end = Instant::now() + give_up;
        loop {
            tokio::select! {
                ended = &mut self.task => return ended.map_err(|_| Failure::bug()),
                () = sleep_until(end) => break,
                _ = signals.next() => end = end.min(Instant::now() + AFTER_SIGNAL),
            }
        }
        let (why, advice) = match self.latest.borrow().clone() {
            Latest::Written { is_last: true } => return Ok(()),
            Latest::Failed { why, advice } => (why, advice),
            Latest::Written { .. } | Latest::Nothing => {
                ("S3 did not answer in time".into(), "wait longer with --give-up")
            }
        };
        Err(Failure::unanswered(format!("the last state of the job is not written: {why}")).advise(advice))
    }
}

/// The task.
struct Task {
    client: Option<Client>,
    store: Store,
    id: JobId,
    heartbeat: Duration,
    states: watch::Receiver<State>,
    latest: watch::Sender<Latest>,
    /// When a write last timed out.
    timed_out: Option<Instant>,
}

impl Task {
    /// Writes until the last state is written.
    async fn write(mut self) {
        let mut failures = 0;
        loop {
            let State { file, is_last } = self.states.borrow_and_update().clone();
            let begun = Instant::now();
            let written = self.put(&file).await;
            let is_written = written.is_ok();
            self.note(written.err().unwrap_or(Latest::Written { is_last }));
            if is_written && is_last {
                let again = self.timed_out.map(|at| at + AGAIN);
                if let Some(again) = again.filter(|again| Instant::now() < *again) {
                    sleep_until(again).await;
                    let _ = self.put(&file).await;
                }
                return;
            }
            if is_written {
                failures = 0;
                tokio::select! {
                    _ = self.states.changed() => {}
                    () = sleep_until(begun + self.heartbeat) => {}
                }
            } else {
                failures += 1;
                tokio::select! {
                    _ = self.states.wait_for(|newest| newest.is_last && !is_last) => {}
                    () = sleep(backoff(PAUSE, failures, MAX_PAUSE)) => {}
                }
            }
        }
    }

    async fn put(&mut self, file: &[u8]) -> Result<(), Latest> {
        let client = match self.client.take() {
            Some(client) => client,
            None => s3::client(RetryConfig::disabled()).await.map_err(|failure| Latest::Failed {
                why: failure.to_string(),
                advice: "see the file that AWS_CA_BUNDLE names",
            })?,
        };
        let put = self.store.put(&client, self.id, file.to_vec());
        let result = put.customize().config_override(within(file.len())).send().await;
        let Err(error) = result else {
            self.client = Some(client);
            return Ok(());
        };
        if matches!(error, SdkError::TimeoutError(_)) {
            self.timed_out = Some(Instant::now());
        }
        // The SDK reads a profile once, so it is asked anew for credentials.
        self.client = Some(client).filter(|_| s3::scope(&error) != Scope::Credentials);
        Err(Latest::Failed { why: line(&s3::reason(&error)), advice: s3::advice(&error) })
    }

    /// Notes what came of a write. The person at the terminal is told of each new reason why S3 takes none.
    fn note(&self, new: Latest) {
        if let Latest::Failed { why, advice } = &new
            && *self.latest.borrow() != new
        {
            let url = self.store.url(self.id);
            remark(format_args!("warning: {url} is not written, and tried again: {why}\n  {advice}"));
        }
        self.latest.send_replace(new);
    }
}
