//! What the operator sees: JSON lines on stdout, one for each request.
//!
//! Lambda's JSON log format takes such lines as they are. Neither status files nor keys are ever
//! written. Dependencies log warnings and errors only, because their finer levels print payloads.

use std::time::Duration;

use tracing::{Subscriber, field::display, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cause::{Cause, chain},
    request::JobId,
    s3::object::ReadStats,
};

/// Starts logging to stdout, panics included. Only the first call of a process has an effect.
pub fn init(level: LevelFilter) {
    if subscriber(level, std::io::stdout).try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("no message");
            let location = panic.location().map(display);
            tracing::error!(event = "panic", location, "{message}");
        }));
    }
}

/// What [`init`] installs, writing to `writer`.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let of_dependencies = level.min(LevelFilter::WARN);
    tracing_subscriber::registry()
        .with(Targets::new().with_default(of_dependencies).with_target("job_status", level))
        .with(
            fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_target(false)
                .with_writer(writer),
        )
}

/// A request's log line, filled in as the request goes its way.
pub(crate) struct RequestLine<'a> {
    pub(crate) request_id: &'a str,
    /// X-Ray's id of the trace.
    pub(crate) trace_id: Option<&'a str>,
    /// Whether it is the first request of its environment.
    pub(crate) cold: bool,
    pub(crate) method: Option<&'a str>,
    /// The route, once it is known to be one.
    pub(crate) route: Option<&'static str>,
    /// The name of the accepted key.
    pub(crate) key: Option<Box<str>>,
    pub(crate) job_id: Option<JobId>,
    /// What reading the status file took.
    pub(crate) s3: ReadStats,
    /// The status file's size.
    pub(crate) bytes: Option<usize>,
    /// The age of a stalled job's status file, in seconds.
    pub(crate) stalled: Option<u64>,
    /// Members of the status file that mean something and say nonsense.
    pub(crate) nonsense: u8,
}

impl RequestLine<'_> {
    /// Writes the line: at INFO, or at ERROR for a 500 and WARN for a 429.
    pub(crate) fn write(&self, outcome: &str, status: u16, run_time: Duration, cause: Option<&Cause>) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id,
                    xray_trace_id = self.trace_id,
                    method = self.method,
                    route = self.route,
                    key = self.key.as_deref(),
                    job_id = self.job_id.map(display),
                    outcome,
                    status,
                    run_time = seconds(run_time),
                    s3_time = (self.s3.attempts > 0).then(|| seconds(self.s3.time)),
                    wait_time = (!self.s3.turn.waited.is_zero()).then(|| seconds(self.s3.turn.waited)),
                    s3_attempts = (self.s3.attempts > 0).then_some(self.s3.attempts),
                    bytes = self.bytes,
                    stalled = self.stalled,
                    nonsense = (self.nonsense > 0).then_some(self.nonsense),
                    cold = self.cold,
                    kind = cause.map(|cause| cause.kind),
                    error = cause.map(|cause| chain(&*cause.error)),
                    hint = cause.map(|cause| cause.hint),
                    "request"
                )
            };
        }
        match status {
            500.. => line!(error),
            429 => line!(warn),
            _ => line!(info),
        }
    }
}

/// Seconds, rounded to a microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
