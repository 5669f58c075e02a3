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
    /// The numbers of those in the file that are not usable, and left out.
    pub(crate) left_out: String,
}

impl TrustStore {
    /// Reads a PEM file. The error says what is wrong with it, without its path.
    pub(crate) fn from_file(path: &str) -> Result<Self, String> {
        let pem = fs::read(path).map_err(|error| format!("cannot be read: {}", error.kind()))?;
        let store = Self::parse("AWS_CA_BUNDLE", &pem);
        if store.roots.is_empty() {
            return Err("has no usable certificate: expected the path of a PEM file".into());
        }
        Ok(store)
    }

    fn parse(name: &'static str, pem: &[u8]) -> Self {
        let (mut roots, mut left_out) = (RootCertStore::empty(), Vec::new());
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            if certificate.ok().and_then(|certificate| roots.add(certificate).ok()).is_none() {
                left_out.push((index + 1).to_string());
            }
        }
        Self { name, roots: roots.into(), left_out: left_out.join(", ") }
    }
}

impl Default for TrustStore {
    /// Amazon's own.
    fn default() -> Self {
        Self::parse("amazon", AMAZON_ROOTS)
    }
}
