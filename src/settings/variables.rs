//! The table of variables. The documentation is made of it.

use SetBy::{Lambda, Operator, OperatorIfNeeded};

/// A variable of the environment.
pub struct Variable {
    /// Its names. The first that is set wins.
    pub names: &'static [&'static str],
    /// Who sets it.
    pub set_by: SetBy,
    /// What it says, in Markdown.
    pub meaning: &'static str,
}

/// Who sets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// The operator must.
    Operator,
    /// The operator may.
    OperatorIfNeeded,
    /// Lambda does.
    Lambda,
}

const fn variable(set_by: SetBy, names: &'static [&'static str], meaning: &'static str) -> Variable {
    Variable { names, set_by, meaning }
}

pub(super) const JOBS_BUCKET: Variable = variable(Operator, &["JOBS_BUCKET"], "bucket of the status files; a directory bucket (S3 Express One Zone) too");
pub(super) const JOBS_PREFIX: Variable = variable(OperatorIfNeeded, &["JOBS_PREFIX"], "what every status file's key begins with, such as `jobs/`");
pub(super) const API_KEYS: Variable = variable(Operator, &["API_KEYS"], "the keyring: its document, or `s3://bucket/key`");
pub(super) const STALLED_AFTER: Variable = variable(OperatorIfNeeded, &["STALLED_AFTER_SECONDS"], "the age at which an unfinished job without `heartbeat_seconds` is stalled; never if it is 0 or unset");
pub(super) const UNFINISHED_STATES: Variable = variable(OperatorIfNeeded, &["UNFINISHED_STATES"], "further values of `job_status` that are unfinished, separated by commas, such as `processing,pending`");
pub(super) const LOG_LEVEL: Variable = variable(OperatorIfNeeded, &["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"], "`TRACE` to `ERROR`, or `OFF`; `INFO` if neither is set");
pub(super) const ENDPOINT: Variable = variable(OperatorIfNeeded, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "another S3, addressed path-style: MinIO, moto, LocalStack");
pub(super) const FIPS: Variable = variable(OperatorIfNeeded, &["AWS_USE_FIPS_ENDPOINT"], "`true`: S3's FIPS endpoints");
pub(super) const DUAL_STACK: Variable = variable(OperatorIfNeeded, &["AWS_USE_DUALSTACK_ENDPOINT"], "`true`: S3's endpoints for IPv4 and IPv6");
pub(super) const CHECKSUMS: Variable = variable(OperatorIfNeeded, &["AWS_RESPONSE_CHECKSUM_VALIDATION"], "`when_required`: S3 is not asked for checksums, for servers that refuse that; `when_supported` if unset");
pub(super) const TRUST_STORE: Variable = variable(OperatorIfNeeded, &["AWS_CA_BUNDLE"], "PEM file of root certificates to trust instead of Amazon's");
pub(super) const REGION: Variable = variable(Lambda, &["AWS_REGION", "AWS_DEFAULT_REGION"], "region of the function and its buckets");
pub(super) const CREDENTIALS: Variable = variable(Lambda, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"], "credentials of the function's role; all of them count");
pub(super) const CONCURRENCY: Variable = variable(Lambda, &["AWS_LAMBDA_MAX_CONCURRENCY"], "invocations that Lambda sends to an environment at a time; 1 if unset");
pub(super) const MEMORY: Variable = variable(Lambda, &["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "memory in MB, half of which bounds what large status files take at once");
pub(super) const INITIALIZATION: Variable = variable(Lambda, &["AWS_LAMBDA_INITIALIZATION_TYPE"], "how the environment is made; `snap-start` is refused");

/// Every variable that the function reads.
pub const VARIABLES: [Variable; 16] = [
    JOBS_BUCKET, JOBS_PREFIX, API_KEYS, STALLED_AFTER, UNFINISHED_STATES, LOG_LEVEL, ENDPOINT, FIPS, DUAL_STACK, CHECKSUMS, TRUST_STORE, REGION, CREDENTIALS, MEMORY,
    CONCURRENCY, INITIALIZATION,
];
