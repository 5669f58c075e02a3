//! One job and one caller that polls it: how many polls, and how late the last one is.
//!
//! A worker writes the status file when the job starts and when it ends and, if it reports
//! progress, every so many seconds in between. The caller asks at once, waits as told, asks again.
//! The time of an answer itself is left out.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use job_status::{
    limits::RETRY_AFTER_SECONDS,
    status_file::{State, StatusFile},
};

use crate::{
    assumptions::JOBS_AT_ONCE,
    chart::{Axis, Corner, Line, Range, decades, draw, labelled, points},
    page::{Table, number},
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
}

/// Averages over jobs of about the same length.
pub struct Average {
    /// Polls of one job, the last one included.
    pub polls: f64,
    /// From the job's end to the poll that notices, seconds.
    pub delay: f64,
}

/// Jobs over which is averaged.
const JOBS: u32 = 1_000;

/// Lengths of jobs of about `length`. They differ by up to 30 %, most by less, as how late the
/// last poll is depends on how the length falls on the polls.
fn lengths_about(length: f64) -> impl Iterator<Item = f64> {
    // Multiples of these two cover a square evenly, without chance (Roberts' R2 sequence).
    let even = |job: u32| (f64::from(job) * 0.754_877_666_2).fract() + (f64::from(job) * 0.569_840_290_9).fract();
    (0..JOBS).map(move |job| length * (0.7 + 0.3 * even(job)))
}

/// Polls jobs of about `length` seconds whose workers write every `progress` seconds, if at all.
pub fn poll(length: f64, progress: Option<f64>, pace: Pace) -> Average {
    let (mut polls, mut delay) = (0_u32, 0.0);
    for end in lengths_about(length) {
        let mut now = 0.0;
        polls += 1;
        while now < end {
            now += match pace {
                Pace::Fixed(seconds) => seconds,
                Pace::RetryAfter => retry_after(now, progress.map_or(0.0, |every| now - now % every)),
            };
            polls += 1;
        }
        delay += now - end;
    }
    Average { polls: f64::from(polls) / f64::from(JOBS), delay: delay / f64::from(JOBS) }
}

/// What the endpoint says `now` about a running job whose file was last written at `written`.
fn retry_after(now: f64, written: f64) -> f64 {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
    let file = StatusFile { text: String::new(), state: State::Running, last_modified: Some(at(written)) };
    file.retry_after(at(now)).map(|seconds| seconds as f64).unwrap()
}

/// Polls of one job by its length, when its worker writes at its start and end only.
pub fn polls() -> Table {
    let mut table =
        Table::new(&["Job", "polls every 1 s", "2 s", "5 s", "`retry-after`", "late by, s", "% of the job"]);
    let all = |pace| format!("polls a second of {} jobs, {pace}", number(JOBS_AT_ONCE));
    table.0[0].extend(["every 1 s", "`retry-after`"].map(all));
    for (length, name) in LENGTHS {
        let fixed = [1.0, 2.0, 5.0].map(|seconds| poll(length, None, Pace::Fixed(seconds)).polls);
        let told = poll(length, None, Pace::RetryAfter);
        let late = [told.polls, told.delay, 100.0 * told.delay / length];
        let all = [fixed[0], told.polls].map(|polls| JOBS_AT_ONCE * polls / length);
        table.row(name, fixed.into_iter().chain(late).chain(all).map(number));
    }
    table
}

/// Polls of one job whose worker also writes in between.
pub fn progress() -> Table {
    let mut table = Table::new(&["Job", "start and end only", "every 5 min", "1 min", "30 s", "10 s"]);
    for (length, name) in [(60.0, "1 min"), (600.0, "10 min"), (7_200.0, "2 h")] {
        let every = [None, Some(300.0), Some(60.0), Some(30.0), Some(10.0)];
        table.row(name, every.map(|every| number(poll(length, every, Pace::RetryAfter).polls)));
    }
    table
}

/// Polls of one job, as lines.
pub fn draw_polls(file: &Path) {
    let y = Axis { name: "polls of one job", range: decades(2.0, 1e4), label: number };
    draw(file, "How often a job is polled", lengths(), y, Corner::UpperLeft, &lines(|average| average.polls));
}

/// How late the last poll is, as lines.
pub fn draw_delay(file: &Path) {
    let range = labelled(0.3, 20.0, &[0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
    let y = Axis { name: "seconds late, on average", range, label: number };
    draw(
        file,
        "How late the end of a job is noticed",
        lengths(),
        y,
        Corner::UpperLeft,
        &lines(|average| average.delay),
    );
}

fn lengths() -> Axis<impl Range> {
    let label = |seconds: f64| {
        let known = LENGTHS.iter().find(|(length, _)| (length - seconds).abs() < 0.5);
        known.map_or(String::new(), |(_, name)| (*name).to_string())
    };
    Axis { name: "length of the job", range: labelled(10.0, 7_200.0, &LENGTHS.map(|(length, _)| length)), label }
}

fn lines(value: impl Fn(Average) -> f64) -> Vec<Line> {
    let lengths = points(10.0, 7_200.0);
    let told = format!("retry-after, {} to {} s", RETRY_AFTER_SECONDS.start(), RETRY_AFTER_SECONDS.end());
    let fixed = [1.0, 2.0, 5.0].map(|seconds| (format!("every {seconds} s"), Pace::Fixed(seconds)));
    let paces = fixed.into_iter().chain([(told, Pace::RetryAfter)]);
    paces.map(|(name, pace)| Line::of(name, &lengths, |length| value(poll(length, None, pace)))).collect()
}
