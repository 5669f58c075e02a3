//! Status files from a directory to S3. `jobs publish` does this with a worker's directory, and `cargo
//! local` with that of its job to watch.
//!
//! `watch` tells which files changed, `queue` when each is looked at, `file` reads one whole, `upload`
//! sends it, `publisher` runs all of them, and `summary` counts. What the operator reads are events of
//! `tracing`. They name jobs by their ids, and have neither content nor credentials.
//!
//! The directory is the memory: what is not sent yet is still there, so a restart loses nothing and
//! nothing is kept twice.

mod file;
mod publisher;
mod queue;
mod refusal;
mod summary;
mod upload;
mod watch;

pub use publisher::{Publisher, Unfinished};
pub use refusal::{advice, reason, status};
pub use upload::Target;
pub use watch::{Unwatched, Watch};
