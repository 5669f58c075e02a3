//! The jobs as a table, a line for each.

use std::{
    io::{self, BufWriter, Write},
    rc::Rc,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, Table, Width, presets::NOTHING};
use console::Term;
use job_status::JobOutcome;

use super::{board::Look, row::Row};
use crate::json::text;

/// What stands in place of what is not there.
const NONE: &str = "-";
const COLUMNS: [&str; 6] = ["JOB", "OUTCOME", "STATE", "PROGRESS", "AGE", "STALLED"];
/// Jobs of a part of the table.
const PART: usize = 1000;
/// On a terminal that is narrower, a single space is between two columns.
const WIDE: u16 = 100;

/// Prints a look's table, as wide as the terminal is, or as its content is.
pub fn print(look: &Look) -> io::Result<()> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let width = Term::stdout().size_checked().map(|(_, width)| width);
    lines(look, look.rows.len(), width).try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

/// The lines of the first `most` jobs, below the names of the columns. Without a job there are none.
///
/// They are made part by part, because a table takes more memory than the jobs in it.
pub fn lines(look: &Look, most: usize, width: Option<u16>) -> impl Iterator<Item = String> {
    let rows = look.rows.get(..most).unwrap_or(&look.rows);
    let gap = if width.is_some_and(|width| width < WIDE) { 1 } else { 2 };
    let mut widths = COLUMNS.map(|name| name.len().try_into().unwrap_or_default());
    for part in rows.chunks(PART) {
        let needed = table(part, look).column_max_content_widths();
        widths.iter_mut().zip(needed).for_each(|(width, needed)| *width = needed.max(*width));
    }
    if let Some(width) = width {
        fit(&mut widths, width.saturating_sub(gap * 5));
    }
    rows.chunks(PART).enumerate().flat_map(move |(index, part)| {
        let mut table = table(part, look);
        if index == 0 {
            table.set_header(COLUMNS);
        }
        for (column, width) in table.column_iter_mut().zip(widths) {
            column.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
        }
        let header = (index == 0).then(|| Style::new().bold());
        let styles = header.into_iter().chain(part.iter().map(|row| style(row, look)));
        let lines = table.lines().zip(styles);
        lines.map(|(line, style)| format!("{style}{}{style:#}", line.trim_end())).collect::<Vec<_>>()
    })
}

fn table(rows: &[Rc<Row>], look: &Look) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for row in rows {
        let mut cells = comfy_table::Row::from(cells(row, look));
        cells.max_height(1);
        table.add_row(cells);
    }
    table
}

/// Cuts what workers write, first the progress and then the state, until all fits into a width.
fn fit(widths: &mut [u16; 6], width: u16) {
    let mut excess = widths.iter().sum::<u16>().saturating_sub(width);
    let [_, _, state, progress, ..] = widths;
    for (column, least) in [(progress, 8), (state, 7)] {
        let cut = column.saturating_sub(least).min(excess);
        *column -= cut;
        excess -= cut;
    }
}

fn cells(row: &Row, look: &Look) -> [String; 6] {
    let (outcome, progress) = match &row.status {
        Ok(status) => {
            let progress = status.progress.as_deref();
            let progress = progress.map(|value| text(value).unwrap_or_else(|| value.get().into()).into_owned());
            (status.says.outcome.word(), progress)
        }
        Err(why) => ("unreadable", Some(why.clone())),
    };
    let or_none = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.into());
    [
        row.listed.id.to_string(),
        outcome.into(),
        or_none(row.state().map(Into::into)),
        or_none(progress),
        age(row.age(look.now)),
        or_none(look.is_stalled(row).then(|| "yes".into())),
    ]
}

/// An age in its largest unit, such as `5m`.
fn age(age: Duration) -> String {
    let age = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
    age.split(' ').next().unwrap_or_default().into()
}

fn style(row: &Row, look: &Look) -> Style {
    match row.outcome() {
        None | Some(JobOutcome::Failed) => AnsiColor::Red.on_default(),
        Some(JobOutcome::Unfinished) if look.is_stalled(row) => AnsiColor::Yellow.on_default(),
        Some(JobOutcome::Unfinished) => AnsiColor::Cyan.on_default(),
        Some(JobOutcome::Done | JobOutcome::Other) => Style::new(),
    }
}
