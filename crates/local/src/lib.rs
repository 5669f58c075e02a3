//! Development only: the job-status endpoint on localhost, with an S3 server in the process.
//!
//! It serves the library's own endpoint; only the front door is another ([`http`]) and S3 is near
//! ([`s3`], a real S3 protocol server over a directory). [`samples`] is what that directory holds
//! unless it is the user's own, and [`watched`] is a sample that lives. The tests use the same S3
//! server and the same samples. In a browser there is a reference page to read and try the contract
//! on ([`page`]). On a terminal, what happens to each request is told in a short line ([`console`]).

pub mod console;
pub mod directory;
pub mod http;
pub mod options;
pub mod page;
pub mod s3;
pub mod samples;
pub mod server;
pub mod watched;

pub use console::Console;
pub use options::Options;
pub use server::Server;
