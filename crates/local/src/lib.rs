//! Development only: the job-status endpoint on localhost, with an S3 server in the process.
//!
//! It serves the library's own endpoint. Only the gateway is another ([`http`]), and S3 is near ([`s3`],
//! a real S3 protocol server over a directory). That directory holds [`samples`] unless it is the user's
//! own; one sample changes ([`changing`]). The tests use the same S3 server and the same samples. A
//! browser shows a reference page, to read and to try requests on ([`page`]). On a terminal, each request
//! is a short line ([`console`]).
//!
//! Both servers are for this machine's programs and its pages on localhost ([`hosts`], [`cors`]), and for
//! others only if they are told to. Ctrl-C ends both, whatever is under way ([`connections`]).

mod banner;
pub mod changing;
pub mod connections;
pub mod console;
pub mod cors;
pub mod directory;
pub mod hosts;
pub mod http;
pub mod options;
pub mod page;
pub mod platform;
pub mod s3;
pub mod samples;
pub mod server;

pub use console::Console;
pub use options::Options;
pub use server::Server;
