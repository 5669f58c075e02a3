//! `jobs list`: which jobs there are, and how they stand.
//!
//! [`listing`] is S3's list, of which only the newest stay in memory. [`reader`] reads those files as the
//! function does, and each becomes a [`row`]. [`board`] is both, with what they cost. [`table`] and
//! [`screen`] show it.

mod board;
mod listing;
mod reader;
mod row;
mod screen;
mod table;

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    num::NonZeroUsize,
    time::Duration,
};

use board::Board;
use clap::Args;
use job_status::parse_unfinished_states;
use row::{Filter, Json};
use serde::Serializer;

use crate::{
    failure::Failure,
    output::{printed, remark},
    s3::Store,
};

/// What `--help` ends with.
const COSTS: &str = "\
S3 lists 1,000 keys a request, by name and not by time. So all keys below the prefix are listed to find the newest \
jobs. With --state, --outcome or --stalled, status files are read from the newest on until --limit jobs are found.

Exit codes: 0 done; 1 there may be more such jobs in files that were not read; 2 usage; 6 S3 could not be asked.";

/// States of a worker's own.
pub type Words = Vec<String>;

/// Lists the newest jobs of a bucket and how they stand
///
/// It reads the status files with your own credentials, as the function does.
#[derive(Args)]
#[command(after_help = COSTS)]
pub struct List {
    /// Where status files are: s3://bucket/prefix/
    #[arg(long, env = "JOBS_STORE", value_name = "S3_URL")]
    store: Store,

    /// List at most so many jobs
    #[arg(long, value_name = "N", default_value = "50")]
    limit: NonZeroUsize,

    /// Only jobs whose id begins so
    #[arg(long, value_name = "BEGIN", default_value = "", hide_default_value = true, value_parser = begin)]
    prefix: String,

    #[command(flatten)]
    filter: Filter,

    /// Read at most so many status files, the newest, to find such jobs
    #[arg(long, value_name = "N", default_value = "10000")]
    read: NonZeroUsize,

    /// A job without a heartbeat is stalled if its file is older than that, such as 10m
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
    stalled_after: Option<Duration>,

    /// Further values of job_status that are unfinished, separated by commas, as the function has them
    #[arg(long, env = "UNFINISHED_STATES", value_name = "WORDS", default_value = "", hide_default_value = true, value_parser = words)]
    unfinished_states: Words,

    /// Print an array of JSON
    #[arg(long, conflicts_with = "watch")]
    json: bool,

    /// Stay, and look again every 5 seconds
    #[arg(long)]
    watch: bool,
}

/// Lists jobs.
pub async fn run(list: List) -> Result<(), Failure> {
    if list.watch && !io::stdout().is_terminal() {
        return Err(Failure::usage("--watch draws on a terminal, and stdout is none")
            .advise("leave it out, or ask again and again: a program gets --json"));
    }
    let (json, watch) = (list.json, list.watch);
    let mut board = Board::open(list).await?;
    if watch {
        return screen::run(board).await;
    }
    let look = board.look().await?;
    printed(if json {
        let mut out = BufWriter::new(io::stdout().lock());
        let rows = look.rows.iter().map(|row| Json::new(row, look.is_stalled(row)));
        let written = serde_json::Serializer::new(&mut out).collect_seq(rows).map_err(io::Error::from);
        written.and_then(|()| writeln!(out)).and_then(|()| out.flush())
    } else {
        table::print(&look)
    })?;
    look.remarks().iter().for_each(remark);
    look.complete()
}

/// The beginning of a job's id, in lower case, as status files are named.
fn begin(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    let fits = |(letter, form): (char, char)| if form == 'x' { letter.is_ascii_hexdigit() } else { letter == form };
    if text.len() <= FORM.len() && text.chars().zip(FORM.chars()).all(fits) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("give the beginning of a UUID, such as e6d7f3c0-9c")
    }
}

/// States that are unfinished; none if the variable is empty.
pub fn words(text: &str) -> Result<Words, String> {
    if text.is_empty() { Ok(Words::new()) } else { parse_unfinished_states(text) }
}
