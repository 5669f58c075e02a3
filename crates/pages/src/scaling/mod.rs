//! What polls cost, and what many of them need, by arithmetic.
//!
//! The tables and charts are those of `docs/design/scaling.md`; other pages say what polls cost, too. All numbers
//! come from `assumptions.rs` and from the function's own code, so the same code makes the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::doc_markdown)] // products' names

mod assumptions;
mod bill;
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
    pages::update(
        "docs/design/scaling.md",
        "scaling",
        &[
            ("needs", &traffic::needs()),
            ("limits", &traffic::limits()),
            ("rates", &bill::rates()),
            ("load-balancer", &bill::load_balancer()),
            ("polls", &polling::polls()),
            ("progress", &polling::progress()),
            ("express", &express::express()),
        ],
    )?;
    pages::update("docs/operations.md", "scaling", &[("month", &bill::month())])?;
    pages::update("README.md", "scaling", &[("million", &bill::sentence())])?;
    pages::update("SECURITY.md", "scaling", &[("refused", &bill::refused())])?;
    let charts = Path::new(pages::ROOT).join("docs/design/scaling");
    fs::create_dir_all(&charts)?;
    bill::draw_cost(&charts.join("cost.svg"));
    polling::draw_polls(&charts.join("polls.svg"));
    Ok(())
}
