//! The root certificates that S3's own must lead to.

use std::{fs, sync::Arc};

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// Amazon's root authorities. S3's certificates are issued under no other. `amazon-roots.md` says where they come
/// from. Parsing a system's whole store would take 0.5 ms of CPU at start-up.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Root certificates.
pub struct TrustStore {
    /// Where they come from, for the start-up log line.
    pub name: &'static str,
    /// The certificates, each of them usable.
    pub roots: Arc<RootCertStore>,
}

impl TrustStore {
    /// Reads a PEM file. The error says what is wrong with it, without its path.
    pub(crate) fn from_file(path: &str) -> Result<Self, String> {
        let pem = fs::read(path).map_err(|error| format!("cannot be read: {}", error.kind()))?;
        Ok(Self { name: "AWS_CA_BUNDLE", roots: parse(&pem)? })
    }
}

impl Default for TrustStore {
    /// Amazon's own.
    fn default() -> Self {
        // A test makes sure that each of them is good.
        Self { name: "amazon", roots: parse(AMAZON_ROOTS).unwrap_or_else(|_| RootCertStore::empty().into()) }
    }
}

fn parse(pem: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| format!("has an unusable certificate (number {})", index + 1))?;
    }
    if roots.is_empty() {
        return Err("has no certificate: expected the path of a PEM file".into());
    }
    Ok(roots.into())
}
