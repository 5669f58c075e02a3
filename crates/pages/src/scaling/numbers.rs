//! How numbers are written.

use pages::thousands;

/// A number to three significant digits: 0.0158, 1.58, 15.8, 1,580,000.
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
    thousands(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
}

/// Polls a second, or a day where they are few.
pub fn rate_name(rate: f64) -> String {
    if rate < 1.0 { format!("{} a day", number(rate * 86_400.0)) } else { number(rate) }
}

/// Dollars and cents.
pub fn dollars(value: f64) -> String {
    thousands(&format!("{value:.2}"))
}
