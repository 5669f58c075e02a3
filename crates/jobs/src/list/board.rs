//! One look at the jobs after the other, and what a look costs.

#![allow(clippy::cast_precision_loss)] // what costs less than a cent is not counted to the last byte

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};

use super::{
    List,
    listing::{Listing, list},
    reader::Reader,
    row::Row,
};
use crate::{
    failure::Failure,
    output::{line, remark},
    s3::{self, Store},
};

/// List prices of us-east-1 in US dollars: a request, and a gigabyte that leaves the region.
const LIST_PRICE: f64 = 0.005 / 1000.0;
const GET_PRICE: f64 = 0.0004 / 1000.0;
const GIGABYTE_PRICE: f64 = 0.09;
const GIGABYTE: f64 = (1u64 << 30) as f64;
/// Reads that cost less than a tenth of a cent are not announced, so many requests and bytes.
const FEW: usize = 1000;
const SMALL: u64 = 10 << 20;
const HOUR: Duration = Duration::from_hours(1);
/// How often the progress is drawn.
const TICK: Duration = Duration::from_millis(200);

/// The jobs of one place.
pub struct Board {
    list: List,
    client: Client,
    reader: Reader,
    /// Shown while the first look goes on, if stderr is a terminal.
    progress: ProgressBar,
}

/// What there was to see.
pub struct Look {
    pub rows: Vec<Rc<Row>>,
    pub now: SystemTime,
    pub listing: Listing,
    /// Whether not every job is wanted.
    is_filtered: bool,
    /// Whether there are more jobs than were asked for.
    is_cut: bool,
    stalled_after: Option<Duration>,
    store: Store,
}

impl Board {
    pub async fn open(list: List) -> Result<Self, Failure> {
        let client = s3::client(RetryConfig::standard()).await?;
        let reader = Reader::new(client.clone(), list.store.clone(), list.unfinished_states.clone(), list.watch);
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let progress = ProgressBar::new_spinner().with_style(style).with_message(format!("listing {}", list.store));
        progress.enable_steady_tick(TICK);
        Ok(Self { list, client, reader, progress })
    }

    /// Looks at the jobs. What has not changed since the last look is not read again.
    ///
    /// # Errors
    /// S3 can't be asked.
    pub async fn look(&mut self) -> Result<Look, Failure> {
        let look = self.look_on().await;
        self.progress.finish_and_clear();
        look
    }

    async fn look_on(&mut self) -> Result<Look, Failure> {
        let Self { list: options, client, reader, progress } = self;
        let List { store, limit, prefix, filter, read, stalled_after, .. } = &*options;
        let (limit, is_filtered) = (limit.get(), !filter.is_none());
        let most = if is_filtered { read.get() } else { limit };
        let listed = |jobs| progress.set_message(format!("listing {store}: {} jobs", count(jobs)));
        let listing = list(client, store, prefix, most, listed).await?;
        if !progress.is_finished() {
            announce(&listing, progress);
        }
        let (now, stalled_after) = (SystemTime::now(), stalled_after.filter(|after| !after.is_zero()));
        let (mut rows, mut seen, most) = (Vec::new(), 0, count(listing.newest.len()));
        let takes = |row: Rc<Row>| {
            seen += 1;
            progress.set_message(format!("reading status files: {} of at most {most}", count(seen)));
            if filter.takes(&row, row.is_stalled(now, stalled_after)) {
                rows.push(row);
            }
            rows.len() < limit
        };
        reader.read(&listing.newest, takes).await?;
        let is_cut = rows.len() == limit && listing.jobs > seen;
        Ok(Look { rows, now, listing, is_filtered, is_cut, stalled_after, store: store.clone() })
    }
}

/// Says what the reads cost, before them.
fn announce(listing: &Listing, progress: &ProgressBar) {
    let (files, bytes) = (listing.newest.len(), listing.newest.iter().map(|file| file.size).sum::<u64>());
    if files <= FEW && bytes <= SMALL {
        return;
    }
    let (requests, data) = (files as f64 * GET_PRICE, bytes as f64 / GIGABYTE * GIGABYTE_PRICE);
    let (files, jobs) = (count(files), count(listing.jobs));
    progress.suspend(|| {
        remark(format_args!(
            "reading up to {files} of {jobs} status files, {}, newest first: at most ${requests:.4} at list price, \
             and ${data:.4} if it leaves the region",
            BinaryBytes(bytes)
        ));
    });
}

impl Look {
    pub fn is_stalled(&self, row: &Row) -> bool {
        row.is_stalled(self.now, self.stalled_after)
    }

    /// What there is to know beside the rows, a line for each.
    pub fn remarks(&self) -> Vec<String> {
        let Listing { jobs, others, below, last_below, .. } = &self.listing;
        let [jobs, others, below] = [*jobs, *others, *below].map(count);
        let (rows, store, such) = (self.rows.len(), &self.store, if self.is_filtered { "such jobs" } else { "jobs" });
        let mut remarks = Vec::new();
        if rows == 0 {
            remarks.push(format!("no {such} in {store}"));
        }
        if self.is_cut {
            remarks.push(format!("the newest {rows} {such} of {jobs} in all: --limit lists more"));
        }
        if self.listing.others > 0 {
            remarks.push(format!("left out: {others} keys that are no <job_id>.json"));
        }
        if let Some(prefix) = last_below {
            let prefix = line(prefix);
            remarks.push(format!("left out: {below} prefixes below, such as --store s3://{}/{prefix}", store.bucket));
        }
        remarks
    }

    /// What looks in this interval cost.
    pub fn cost(&self, interval: Duration) -> String {
        let requests = self.listing.requests;
        let hourly = requests as f64 * HOUR.div_duration_f64(interval) * LIST_PRICE;
        format!("each look: {} LIST, ${hourly:.4} an hour, and a GET for each changed file", count(requests))
    }

    /// # Errors
    /// There may be more such jobs than those that were found.
    pub fn complete(&self) -> Result<(), Failure> {
        let Listing { jobs, newest, .. } = &self.listing;
        if self.is_cut || newest.len() == *jobs || !self.is_filtered {
            return Ok(());
        }
        let [all, read] = [*jobs, newest.len()].map(count);
        Err(Failure::no(format!("there may be more such jobs: the newest {read} of {all} status files were read"))
            .advise(format!("--read {jobs} reads all, for ${:.4} at list price", *jobs as f64 * GET_PRICE)))
    }
}

/// A number for people, such as `10,000`.
fn count(number: usize) -> HumanCount {
    HumanCount(number as u64)
}
