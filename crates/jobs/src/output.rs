//! What reaches stdout and stderr. No text of others gets there as it is.

use std::{
    fmt,
    io::{self, Write},
};

use unicode_general_category::{
    GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator},
    get_general_category,
};

use crate::failure::Failure;

/// The longest line that is shown of a text of others, in characters.
const LONGEST_LINE: usize = 200;

/// A text of others, fit for a terminal and for the log of a CI system: one line of what can be seen.
pub fn line(text: &str) -> String {
    text.chars().filter(|letter| !is_control(*letter)).take(LONGEST_LINE).collect()
}

/// Whether a terminal or an editor may act on a character instead of showing it: it moves the cursor,
/// sets a title or a colour, begins a line or changes the direction of text. The two joiners are not
/// among them, because Persian and emoji need them.
pub fn is_control(letter: char) -> bool {
    let is_joiner = matches!(letter, '\u{200c}' | '\u{200d}');
    let category = || get_general_category(letter);
    letter.is_ascii_control()
        || !letter.is_ascii()
            && !is_joiner
            && matches!(category(), Control | Format | LineSeparator | ParagraphSeparator)
}

/// Tells the person at the terminal something. If stderr is full or gone, nobody reads it.
pub fn remark(line: impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// What became of printing a result. A reader that has seen enough, as in `jobs check | head -1`, is no
/// failure.
pub fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Failure::printing),
    }
}
