//! `docs/scaling.md`: the tables between its markers are this program's, the words are not.

use std::{fs, path::Path};

/// A table in Markdown; the first row is its head.
pub struct Table(pub Vec<Vec<String>>);

impl Table {
    /// A table with this head.
    pub fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(ToString::to_string).collect()])
    }

    /// Adds a row: what it is about, and its other cells.
    pub fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.0.push([name.into()].into_iter().chain(cells).collect());
    }

    fn markdown(&self) -> String {
        let mut lines: Vec<String> = self.0.iter().map(|cells| format!("| {} |", cells.join(" | "))).collect();
        // Numbers stand right, words left.
        let is_number = |cell: &String| cell.chars().all(|char| char.is_ascii_digit() || "<,. ".contains(char));
        let right = |column: usize| self.0.iter().skip(1).all(|cells| is_number(&cells[column]));
        let rule: Vec<_> = (0..self.0[0].len()).map(|column| if right(column) { "--:" } else { "---" }).collect();
        lines.insert(1, format!("| {} |", rule.join(" | ")));
        lines.join("\n")
    }
}

/// Prints each table, and puts it between `<!-- scaling: name -->` and `<!-- / -->` in the file.
pub fn update(file: &Path, tables: &[(&str, Table)]) {
    let mut text = fs::read_to_string(file).unwrap();
    for (name, table) in tables {
        let markdown = table.markdown();
        println!("{name}\n\n{markdown}\n");
        let opening = format!("<!-- scaling: {name} -->\n");
        let Some((before, rest)) = text.split_once(&opening) else { panic!("{} has no {opening}", file.display()) };
        let (_, after) = rest.split_once("<!-- / -->").unwrap();
        text = format!("{before}{opening}{markdown}\n<!-- / -->{after}");
    }
    fs::write(file, text).unwrap();
}

/// A number to three significant digits, in thousands: 0.0158, 1.58, 15.8, 1,580,000.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value < 0.001 {
        return "< 0.001".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let unit = 10_f64.powi(magnitude - 2);
    let decimals = (2 - magnitude).max(0) as usize;
    let text = format!("{:.decimals$}", (value / unit).round() * unit);
    grouped(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
}

/// Polls a second, or a day where they are few.
pub fn rate_name(rate: f64) -> String {
    if rate < 1.0 { format!("{} a day", number(rate * 86_400.0)) } else { number(rate) }
}

/// Dollars and cents, in thousands.
pub fn dollars(value: f64) -> String {
    grouped(&format!("{value:.2}"))
}

fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}
