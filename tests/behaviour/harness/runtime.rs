//! A runtime for tests that are not asynchronous themselves.

use tokio::runtime::{Builder, Runtime};

/// A runtime on the thread of its test.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
