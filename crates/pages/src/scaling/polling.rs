//! One job and one caller that polls it: how many polls, and how late the last one is.
//!
//! The caller asks as the job begins, waits as told, and asks again until the job is over. An
//! answer takes no time.

use std::{path::Path, time::Duration};

use job_status::{JobOutcome, Progress, limits::RETRY_AFTER_SECONDS};
use pages::Table;

use super::{
    chart::{Axis, Corner, Line, Range, decades, draw, labelled, points},
    numbers::number,
};

const LENGTHS: [(f64, &str); 9] = [
    (10.0, "10 s"),
    (30.0, "30 s"),
    (60.0, "1 min"),
    (120.0, "2 min"),
    (300.0, "5 min"),
    (600.0, "10 min"),
    (1_800.0, "30 min"),
    (3_600.0, "1 h"),
    (7_200.0, "2 h"),
];

/// How the caller decides when to ask again.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Every so many seconds.
    Fixed(f64),
    /// When the endpoint says so.
    RetryAfter,
    /// The same, and the worker says `retry_after_seconds` in whatever it writes.
    WorkerSays(u64),
}

/// When the worker last wrote the status file, by the time: both in seconds since the job began.
pub type Worker = dyn Fn(f64) -> f64;

/// A worker that writes when the job begins and when it is over.
pub const WITHOUT_PROGRESS: &Worker = &|_| 0.0;

/// Jobs of about the same length.
pub struct Jobs {
    /// Polls of one job, the last one included, on average.
    pub polls: f64,
    /// From the job's end to the poll that notices, seconds, on average.
    pub delay: f64,
}

/// How many jobs are polled.
const COUNT: u32 = 1_000;

/// Lengths of jobs of about `length`. They differ by up to 30 %, most of them by less: with one
/// length alone, how late the last poll is would be chance.
fn lengths_about(length: f64) -> impl Iterator<Item = f64> {
    // Multiples of these two cover a square evenly, without chance (Roberts' R2 sequence).
    let even = |job: u32| (f64::from(job) * 0.754_877_666_2).fract() + (f64::from(job) * 0.569_840_290_9).fract();
    (0..COUNT).map(move |job| length * (0.7 + 0.3 * even(job)))
}

/// Polls jobs of about `length` seconds.
pub fn poll(length: f64, worker: &Worker, pace: Pace) -> Jobs {
    let (mut polls, mut delay) = (0_u32, 0.0);
    for end in lengths_about(length) {
        let mut now = 0.0;
        polls += 1;
        while now < end {
            now += match pace {
                Pace::Fixed(seconds) => seconds,
                Pace::RetryAfter => retry_after(now - worker(now), None),
                Pace::WorkerSays(seconds) => retry_after(now - worker(now), Some(Duration::from_secs(seconds))),
            };
            polls += 1;
        }
        delay += now - end;
    }
    Jobs { polls: f64::from(polls) / f64::from(COUNT), delay: delay / f64::from(COUNT) }
}

/// What the endpoint says about a running job whose file is `age` seconds old, before it is spread.
fn retry_after(age: f64, said: Option<Duration>) -> f64 {
    let progress = Progress { outcome: JobOutcome::Unfinished, retry_after: said, heartbeat: None, invalid_hints: 0 };
    progress.retry_after(Duration::from_secs_f64(age), false).map(|seconds| seconds as f64).unwrap()
}

/// Polls of one job by its length, when its worker writes at its start and end only.
pub fn polls() -> Table {
    let mut table = Table::new(["Job", "polls every 1 s", "5 s", "`retry-after`", "late by, s"]);
    for (length, name) in LENGTHS.into_iter().step_by(2) {
        let fixed = [1.0, 5.0].map(|seconds| poll(length, WITHOUT_PROGRESS, Pace::Fixed(seconds)).polls);
        let told = poll(length, WITHOUT_PROGRESS, Pace::RetryAfter);
        table.row(name, fixed.into_iter().chain([told.polls, told.delay]).map(number));
    }
    table
}

/// Polls of one job whose worker also writes in between, and may say when to come again.
pub fn progress() -> Table {
    const SAID: u64 = 30;
    let says = format!("10 s, and says {SAID} s");
    let head = ["Job", "start and end only", "every 5 min", "1 min", "10 s", &says, "then late by, s"];
    let mut table = Table::new(head);
    for (length, name) in [(600.0, "10 min"), (7_200.0, "2 h")] {
        let polls = |worker: &Worker| poll(length, worker, Pace::RetryAfter).polls;
        let every = [300.0, 60.0, 10.0].map(|seconds| polls(&move |now| now - now % seconds));
        let told = poll(length, &|now| now - now % 10.0, Pace::WorkerSays(SAID));
        let all = [polls(WITHOUT_PROGRESS)].into_iter().chain(every).chain([told.polls, told.delay]);
        table.row(name, all.map(number));
    }
    table
}

/// Polls of one job, as lines.
pub fn draw_polls(file: &Path) {
    let y = Axis { name: "polls of one job", range: decades(2.0, 1e4), label: number };
    draw(file, "How often a job is polled", lengths(), y, Corner::UpperLeft, &lines());
}

fn lengths() -> Axis<impl Range> {
    let label = |seconds: f64| {
        let known = LENGTHS.iter().find(|(length, _)| (length - seconds).abs() < 0.5);
        known.map_or(String::new(), |(_, name)| (*name).to_string())
    };
    Axis { name: "length of the job", range: labelled(10.0, 7_200.0, &LENGTHS.map(|(length, _)| length)), label }
}

fn lines() -> Vec<Line> {
    let lengths = points(10.0, 7_200.0);
    let told = format!("retry-after, {} to {} s", RETRY_AFTER_SECONDS.start(), RETRY_AFTER_SECONDS.end());
    let fixed = [1.0, 2.0, 5.0].map(|seconds| (format!("every {seconds} s"), Pace::Fixed(seconds)));
    let paces = fixed.into_iter().chain([(told, Pace::RetryAfter)]);
    paces.map(|(name, pace)| Line::of(name, &lengths, |length| poll(length, WITHOUT_PROGRESS, pace).polls)).collect()
}
