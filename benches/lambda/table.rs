//! The table of figures.

use crate::samples::Samples;

/// The table, printed row by row.
pub struct Table {
    /// Whether every row that has a budget meets it, or misses it by no more than the spread.
    pub within: bool,
    header: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self { within: true, header: false }
    }
}

impl Table {
    /// Prints a row. What is held to the budget is the ratio of `ours` to `against`, or `ours` itself if
    /// there is nothing to compare it with; a row without a budget is for information.
    pub fn row(&mut self, what: &str, unit: &str, ours: &Samples, against: Option<&Samples>, budget: Option<f64>) {
        if !self.header {
            self.header = true;
            println!("| figure | ours | against | ratio | budget | spread | |\n|---|---|---|---|---|---|---|");
        }
        let spread = ours.spread() + against.map_or(0.0, Samples::spread);
        let value = ours.median() / against.map_or(1.0, Samples::median);
        let verdict = match budget.map(|budget| value / budget) {
            None => "for information",
            Some(..=1.0) => "within",
            Some(over) if over <= 1.0 + spread => "within the spread",
            Some(_) => {
                self.within = false;
                "MISSED"
            }
        };
        let format = |value: f64| if value < 0.5 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") };
        let (against, ratio) = match against {
            Some(against) => (format!("{:.3} {unit}", against.median()), format(value)),
            None => (String::new(), String::new()),
        };
        println!(
            "| {what} | {:.3} {unit} | {against} | {ratio} | {} | {:.0} % | {verdict} |",
            ours.median(),
            budget.map(format).unwrap_or_default(),
            spread * 100.0
        );
    }
}
