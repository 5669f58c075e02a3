//! The answer if a status file cannot be read.

/// A 500 that says this and has no headers of its own, as [`Response`](super::Response) displays it.
pub fn failure(message: &str) -> String {
    format!("500\n\n{{\"error\":\"Failed to retrieve job status: {message}\",\"code\":500}}")
}
