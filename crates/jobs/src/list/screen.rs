//! `--watch`: the table on a terminal, drawn in place again and again.

use std::{io, time::Duration};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use console::{Term, truncate_str};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    board::{Board, Look},
    table,
};
use crate::{
    failure::Failure,
    output::{line, printed},
};

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(5);
/// Lines and columns of a terminal that does not say it.
const SIZE: (u16, u16) = (24, 80);

/// Looks and draws until Ctrl-C.
///
/// # Errors
/// The first look fails. Later ones may.
pub async fn run(mut board: Board) -> Result<(), Failure> {
    let mut screen = Screen::new();
    let mut looks = interval(PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    let mut look = board.look().await?;
    let mut trouble = None;
    loop {
        printed(screen.draw(&look, trouble.as_deref()))?;
        looks.tick().await;
        match board.look().await {
            Ok(new) => (look, trouble) = (new, None),
            Err(failure) => trouble = Some(format!("trying again: {}", line(&failure.to_string()))),
        }
    }
}

struct Screen {
    term: Term,
    size: (u16, u16),
    /// Lines that were drawn.
    drawn: usize,
    has_colours: bool,
}

impl Screen {
    fn new() -> Self {
        let term = Term::buffered_stdout();
        let has_colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Self { size: term.size_checked().unwrap_or(SIZE), term, drawn: 0, has_colours }
    }

    /// Draws a look in place of the one before. As many jobs are shown as there are lines for.
    fn draw(&mut self, look: &Look, trouble: Option<&str>) -> io::Result<()> {
        let size = self.term.size_checked().unwrap_or(SIZE);
        let (height, width) = (usize::from(size.0), usize::from(size.1));
        let mut notes = look.remarks();
        notes.extend(look.complete().err().map(|failure| failure.to_string()));
        notes.push(look.cost(PAUSE));
        notes.extend(trouble.map(Into::into));
        // Beside the jobs there are the columns' names, a note on those that do not fit, and the cursor's line.
        let most = height.saturating_sub(notes.len() + 3).max(1);
        if look.rows.len() > most {
            notes.insert(0, format!("{} more do not fit on the screen", look.rows.len() - most));
        }
        if size == self.size {
            self.term.move_cursor_up(self.drawn)?;
            self.term.clear_to_end_of_screen()?;
        } else {
            // What was drawn has been broken into other lines.
            self.term.clear_screen()?;
            self.size = size;
        }
        let lines: Vec<_> = table::lines(look, most, Some(size.1)).chain(notes).collect();
        for line in &lines {
            let line = truncate_str(line, width, "…");
            let plain = (!self.has_colours).then(|| strip_str(&line).to_string());
            self.term.write_line(plain.as_deref().unwrap_or(&line))?;
        }
        self.drawn = lines.len();
        self.term.flush()
    }
}
