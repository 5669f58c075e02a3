//! Blocks of the documentation that are made by a program, so that what code knows stands in code only.
//!
//! A block stands between `<!-- part: name -->` and `<!-- / -->`, where the part is that of the program
//! which replaces the block. People write everything else on the page. `.ci/run` runs the program and
//! fails if a page changes.

use std::{
    fmt::{self, Display},
    fs, io,
    path::Path,
};

/// The repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

const END: &str = "<!-- / -->";

/// Replaces the blocks of `part` in `file`, a path in the repository: each block's name and its new
/// content.
///
/// # Errors
/// The file cannot be read or written, or its blocks of that part are not exactly these.
pub fn update(file: &str, part: &str, blocks: &[(&str, &dyn Display)]) -> io::Result<()> {
    let fault = |fault: String| io::Error::other(format!("{file}: {fault}"));
    let path = Path::new(ROOT).join(file);
    let text = fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
    fs::write(path, fill(text, part, blocks).map_err(fault)?)
}

fn fill(mut text: String, part: &str, blocks: &[(&str, &dyn Display)]) -> Result<String, String> {
    for (name, content) in blocks {
        let start = format!("<!-- {part}: {name} -->");
        let (before, rest) = text.split_once(&start).ok_or_else(|| format!("there is no {start}"))?;
        let end = rest.split_once(END).filter(|(old, _)| !old.contains("<!--"));
        let (_, after) = end.ok_or_else(|| format!("{start} has no {END}"))?;
        text = format!("{before}{start}\n{content}\n{END}{after}");
    }
    let starts = text.matches(&format!("<!-- {part}: ")).count();
    if starts == blocks.len() { Ok(text) } else { Err(format!("{starts} blocks for {} of {part}", blocks.len())) }
}

/// A table in Markdown.
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row: what it is about, and its other cells.
    pub fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push([name.into()].into_iter().chain(cells.into_iter().map(Into::into)).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Numbers stand right, words left.
        let is_number = |cell: &String| cell.chars().all(|char| char.is_ascii_digit() || "<,. *".contains(char));
        let right = |column| self.rows.iter().filter_map(|row| row.get(column)).all(is_number);
        let rule = |column| if right(column) { "--:" } else { "---" };
        let rules: Vec<_> = (0..self.head.len()).map(rule).collect();
        write!(f, "| {} |\n| {} |", self.head.join(" | "), rules.join(" | "))?;
        self.rows.iter().try_for_each(|row| write!(f, "\n| {} |", row.join(" | ")))
    }
}

/// A decimal number with commas between its thousands: 6,291,556 or 1,234.56.
#[must_use]
pub fn thousands(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::{Table, fill, thousands};

    const PAGE: &str = "Words.\n\n<!-- us: a -->\nold\n<!-- / -->\n\n<!-- others: a -->\n<!-- / -->\n";

    fn filled(page: &str, names: &[&str]) -> Result<String, String> {
        let blocks: Vec<_> = names.iter().map(|name| (*name, &"new" as &dyn std::fmt::Display)).collect();
        fill(page.into(), "us", &blocks)
    }

    #[test]
    fn a_block_is_replaced_and_the_words_around_it_stay() {
        let page = PAGE.replace("old", "new");
        assert_eq!(filled(PAGE, &["a"]), Ok(page.clone()));
        assert_eq!(filled(&page, &["a"]), Ok(page), "once more changes nothing");
    }

    #[test]
    fn a_page_has_exactly_the_blocks_that_are_made() {
        let without_end = "<!-- us: a -->\n<!-- us: b -->\n<!-- / -->\n";
        for (page, names, fault) in [
            (PAGE, &["b"] as &[_], "there is no <!-- us: b -->"),
            (PAGE, &[], "1 blocks for 0 of us"),
            (&PAGE.repeat(2), &["a"], "2 blocks for 1 of us"),
            (without_end, &["a", "b"], "<!-- us: a --> has no <!-- / -->"),
            ("<!-- us: a -->\n", &["a"], "<!-- us: a --> has no <!-- / -->"),
        ] {
            assert_eq!(filled(page, names), Err(fault.into()));
        }
    }

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(["Job", "polls"]);
        table.row("10 s", ["1,150"]);
        table.row("**Sum**", ["**< 0.5**"]);
        assert_eq!(table.to_string(), "| Job | polls |\n| --- | --: |\n| 10 s | 1,150 |\n| **Sum** | **< 0.5** |");
    }

    #[test]
    fn thousands_have_commas() {
        let numbers = ["1", "100", "1000", "1048576", "1234.5678"].map(thousands);
        assert_eq!(numbers, ["1", "100", "1,000", "1,048,576", "1,234.5678"]);
    }
}
