//! How the endpoint scales, on paper and by a small simulation: what ten polls a day need, cost
//! and feel like, and what a hundred thousand a second do.
//!
//! `cargo run --example scaling` prints the tables of `docs/scaling.md`, puts them there, and
//! draws the charts into `docs/scaling/`. It reads nothing but that page and its own
//! `assumptions.rs`, and its chance has a fixed seed: the same code makes the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::doc_markdown)] // products' names

mod assumptions;
mod bill;
mod burst;
mod chart;
mod cost;
mod express;
mod page;
mod polling;
mod traffic;

use std::{fs, path::Path};

fn main() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let bursts = burst::bursts();
    page::update(
        &docs.join("scaling.md"),
        &[
            ("needs", traffic::needs()),
            ("limits", traffic::limits()),
            ("doors", bill::doors()),
            ("arithmetic", bill::arithmetic()),
            ("rates", bill::rates()),
            ("break-even", bill::break_evens()),
            ("cheaper", bill::cheaper()),
            ("polls", polling::polls()),
            ("progress", polling::progress()),
            ("burst", burst::burst(&bursts)),
            ("express", express::express()),
        ],
    );
    let charts = docs.join("scaling");
    fs::create_dir_all(&charts).unwrap();
    traffic::draw_needs(&charts.join("needs.svg"));
    bill::draw_cost(&charts.join("cost.svg"));
    polling::draw_polls(&charts.join("polls.svg"));
    polling::draw_delay(&charts.join("delay.svg"));
    burst::draw_burst(&charts.join("burst.svg"), &bursts);
}
