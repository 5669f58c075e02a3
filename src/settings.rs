//! The environment, read once at start-up.
//!
//! All variables that are missing or malformed are reported at once, by name and never with their values: one deploy
//! mends them all. An empty variable counts as unset, because templates pass empty strings for what is left out.

#[rustfmt::skip] // a row a line
pub(crate) mod variables;

use std::{fmt::Display, num::NonZero, str::FromStr, time::Duration};

use tracing::{level_filters::LevelFilter, warn};

use crate::{
    keyring::{Keyring, live::Source},
    limits::{DEFAULT_MEMORY, MAX_UNFINISHED_STATES},
    s3::{
        bucket::{Addressing, Bucket},
        trust_store::TrustStore,
    },
    settings::variables::{
        API_KEYS, CHECKSUMS, CONCURRENCY, DUAL_STACK, ENDPOINT, FIPS, INITIALIZATION, JOBS_BUCKET, JOBS_PREFIX,
        LOG_LEVEL, MEMORY, REGION, STALLED_AFTER, TRUST_STORE, UNFINISHED_STATES, Variable,
    },
    status_file::progress::FINAL,
};

/// What an operator sets.
pub struct Settings {
    /// Bucket of the status files.
    pub jobs_bucket: Bucket,
    /// What every status file's key begins with; may be empty.
    pub jobs_prefix: String,
    /// The age from which an unfinished job is stalled, if its worker says nothing about that.
    pub stalled_after: Option<Duration>,
    /// States beside those of the contract that are unfinished.
    pub unfinished_states: Vec<String>,
    /// Where the keyring is.
    pub(crate) api_keys: Source,
    /// The root certificates that S3's own must lead to.
    pub trust_store: TrustStore,
    /// Invocations that Lambda sends to this environment at a time.
    pub concurrency: NonZero<usize>,
    /// The environment's memory, in MB.
    pub memory: NonZero<u32>,
    /// What this program logs.
    pub log: LevelFilter,
}

/// Everything that is wrong with the environment, each fault with its variable's name.
#[derive(Debug, thiserror::Error)]
#[error("cannot start: {}", .0.join("; "))]
pub struct InvalidSettings(Vec<String>);

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// All faults at once.
    pub fn from_env() -> Result<Self, InvalidSettings> {
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads settings from `value_of`, which gives a variable's value by its name.
    ///
    /// # Errors
    /// All faults at once.
    pub fn from_variables(value_of: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut reader = Reader { value_of, faults: Vec::new() };
        let region = reader.required(&REGION, "a region such as eu-central-1", parse_region);
        let addressing = Addressing {
            endpoint: reader.optional(&ENDPOINT, parse_endpoint),
            fips: reader.optional(&FIPS, either("true", "false")).unwrap_or_default(),
            dual_stack: reader.optional(&DUAL_STACK, either("true", "false")).unwrap_or_default(),
            no_checksums: reader.optional(&CHECKSUMS, either("when_required", "when_supported")).unwrap_or_default(),
        };
        let bucket = |name: &str| parse_bucket(name, &region, &addressing);
        let settings = Self {
            jobs_bucket: reader.required(&JOBS_BUCKET, "the bucket of the status files", bucket),
            jobs_prefix: reader.optional(&JOBS_PREFIX, parse_prefix).unwrap_or_default(),
            stalled_after: reader.optional(&STALLED_AFTER, parse_stalled_after).filter(|after| !after.is_zero()),
            unfinished_states: reader.optional(&UNFINISHED_STATES, parse_unfinished_states).unwrap_or_default(),
            api_keys: reader
                .required(&API_KEYS, "a keyring document or s3://bucket/key", |value| parse_api_keys(value, bucket)),
            trust_store: reader.optional(&TRUST_STORE, TrustStore::from_file).unwrap_or_default(),
            concurrency: reader.optional(&CONCURRENCY, positive("invocations")).unwrap_or(NonZero::<usize>::MIN),
            memory: reader.optional(&MEMORY, positive("MB")).unwrap_or(DEFAULT_MEMORY),
            log: reader.optional(&LOG_LEVEL, parse_log_level).unwrap_or(LevelFilter::INFO),
        };
        let _ = reader.optional(&INITIALIZATION, refuse_snap_start);
        if reader.faults.is_empty() { Ok(settings) } else { Err(InvalidSettings(reader.faults)) }
    }

    /// Logs what is allowed, but rarely meant.
    pub(crate) fn warn(&self) {
        let numbers = &*self.trust_store.left_out;
        if !numbers.is_empty() {
            warn!(event = "certificates_left_out", numbers, "AWS_CA_BUNDLE has certificates that cannot be used");
        }
        let prefix = &*self.jobs_prefix;
        if !prefix.is_empty() && !prefix.ends_with('/') {
            warn!(event = "prefix_without_slash", prefix, "JOBS_PREFIX does not end in a slash: is that meant?");
        }
    }
}

struct Reader<F> {
    value_of: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// The variable, parsed. If it is unset or malformed, that is a fault, and the value a placeholder.
    fn required<T: Default, E: Display>(
        &mut self,
        variable: &Variable,
        what: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> T {
        let known = self.faults.len();
        self.optional(variable, parse).unwrap_or_else(|| {
            if self.faults.len() == known {
                self.faults.push(format!("{} is not set: expected {what}", variable.names.join(" or ")));
            }
            T::default()
        })
    }

    /// The variable, parsed; `None` if it is unset or malformed.
    fn optional<T, E: Display>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let (name, value) = variable.names.iter().find_map(|name| {
            let value = (self.value_of)(name)?;
            (!value.is_empty()).then_some((name, value))
        })?;
        parse(&value).map_err(|fault| self.faults.push(format!("{name} {fault}"))).ok()
    }
}

fn parse_bucket(name: &str, region: &str, addressing: &Addressing) -> Result<Bucket, &'static str> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte)) {
        return Err("is not a bucket's name");
    }
    if region.is_empty() {
        return Ok(Bucket::default()); // that is a fault of its own
    }
    Bucket::resolve(name, region, addressing)
        .ok_or("is not a bucket or access point that can be read (no multi-region access point)")
}

fn parse_prefix(value: &str) -> Result<String, &'static str> {
    if value.starts_with('/') || value.contains("//") || value.chars().any(char::is_control) {
        return Err("is not a key prefix such as jobs/ (no slash in front, no double slash)");
    }
    Ok(value.into())
}

fn parse_stalled_after(value: &str) -> Result<Duration, &'static str> {
    let seconds = value.parse::<u32>().map_err(|_| "is not a number of seconds: expected whole seconds, or 0")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// States that are unfinished beside those of the contract, separated by commas.
///
/// # Errors
/// What is wrong with them, as a phrase that follows the variable's name.
pub fn parse_unfinished_states(value: &str) -> Result<Vec<String>, String> {
    let words: Vec<_> = value.split(',').map(|word| word.trim().to_owned()).collect();
    if value.len() > MAX_UNFINISHED_STATES {
        return Err(format!("has more than {MAX_UNFINISHED_STATES} bytes"));
    }
    if words.iter().any(String::is_empty) {
        return Err("has an empty word".into());
    }
    if words.iter().any(|word| FINAL.contains(&word.as_str())) {
        return Err("has done or failed, which are final".into());
    }
    Ok(words)
}

fn parse_api_keys(value: &str, bucket: impl Fn(&str) -> Result<Bucket, &'static str>) -> Result<Source, String> {
    let Some(location) = value.trim_start_matches('\u{feff}').strip_prefix("s3://") else {
        return Keyring::parse(value.as_bytes()).map(Source::Inline).map_err(|faults| faults.to_string());
    };
    match location.split_once('/') {
        Some((name, key)) if !key.is_empty() => Ok(Source::Object { bucket: bucket(name)?, key: key.into() }),
        _ => Err("is not of the form s3://bucket/key".into()),
    }
}

fn parse_region(value: &str) -> Result<String, &'static str> {
    let is_region = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_region { Ok(value.into()) } else { Err("is not a region such as eu-central-1") }
}

fn parse_endpoint(value: &str) -> Result<String, &'static str> {
    let url: Option<http::Uri> = value.parse().ok();
    let url = url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
    let url = url.ok_or("is not a URL such as http://localhost:9001")?;
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("has a user name or a password: credentials have variables of their own");
    }
    // The SDK's rules put the bucket's name right behind it.
    Ok(format!("{}/", value.trim_end_matches('/')))
}

/// Whether it is the first of the two words.
fn either(first: &str, second: &str) -> impl Fn(&str) -> Result<bool, String> {
    move |value| match value {
        _ if value.eq_ignore_ascii_case(first) => Ok(true),
        _ if value.eq_ignore_ascii_case(second) => Ok(false),
        _ => Err(format!("is neither {first} nor {second}")),
    }
}

fn positive<T: FromStr>(unit: &str) -> impl Fn(&str) -> Result<T, String> {
    move |value| value.parse().map_err(|_| format!("is not a number of {unit}: expected 1 or more"))
}

/// A snapshot would give every environment the same `queue_id`, and `SnapStart` hands credentials over in a way that
/// this function does not read.
fn refuse_snap_start(value: &str) -> Result<(), &'static str> {
    if value == "snap-start" { Err("is snap-start: SnapStart is not supported, switch it off") } else { Ok(()) }
}

fn parse_log_level(value: &str) -> Result<LevelFilter, &'static str> {
    let level = if value == "FATAL" { "ERROR" } else { value }; // one of Lambda's levels, not of Rust's
    level.parse().map_err(|_| "is not a log level: expected TRACE, DEBUG, INFO, WARN, ERROR or OFF")
}
