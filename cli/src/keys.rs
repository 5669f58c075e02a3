//! `jobs keys`: who may ask.

use clap::Args;

use crate::failure::Failure;

/// Issues, rotates and revokes API keys, and checks the keyring
#[derive(Args)]
pub struct Keys {
    /// The keyring: s3://bucket/key or a file
    #[arg(long, env = "JOBS_RING", global = true)]
    ring: Option<String>,
}

/// Does what was asked of the keyring.
#[expect(clippy::unused_async, reason = "the scaffold")]
pub async fn run(keys: Keys) -> Result<(), Failure> {
    Err(Failure::usage(format!("there is no verb yet for {:?}", keys.ring)))
}
