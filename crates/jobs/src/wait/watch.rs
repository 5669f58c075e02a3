//! What a person sees while a job is waited for, on stderr: on a terminal one line that lives,
//! elsewhere a line whenever something is new.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep_until};

use super::status::whole_seconds;
use crate::output::remark;

/// How often the line on a terminal counts on.
const TICK: Duration = Duration::from_millis(200);

/// The line.
pub struct Watch {
    bar: ProgressBar,
    /// What was printed last, where there is no terminal.
    printed: String,
}

impl Watch {
    /// Begins to show something.
    pub fn new() -> Self {
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message("asking");
        bar.enable_steady_tick(TICK);
        Self { bar, printed: String::new() }
    }

    /// Shows `what`, how long ago it was written and how long it is until `next`; returns then.
    pub async fn until(&mut self, next: Instant, what: &str, written: Option<Instant>) {
        let line = |now: Instant| {
            let age = written.map(|written| format!(", written {} ago", whole_seconds(now - written)));
            let wait = (next - now).as_secs_f64().round();
            format!("{what}{}, next poll in {wait}s", age.unwrap_or_default())
        };
        if self.bar.is_hidden() && self.printed != what {
            remark(line(Instant::now()));
            what.clone_into(&mut self.printed);
        }
        while !self.bar.is_hidden() && Instant::now() + TICK < next {
            self.bar.set_message(line(Instant::now()));
            sleep_until(Instant::now() + TICK).await;
        }
        sleep_until(next).await;
    }
}

/// Nothing of it stays on the terminal.
impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
