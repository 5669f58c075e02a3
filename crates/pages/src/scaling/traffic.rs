//! What so many polls a second need, and which limit ends where.

use job_status::limits::THROTTLED_RETRY_AFTER_SECONDS;
use pages::Table;

use super::{
    assumptions::{
        GATEWAY_RATE, LAMBDA_CONCURRENCY, NEW_ACCOUNT_CONCURRENCY, REQUESTS_PER_CONCURRENCY, S3_PARTITION_GETS,
        THROTTLE_RATE,
    },
    cost::warm_ms,
    numbers::{number, rate_name},
};

const RATES: [f64; 6] = [10.0 / 86_400.0, 1.0, 100.0, 1_000.0, 10_000.0, 100_000.0];

/// Environments that are busy, by Little's law.
fn busy(rate: f64) -> f64 {
    rate * warm_ms(false) / 1e3
}

/// The concurrency quota that so many polls a second need: for those under way, or for Lambda's
/// requests a second for each unit, whichever is more.
fn quota(rate: f64) -> f64 {
    busy(rate).max(rate / REQUESTS_PER_CONCURRENCY).ceil()
}

/// Partitions of the bucket.
fn partitions(rate: f64) -> f64 {
    (rate / S3_PARTITION_GETS).ceil()
}

/// What each rate needs.
pub fn needs() -> Table {
    let head = ["Polls a second", "Environments busy", "Lambda quota", "S3 partitions"];
    let mut table = Table::new(head);
    for rate in RATES {
        table.row(rate_name(rate), [busy(rate), quota(rate), partitions(rate)].map(number));
    }
    table
}

/// The limits, in the order in which growing traffic meets them.
pub fn limits() -> Table {
    let slow_down = format!("429, `retry-after: {THROTTLED_RETRY_AFTER_SECONDS}`");
    let quota = |units: f64| format!("Lambda's quota, {}", number(units));
    let mut limits = [
        (
            NEW_ACCOUNT_CONCURRENCY * REQUESTS_PER_CONCURRENCY,
            quota(NEW_ACCOUNT_CONCURRENCY) + " in a new account",
            "503",
            "the quota, to 1,000",
        ),
        (THROTTLE_RATE, "the template's throttle".into(), "429", "`ThrottleRate`, `ThrottleBurst`"),
        (S3_PARTITION_GETS, "one partition of the bucket".into(), &slow_down, "nothing: S3 splits it under load"),
        (GATEWAY_RATE, "API Gateway's quota".into(), "429", "the quota; or a load balancer instead"),
        (
            LAMBDA_CONCURRENCY * REQUESTS_PER_CONCURRENCY,
            quota(LAMBDA_CONCURRENCY),
            "503",
            "the quota, to a tenth of the polls a second",
        ),
    ];
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut table = Table::new(["Polls a second", "Limit", "Above it a caller gets", "To raise"]);
    for (rate, limit, answer, raise) in limits {
        table.row(number(rate), [limit, answer.into(), raise.into()]);
    }
    table
}
