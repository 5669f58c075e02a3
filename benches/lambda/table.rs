//! The table of figures, each with its budget.

/// Samples of one figure, in one unit.
#[derive(Clone, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn median(&self) -> f64 {
        self.sorted()[self.0.len() / 2]
    }

    pub fn percentile(&self, percent: usize) -> f64 {
        self.sorted()[(self.0.len() - 1) * percent / 100]
    }

    /// Half the distance of the quartiles, as a part of the median.
    fn spread(&self) -> f64 {
        let sorted = self.sorted();
        let quartile = sorted.len() / 4;
        (sorted[sorted.len() - 1 - quartile] - sorted[quartile]) / 2.0 / self.median()
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// The table, printed row by row.
pub struct Table {
    /// Whether every row has met its budget, or missed it by no more than the spread.
    pub within: bool,
    header: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self { within: true, header: false }
    }
}

impl Table {
    pub fn row(&mut self, what: &str, unit: &str, ours: &Samples, other: Option<&Samples>, budget: f64) {
        if !self.header {
            self.header = true;
            println!("| figure | ours | against | ratio | budget | spread | |\n|---|---|---|---|---|---|---|");
        }
        let spread = ours.spread() + other.map_or(0.0, Samples::spread);
        let value = ours.median() / other.map_or(1.0, Samples::median);
        let verdict = match value / budget {
            ..=1.0 => "within",
            over if over <= 1.0 + spread => "within the spread",
            _ => {
                self.within = false;
                "MISSED"
            }
        };
        let format = |value: f64| if value < 0.5 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") };
        let (against, ratio) = match other {
            Some(other) => (format!("{:.3} {unit}", other.median()), format(value)),
            None => (String::new(), String::new()),
        };
        println!(
            "| {what} | {:.3} {unit} | {against} | {ratio} | {} | {:.0} % | {verdict} |",
            ours.median(),
            format(budget),
            spread * 100.0
        );
    }
}
