//! How the endpoint scales, by arithmetic and a small simulation: what ten polls a day need and
//! cost and how long callers wait, and the same for a hundred thousand polls a second.
//!
//! The tables and charts are those of `docs/scaling.md`; other pages say what polls cost, too. All
//! numbers come from `assumptions.rs` and from the function's own code. The random numbers have a
//! fixed seed, so the same code makes the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::doc_markdown)] // products' names

mod assumptions;
mod bill;
mod burst;
mod chart;
mod cost;
mod express;
mod numbers;
mod polling;
mod traffic;

use std::{fs, io, path::Path};

/// Fills the tables and draws the charts.
///
/// # Errors
/// A page or a chart cannot be read or written.
pub fn fill() -> io::Result<()> {
    let bursts = burst::bursts();
    pages::update(
        "docs/scaling.md",
        "scaling",
        &[
            ("needs", &traffic::needs()),
            ("limits", &traffic::limits()),
            ("doors", &bill::doors()),
            ("arithmetic", &bill::arithmetic()),
            ("rates", &bill::rates()),
            ("break-even", &bill::break_evens()),
            ("cheaper", &bill::cheaper()),
            ("polls", &polling::polls()),
            ("progress", &polling::progress()),
            ("burst", &burst::burst(&bursts)),
            ("express", &express::express()),
        ],
    )?;
    pages::update("docs/operations.md", "scaling", &[("million", &bill::million()), ("standing", &bill::standing())])?;
    pages::update("README.md", "scaling", &[("million", &bill::sentence())])?;
    let charts = Path::new(pages::ROOT).join("docs/scaling");
    fs::create_dir_all(&charts)?;
    traffic::draw_needs(&charts.join("needs.svg"));
    bill::draw_cost(&charts.join("cost.svg"));
    polling::draw_polls(&charts.join("polls.svg"));
    polling::draw_delay(&charts.join("delay.svg"));
    burst::draw_burst(&charts.join("burst.svg"), &bursts);
    Ok(())
}
