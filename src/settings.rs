//! The environment, read once at start-up.
//!
//! Every variable that is missing or malformed is reported in one go, by name and never with its
//! value, so that an operator mends all of them with one deploy. Unset and empty are the same:
//! templates pass empty strings for what is left out.

use std::{fmt, fs, num::NonZero, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tracing::level_filters::LevelFilter;

use crate::{
    keyring::{Keyring, Source},
    s3::Bucket,
};

/// Amazon's root authorities: all that S3's certificates are issued under. `amazon-roots.md`
/// says where they come from. Parsing a system's whole store would take 0.5 ms of CPU at start-up.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// What an operator sets. See the table in the crate's documentation.
pub struct Settings {
    /// Bucket of the status files.
    pub jobs_bucket: Bucket,
    /// What every status file's key begins with; may be empty.
    pub jobs_prefix: String,
    /// Where the keyring is.
    pub api_keys: Source,
    /// Who may vouch for S3's certificate.
    pub trust_store: TrustStore,
    /// Invocations that Lambda sends to this environment at a time: 1 unless the function runs on
    /// Managed Instances.
    pub concurrency: NonZero<usize>,
    /// What is logged of this program's own events.
    pub log: LevelFilter,
}

/// Root certificates.
pub struct TrustStore {
    /// Where they come from, for the start-up log line.
    pub name: &'static str,
    /// Each of them usable.
    pub roots: Arc<RootCertStore>,
}

/// Everything wrong with the environment, each fault naming its variable.
#[derive(Debug, thiserror::Error)]
pub struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start: {}", self.0.join("; "))
    }
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// All faults at once.
    pub fn from_env() -> Result<Self, Faults> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads settings from `variable`, which gives a variable's value by its name.
    ///
    /// # Errors
    /// All faults at once.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut reader = Reader { variable, faults: Vec::new() };
        let region =
            reader.required(&["AWS_REGION", "AWS_DEFAULT_REGION"], "a region such as eu-central-1", parse_region);
        let endpoint = reader.optional(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], parse_endpoint);
        let bucket = |name: &str| parse_bucket(name, &region, endpoint.as_deref());
        let settings = Self {
            jobs_bucket: reader.required(&["JOBS_BUCKET"], "the bucket of the status files", bucket),
            jobs_prefix: reader.optional(&["JOBS_PREFIX"], parse_prefix).unwrap_or_default(),
            api_keys: reader.required(&["API_KEYS"], "a keyring document or s3://bucket/key", |value| {
                parse_api_keys(value, bucket)
            }),
            trust_store: reader.optional(&["AWS_CA_BUNDLE"], parse_trust_store).unwrap_or_default(),
            concurrency: reader
                .optional(&["AWS_LAMBDA_MAX_CONCURRENCY"], parse_concurrency)
                .unwrap_or(NonZero::<usize>::MIN),
            log: reader.optional(&["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"], parse_log).unwrap_or(LevelFilter::INFO),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(Faults(reader.faults)) }
    }
}

impl Default for TrustStore {
    fn default() -> Self {
        // Every one of them is good, says a test.
        Self { name: "amazon", roots: parse_roots(AMAZON_ROOTS).unwrap_or_else(|_| RootCertStore::empty().into()) }
    }
}

struct Reader<F> {
    variable: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// The first of `names` that is set, parsed; a fault and a placeholder if none can be had.
    fn required<T: Default>(&mut self, names: &[&str], what: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let known = self.faults.len();
        self.optional(names, parse).unwrap_or_else(|| {
            if self.faults.len() == known {
                self.faults.push(format!("{} is not set: it takes {what}", names.join(" or ")));
            }
            T::default()
        })
    }

    fn optional<T>(&mut self, names: &[&str], parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (name, value) = names.iter().find_map(|name| {
            let value = (self.variable)(name)?;
            (!value.is_empty()).then_some((name, value))
        })?;
        parse(&value).map_err(|fault| self.faults.push(format!("{name} {fault}"))).ok()
    }
}

fn parse_bucket(name: &str, region: &str, endpoint: Option<&str>) -> Result<Bucket, String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte)) {
        return Err("is not a bucket's name".into());
    }
    if region.is_empty() {
        return Ok(Bucket::default()); // that is a fault of its own
    }
    Bucket::find(name, region, endpoint).ok_or_else(|| {
        "is not a bucket or access point that can be read (no directory bucket, no multi-region access point)".into()
    })
}

fn parse_prefix(value: &str) -> Result<String, String> {
    if value.starts_with('/') || value.contains("//") || value.chars().any(char::is_control) {
        Err("is not a key prefix such as jobs/ (no slash in front, no double slash)".into())
    } else {
        Ok(value.into())
    }
}

fn parse_api_keys(value: &str, bucket: impl Fn(&str) -> Result<Bucket, String>) -> Result<Source, String> {
    match value.strip_prefix("s3://") {
        Some(location) => match location.split_once('/') {
            Some((name, key)) if !key.is_empty() => Ok(Source::Object { bucket: bucket(name)?, key: key.into() }),
            _ => Err("is not of the form s3://bucket/key".into()),
        },
        None => Keyring::parse(value.as_bytes()).map(Source::Inline).map_err(|faults| faults.to_string()),
    }
}

fn parse_region(value: &str) -> Result<String, String> {
    let is_region = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_region { Ok(value.into()) } else { Err("is not a region such as eu-central-1".into()) }
}

fn parse_endpoint(value: &str) -> Result<String, String> {
    let url: Option<lambda_http::http::Uri> = value.parse().ok();
    let is_http = |url: &lambda_http::http::Uri| matches!(url.scheme_str(), Some("http" | "https"));
    if url.is_some_and(|url| is_http(&url)) {
        Ok(value.into())
    } else {
        Err("is not a URL such as http://localhost:9001".into())
    }
}

fn parse_trust_store(path: &str) -> Result<TrustStore, String> {
    let pem = fs::read(path).map_err(|error| format!("cannot be read: {}", error.kind()))?;
    Ok(TrustStore { name: "AWS_CA_BUNDLE", roots: parse_roots(&pem)? })
}

fn parse_roots(pem: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| format!("has an unusable certificate (number {})", index + 1))?;
    }
    if roots.is_empty() {
        return Err("has no certificate: it takes the path of a PEM file".into());
    }
    Ok(roots.into())
}

fn parse_concurrency(value: &str) -> Result<NonZero<usize>, String> {
    value.parse().map_err(|_| "is not a number of invocations: it takes 1 or more".into())
}

fn parse_log(value: &str) -> Result<LevelFilter, String> {
    match value {
        "FATAL" => Ok(LevelFilter::ERROR), // one of Lambda's levels, not of Rust's
        value => {
            value.parse().map_err(|_| "is not a log level: it takes TRACE, DEBUG, INFO, WARN, ERROR or OFF".into())
        }
    }
}
