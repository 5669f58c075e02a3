//! What a poll costs: the release binary behind a Runtime API on loopback, compared with a floor and
//! with Python and boto3, all in one run on one machine.
//!
//! `cargo bench --bench lambda` prints the tables of `docs/design/performance.md` and fails if a figure
//! misses its budget by more than the measured spread; `-- --short` takes fewer samples and never
//! fails. CPU is the kernel's own accounting for each process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::unchecked_time_subtraction)]

mod beside;
mod cold;
mod concurrency;
mod cores;
mod figures;
mod floor;
mod process;
mod program;
mod s3;
mod samples;
mod table;
mod warm;

use std::process::ExitCode;

use tokio::runtime::Builder;

/// The event of every request: a poll of one job, as an HTTP API sends it.
const EVENT: &str = include_str!("../../events/http-api-done.json");

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--floor") {
        floor::run().unwrap();
    }
    let short = has("--short");
    program::build(); // before anything is measured: a build takes every core
    let mut within = cores::on_one(|| {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(figures::measure_all(short))
    });
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(concurrency::measure_all(short));
    within &= cores::on_others(|| {
        Builder::new_multi_thread().enable_all().build().unwrap().block_on(beside::measure_all(short))
    });
    if within || short { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
