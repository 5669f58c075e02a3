//! Line charts as SVG, readable on light and dark pages: opaque, a palette that colour-blind
//! readers can tell apart, whole decades on logarithmic axes.

use std::path::Path;

use plotters::{
    coord::ranged1d::{AsRangedCoord, ValueFormatter},
    prelude::*,
};

/// One line.
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Its points, x ascending.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A line through `f` at each of `xs`.
    pub fn of(name: impl Into<String>, xs: &[f64], f: impl Fn(f64) -> f64) -> Self {
        Self { name: name.into(), points: xs.iter().map(|&x| (x, f(x))).collect() }
    }

    /// The line without what is above `y`.
    pub fn below(mut self, y: f64) -> Self {
        self.points.retain(|point| point.1 <= y);
        self
    }
}

/// An axis: its name with the unit, its values, and how its labels are written.
pub struct Axis<R> {
    /// Name and unit.
    pub name: &'static str,
    /// From where to where, with the points that get a label.
    pub range: R,
    /// A label's text.
    pub label: fn(f64) -> String,
}

/// From where to where an axis goes.
pub trait Range: AsRangedCoord<CoordDescType: ValueFormatter<f64>, Value = f64> {}

impl<R: AsRangedCoord<CoordDescType: ValueFormatter<f64>, Value = f64>> Range for R {}

/// A logarithmic range whose powers of ten are labelled.
pub fn decades(from: f64, to: f64) -> impl Range {
    let exponents = from.log10().ceil() as i32..=to.log10().floor() as i32;
    let labels: Vec<_> = exponents.map(|exponent| 10_f64.powi(exponent)).collect();
    labelled(from, to, &labels)
}

/// A logarithmic range with these labels.
pub fn labelled(from: f64, to: f64, labels: &[f64]) -> impl Range + use<> {
    (from..to).log_scale().with_key_points(labels.to_vec())
}

/// Points of a smooth line, evenly spread over a logarithmic range.
pub fn points(from: f64, to: f64) -> Vec<f64> {
    (0..=240).map(|step| from * (to / from).powf(f64::from(step) / 240.0)).collect()
}

/// Where the lines leave room for the legend.
pub type Corner = SeriesLabelPosition;

/// Okabe and Ito's palette, without yellow and orange, which are hard to see on white.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(86, 180, 233),
];
const GRID: RGBColor = RGBColor(221, 221, 221);
const FRAME: RGBColor = RGBColor(85, 85, 85);

/// Draws the lines into an SVG file, the legend at `legend`.
pub fn draw<X: Range, Y: Range>(file: &Path, title: &str, x: Axis<X>, y: Axis<Y>, legend: Corner, lines: &[Line]) {
    let area = SVGBackend::new(file, (880, 500)).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .margin_right(36) // half of the last label
        .x_label_area_size(52)
        .y_label_area_size(84)
        .build_cartesian_2d(x.range, y.range)
        .unwrap();
    chart
        .configure_mesh()
        .x_desc(x.name)
        .y_desc(y.name)
        .axis_desc_style(("sans-serif", 16))
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|value| (x.label)(*value))
        .y_label_formatter(&|value| (y.label)(*value))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(FRAME)
        .draw()
        .unwrap();
    for (line, colour) in lines.iter().zip(PALETTE) {
        let style = colour.stroke_width(3);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))
            .unwrap()
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .margin(12)
        .legend_area_size(32)
        .label_font(("sans-serif", 14))
        .background_style(WHITE)
        .border_style(GRID)
        .draw()
        .unwrap();
    area.present().unwrap();
}
