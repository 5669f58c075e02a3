//! Which authorities may vouch for S3: those in the file that `AWS_CA_BUNDLE` names, or else the
//! system's.
//!
//! Bundles of companies have odd certificates. Those are left out and named.

use std::{env, fs};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tracing::{dispatcher, warn};

use crate::{failure::Failure, output::remark};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The authorities of `AWS_CA_BUNDLE`, if it is set.
///
/// # Errors
/// It names a file that can't be read, or that has no certificate that can be used.
pub fn roots() -> Result<Option<RootCertStore>, Failure> {
    let Some(path) = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else { return Ok(None) };
    let bundle = fs::read(&path).map_err(|error| {
        Failure::unreachable("reading the file that AWS_CA_BUNDLE names", &error).advise("correct it, or unset it")
    })?;
    let (mut roots, mut odd) = (RootCertStore::empty(), Vec::new());
    for (index, rest) in String::from_utf8_lossy(&bundle).split(BEGIN).skip(1).enumerate() {
        if add(&mut roots, rest).is_none() {
            odd.push((index + 1).to_string());
        }
    }
    if roots.is_empty() {
        return Err(Failure::unanswered("the file that AWS_CA_BUNDLE names has no certificate that can be used")
            .advise("give it a file in PEM, or unset it"));
    }
    if !odd.is_empty() {
        leave_out(&odd.join(", "));
    }
    Ok(Some(roots))
}

fn add(roots: &mut RootCertStore, rest: &str) -> Option<()> {
    let (base64, _) = rest.split_once(END)?;
    let certificate = CertificateDer::from_pem_slice(format!("{BEGIN}{base64}{END}\n").as_bytes()).ok()?;
    roots.add(certificate).ok()
}

/// Names those that are left out: in the log if there is one.
fn leave_out(numbers: &str) {
    let message = "AWS_CA_BUNDLE has certificates that cannot be used and are left out";
    if dispatcher::has_been_set() {
        warn!(event = "certificates", numbers, "{message}");
    } else {
        remark(format_args!("warning: {message}: number {numbers}"));
    }
}
