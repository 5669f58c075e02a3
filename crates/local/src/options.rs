//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

/// What `--api-key` is unless it is given.
pub const DEMO_KEY: &str = "demo-key";

/// Serves the job-status endpoint on localhost, with an S3 server in the process
#[derive(Parser)]
#[command(name = "cargo local", bin_name = "cargo local")]
pub struct Options {
    /// Port of the endpoint on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9000, conflicts_with = "listen")]
    pub port: u16,

    /// Where the endpoint listens instead; 0.0.0.0:9000 lets containers and other machines reach it
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

    /// The API key to accept
    #[arg(long, default_value = DEMO_KEY, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub api_key: String,

    /// Your own status files instead of the samples
    // What people read has no Markdown.
    #[arg(long, value_name = "DIR", value_parser = directory, help = "Directory of your own status files, <job_id>.json, instead of the samples")]
    pub jobs: Option<PathBuf>,

    /// Where the S3 server listens; 0.0.0.0:9001 lets containers (sam local) reach it, with the
    /// credentials in events/README.md [default: 127.0.0.1:9001, or a free port if that is in use]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub s3_listen: Option<SocketAddr>,

    /// A real bucket instead of the S3 server, with the credentials and region in the environment
    #[arg(long, value_name = "NAME", conflicts_with_all = ["jobs", "s3_listen"])]
    pub bucket: Option<String>,

    /// What the keys of the status files in that bucket begin with, such as jobs/
    #[arg(long, value_name = "PREFIX", requires = "bucket", conflicts_with_all = ["jobs", "s3_listen"], default_value = "")]
    pub prefix: String,

    /// Print a JSON line for each request, as the deployed function does. Without a terminal that is
    /// the default
    #[arg(long)]
    pub json: bool,
}

fn directory(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.is_dir() { Ok(path) } else { Err("there is no such directory".into()) }
}
