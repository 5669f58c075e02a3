//! When a key expires: how people say it, and how the keyring has it.

use std::time::Duration;

use time::{
    Date, OffsetDateTime, Time,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// A span such as `90d`, or a date.
#[derive(Clone, Copy)]
pub enum Expiry {
    After(Duration),
    On(Date),
}

impl std::str::FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(date) = Date::parse(text, &Iso8601::DATE) {
            return Ok(Self::On(date));
        }
        humantime::parse_duration(text)
            .map(Self::After)
            .map_err(|_| "give a span such as 90d or 12h, or a date such as 2027-06-30".into())
    }
}

impl Expiry {
    /// The moment from which the key is refused: a span counts from now, a date means the start of
    /// that day in UTC. `None` if no calendar reaches that far.
    pub fn moment(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::After(span) => now.checked_add(span.try_into().ok()?),
            Self::On(date) => Some(date.with_time(Time::MIDNIGHT).assume_utc()),
        }
    }
}

/// Now, in whole seconds.
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

/// A moment as the keyring has it.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// The same, to be written: RFC 3339 in UTC, if the year 9999 is not over there.
pub fn text(moment: OffsetDateTime) -> String {
    moment.checked_to_offset(time::UtcOffset::UTC).unwrap_or(moment).format(&Rfc3339).unwrap_or_default()
}

/// How far away a moment is, for people: `in 12 days`, `3 days ago`.
pub fn distance(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    let (span, past) = (moment - now, moment <= now);
    let (count, unit) = match span.abs() {
        days if days.whole_days() > 1 => (days.whole_days(), "days"),
        hours if hours.whole_hours() > 1 => (hours.whole_hours(), "hours"),
        minutes => (minutes.whole_minutes(), "min"),
    };
    if past { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}
