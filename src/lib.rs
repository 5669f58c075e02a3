//! The endpoint that answers job-status polls: `POST /paid/get/job/status` (or
//! `/v1/toolkit/job/status`) with an `x-api-key` and a `{"job_id":"<uuid>"}` gets the status file
//! that a worker wrote to S3, byte for byte, in the API's standard envelope.
//!
//! # The way of a request
//!
//! 1. [`front_door`]: the gateway's event becomes a call. API Gateway HTTP and REST APIs,
//!    function URLs and load balancers all look the same from here on.
//! 2. [`endpoint`]: the request from top to bottom; it calls the rooms below in this order.
//! 3. [`keyring`]: who asks? The keyring is read again when it is due, the key looked up.
//! 4. [`request`]: what for? The payload becomes a job id.
//! 5. [`s3`]: the status file is read, within its deadlines and attempts.
//! 6. [`status_file`]: the file is checked, and how soon to poll again is told from its age.
//! 7. [`envelope`]: the file is spliced into the envelope.
//! 8. [`encoding`]: the envelope is compressed if the caller likes, and has to fit.
//!
//! [`error`] is what a caller gets otherwise, [`log`] what the operator gets in any case,
//! [`limits`] every number, and [`settings`] what an operator sets:
//!
//! | variable | | meaning |
//! |---|---|---|
//! | `JOBS_BUCKET` | required | bucket of the status files |
//! | `JOBS_PREFIX` | optional | what every status file's key begins with, such as `jobs/` |
//! | `API_KEYS` | required | the keyring: its document, or `s3://bucket/key` |
//! | `AWS_LAMBDA_LOG_LEVEL`, `RUST_LOG` | optional | `TRACE` to `ERROR`, or `OFF`; `INFO` if neither is set |
//! | `AWS_REGION` | set by Lambda | region of the function and its buckets |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | set by Lambda | credentials |
//! | `AWS_LAMBDA_MAX_CONCURRENCY` | set by Lambda on Managed Instances | invocations it sends at a time |
//! | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` | optional | another S3, addressed path-style: MinIO, moto, LocalStack |
//! | `AWS_CA_BUNDLE` | optional | PEM file of root certificates to trust instead of Amazon's |

pub mod encoding;
pub mod endpoint;
pub mod envelope;
pub mod error;
pub mod front_door;
mod json;
pub mod keyring;
pub mod limits;
pub mod log;
pub mod request;
pub mod s3;
pub mod settings;
pub mod status_file;

pub use endpoint::Endpoint;
pub use settings::Settings;
