//! The operator's half of a failure. It is only ever logged.

use std::error::Error;

/// What went wrong on our side.
pub(crate) struct Cause {
    /// A word for filters and alarms, such as `access_denied`.
    pub(crate) kind: &'static str,
    pub(crate) error: Box<dyn Error + Send + Sync>,
    pub(crate) hint: &'static str,
}

/// An error with everything that led to it: `outer: middle: inner`.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // Some wrappers repeat what they wrap; once is enough.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
