//! What the operator sees: JSON lines on stdout, one for each request, as Lambda's JSON log format takes them.
//!
//! Neither status files nor keys are ever written. Dependencies log warnings and errors only, because their finer
//! levels print payloads.

use std::{fmt::Debug, time::Duration};

use tokio::sync::mpsc::Sender;
use tracing::field::{Field, display};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, prelude::*, registry::LookupSpan};

use crate::{cause::chain, reply::Reply, request::JobId, s3::object::ReadStats};

/// Starts logging to stdout, panics included. If `lambda_runtime` logs a failure that the process cannot go on from,
/// that goes to `failed` instead. Only the first call of a process has an effect.
pub fn init(level: LevelFilter, failed: Sender<String>) {
    let failures = RuntimeFailures { failed, level: level.min(LevelFilter::WARN) };
    if subscriber(level, std::io::stdout).with(failures).try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("no message");
            let location = panic.location().map(display);
            tracing::error!(event = "panic", location, "{message}");
        }));
    }
}

/// What [`init`] installs, writing to `writer`.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("job_status", level)
        .with_target("lambda_runtime", LevelFilter::WARN);
    tracing_subscriber::registry().with(targets).with(
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_writer(writer),
    )
}

/// Sees that the Runtime API is gone or answers 5xx. Its specification says that the runtime should exit promptly then.
/// `lambda_runtime` only warns and goes on, with many workers without a pause.
struct RuntimeFailures {
    failed: Sender<String>,
    level: LevelFilter,
}

impl<S: Subscriber> Layer<S> for RuntimeFailures {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if !metadata.target().starts_with("lambda_runtime") {
            return true;
        }
        let (mut message, mut error, mut status) = (String::new(), String::new(), String::new());
        event.record(&mut |field: &Field, value: &dyn Debug| match field.name() {
            "message" => message = format!("{value:?}"),
            "error" => error = format!("{value:?}"),
            "status" => status = format!("{value:?}"),
            _ => {}
        });
        // At WARN it logs only that it could not ask for the next invocation.
        let has_no_next = metadata.target() == "lambda_runtime::runtime" && *metadata.level() == Level::WARN;
        if has_no_next || status.starts_with('5') {
            let _ = self.failed.try_send(format!("the Lambda Runtime API failed: {message} {error}{status}"));
            return false;
        }
        *metadata.level() <= self.level
    }
}

/// A request's log line, filled in on the request's way.
#[derive(Default)]
pub(crate) struct RequestLine<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) cold: bool,
    pub(crate) key: Option<Box<str>>,
    pub(crate) job_id: Option<JobId>,
    pub(crate) bytes: Option<usize>,
    /// The age of a stalled job's status file, in seconds.
    pub(crate) stalled: Option<u64>,
    /// How many hints of the worker are ignored, because they are no number of seconds.
    pub(crate) invalid_hints: u8,
    /// Numbers in the status file that JSON has not, and that were replaced by `null`.
    pub(crate) repaired: usize,
}

impl RequestLine<'_> {
    /// Writes the line, with what the read of the status file took: at ERROR for a 500, WARN for a 429, else INFO.
    pub(crate) fn write(&self, reply: &Reply, run_time: Duration, read: &ReadStats) {
        let (status, cause) = (reply.status.as_u16(), reply.cause.as_ref());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id,
                    xray_trace_id = self.trace_id,
                    key = self.key.as_deref(),
                    job_id = self.job_id.map(display),
                    outcome = reply.outcome.word(),
                    status,
                    run_time = seconds(run_time),
                    s3_time = (read.attempts > 0).then(|| seconds(read.time)),
                    wait_time = (!read.waited.is_zero()).then(|| seconds(read.waited)),
                    s3_attempts = (read.attempts > 1).then_some(read.attempts),
                    bytes = self.bytes,
                    stalled = self.stalled,
                    invalid_hints = (self.invalid_hints > 0).then_some(self.invalid_hints),
                    repaired = (self.repaired > 0).then_some(self.repaired),
                    cold = self.cold.then_some(true),
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
