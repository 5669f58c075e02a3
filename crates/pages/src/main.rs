//! `cargo pages` fills the parts of the documentation that code knows: those that follow from the
//! function's own code, here, and those that follow from its arithmetic, in [`scaling`].

mod scaling;

use std::{fs, io, path::Path, time::Duration};

use job_status::{
    FailureKind, Gateway, SetBy, VARIABLES,
    limits::{
        ATTEMPT_TIMEOUT, ATTEMPTS, BACKOFF, CONNECT_TIMEOUT, DEADLINE_RESERVE, GZIP_FROM, KEYRING_FRESH, KEYRING_GRACE,
        KEYRING_PATIENCE, KEYRING_RETRY, LARGE_FILE, MAX_KEYRING, MAX_REQUEST_BODY, MAX_STATUS_FILE, PAYLOAD_OVERHEAD,
        POOL_IDLE_TIMEOUT, PROBE_BUDGET, REQUEST_BUDGET, SESSION_RENEWAL, THROTTLED_RETRY_AFTER_SECONDS,
    },
};
use pages::{Table, thousands};

fn main() -> io::Result<()> {
    pages::update("docs/failure-modes.md", "pages", &[("times", &times()), ("s3", &s3()), ("sizes", &sizes())])?;
    pages::update("docs/settings.md", "pages", &[("variables", &variables())])?;
    pages::update("docs/design/reliability.md", "pages", &[("counts", &counts()?)])?;
    scaling::fill()
}

/// What the tests cover one by one.
fn counts() -> io::Result<Table> {
    let files = fs::read_dir(Path::new(pages::ROOT).join("events"))?.collect::<io::Result<Vec<_>>>()?;
    let is_event = |name: &str| name != "env.json" && Path::new(name).extension().is_some_and(|kind| kind == "json");
    let events = files.iter().filter(|file| file.file_name().to_str().is_some_and(is_event)).count();
    let mut table = Table::new(["what", "how many", "tests"]);
    for (what, how_many, tests) in [
        (
            "kinds of S3's failures, each provoked",
            FailureKind::ALL.len(),
            "cargo test --test behaviour -- faults:: express::",
        ),
        ("gateways, each with the whole contract", Gateway::ALL.len(), "cargo test --test behaviour gateways::"),
        ("sample events, each with its documented answer", events, "cargo test --test behaviour sample_event"),
    ] {
        table.row(what, [how_many.to_string(), format!("`{tests}`")]);
    }
    Ok(table)
}

fn times() -> Table {
    let waits: Vec<_> = (1..ATTEMPTS).map(|failed| (BACKOFF * (1 << (failed - 1))).as_millis().to_string()).collect();
    let mut table = Table::new(["limit", "value"]);
    for (limit, value) in [
        (
            "a request",
            format!("{}, or what is left of the invocation less {}", time(REQUEST_BUDGET), time(DEADLINE_RESERVE)),
        ),
        ("a connection to S3, TLS included", time(CONNECT_TIMEOUT)),
        ("one attempt at an object, body included, without the wait for a permit", time(ATTEMPT_TIMEOUT)),
        ("attempts at an object", format!("{ATTEMPTS}, after random waits of up to {} ms", waits.join(" and "))),
        ("an idle connection is dropped after", time(POOL_IDLE_TIMEOUT)),
        ("the read at start-up", time(PROBE_BUDGET)),
        ("the keyring is read again after", time(KEYRING_FRESH)),
        ("a request waits for that at most", time(KEYRING_PATIENCE)),
        ("from the start of a read that fails to the next", time(KEYRING_RETRY)),
        ("meanwhile the last good keyring is used for", time(KEYRING_GRACE)),
        ("a directory bucket's next session is made when the last one has left", time(SESSION_RENEWAL)),
    ] {
        table.row(limit, [value]);
    }
    table
}

fn sizes() -> Table {
    let mut table = Table::new(["limit", "value"]);
    table.row("a request's body, or its query string", [size(MAX_REQUEST_BODY as u64)]);
    table.row("a status file", [size(MAX_STATUS_FILE)]);
    table.row("where many polls run at once, a status file needs a permit from", [size(LARGE_FILE)]);
    table.row("a keyring", [size(MAX_KEYRING)]);
    table.row("an envelope is compressed from", [size(GZIP_FROM as u64)]);
    for gateway in Gateway::ALL {
        table.row(format!("an answer ({})", gateway.name()), [size(gateway.max_payload() as u64)]);
    }
    table.row("of which are kept for status and headers", [size(PAYLOAD_OVERHEAD as u64)]);
    table
}

fn s3() -> Table {
    let mut table = Table::new(["what happens", "tried again", "the caller gets", "`kind`"]);
    for kind in FailureKind::ALL {
        let row = kind.row();
        let retried = if row.retried { "yes" } else { "no" };
        let name = match kind {
            // This is an answer like any other: its log line has no `kind`.
            FailureKind::NoSuchKey => String::new(),
            _ => format!("`{}`", row.name),
        };
        table.row(row.when, [retried, &answer(kind), &name]);
    }
    table
}

/// What the caller gets if the status file cannot be read.
fn answer(kind: FailureKind) -> String {
    let message = kind.row().caller;
    match kind {
        FailureKind::NoSuchKey => format!("404 `{message}`"),
        FailureKind::SlowDown => format!("429 with `retry-after: {THROTTLED_RETRY_AFTER_SECONDS}`"),
        _ => format!("500 `{message}`"),
    }
}

/// The variables that an operator sets.
fn variables() -> Table {
    let mut table = Table::new(["variable", "", "meaning"]);
    for variable in VARIABLES.iter().filter(|variable| variable.set_by != SetBy::Lambda) {
        let set_by = match variable.set_by {
            SetBy::Operator => "required",
            SetBy::OperatorIfNeeded => "optional",
            SetBy::Lambda => "set by Lambda",
        };
        table.row(format!("`{}`", variable.names.join("`, `")), [set_by, variable.meaning]);
    }
    table
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 { format!("{seconds} s") } else { format!("{} min", seconds / 60.0) }
}

fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    if bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else if bytes.is_multiple_of(KIB) {
        format!("{} KiB", bytes / KIB)
    } else {
        format!("{} bytes", thousands(&bytes.to_string()))
    }
}
