//! Status files in S3 Express One Zone rather than S3 Standard.

use pages::Table;

use super::{
    assumptions::{
        EXPRESS_GETS, EXPRESS_PUTS, EXPRESS_READ, EXPRESS_STORAGE, EXPRESS_WRITTEN, LAMBDA_GB_SECONDS, MONTH_S,
        S3_GETS, S3_PUTS, S3_STORAGE, STATUS_DAYS, WRITES_PER_JOB,
    },
    cost::gigabyte_seconds,
    numbers::number,
    polling::{Pace, WITHOUT_PROGRESS, poll},
};

/// One million polls of five-minute jobs with status files of several sizes, in both classes.
pub fn express() -> Table {
    let jobs = 1e6 / poll(300.0, WITHOUT_PROGRESS, Pace::RetryAfter).polls;
    let writes = jobs * WRITES_PER_JOB;
    let time = |express| gigabyte_seconds(1e6, express) * LAMBDA_GB_SECONDS[0].1;
    let mut table = Table::new(["Status file", "S3 Standard", "S3 Express One Zone"]);
    for kilobytes in [1.0, 100.0, 1_000.0] {
        let size = kilobytes * 1e3;
        let gigabytes = |files: f64| files * size / 1e9;
        let kept = gigabytes(jobs) * STATUS_DAYS * 86_400.0 / MONTH_S;
        let standard = [S3_GETS, writes / 1e6 * S3_PUTS, kept * S3_STORAGE, time(false)];
        let express = [
            EXPRESS_GETS + gigabytes(1e6) * EXPRESS_READ,
            writes / 1e6 * EXPRESS_PUTS + gigabytes(writes) * EXPRESS_WRITTEN,
            kept * EXPRESS_STORAGE,
            time(true),
        ];
        let sums = [standard, express].map(|parts| format!("{:.2}", parts.iter().sum::<f64>()));
        table.row(format!("{} KB", number(kilobytes)), sums);
    }
    table
}
