//! The jobs as a table, a line for each.

use std::{
    io::{self, Write},
    iter,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets::NOTHING};
use console::Term;
use job_status::JobOutcome;

use super::{board::Look, row::Row};
use crate::json::text;

/// What stands in place of what is not there.
const NONE: &str = "-";
/// On a terminal that is narrower, a single space is between two columns.
const WIDE: u16 = 100;

/// Prints a look's table, as wide as the terminal is, or as its content is.
pub fn print(look: &Look) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let width = Term::stdout().size_checked().map(|(_, width)| width);
    lines(look, look.rows.len(), width).into_iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The lines of the first `most` jobs, below the names of the columns. Without a job there are none.
pub fn lines(look: &Look, most: usize, width: Option<u16>) -> Vec<String> {
    let rows = look.rows.get(..most).unwrap_or(&look.rows);
    if rows.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["JOB", "OUTCOME", "STATE", "PROGRESS", "AGE", "STALLED"]);
    for row in rows {
        let mut cells = comfy_table::Row::from(cells(row, look));
        cells.max_height(1);
        table.add_row(cells);
    }
    let gap = if width.is_some_and(|width| width < WIDE) { 1 } else { 2 };
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, gap));
        // What workers write may be cut, the rest may not.
        if !matches!(index, 2 | 3) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let styles = iter::once(Style::new().bold()).chain(rows.iter().map(|row| style(row, look)));
    table.lines().zip(styles).map(|(line, style)| format!("{style}{}{style:#}", line.trim_end())).collect()
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
