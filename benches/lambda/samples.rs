//! Samples of one figure.

/// Samples of one figure, in one unit.
#[derive(Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn median(&self) -> f64 {
        self.sorted()[self.0.len() / 2]
    }

    pub fn percentile(&self, percent: usize) -> f64 {
        self.sorted()[(self.0.len() - 1) * percent / 100]
    }

    /// Half the distance of the quartiles, as a part of the median.
    pub fn spread(&self) -> f64 {
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
