//! An object's content: what S3 keeps is checked against its checksum, and decompressed if it is stored with gzip.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::s3::{
    checksum::Checksum,
    failure::{Failure, FailureKind},
};

/// How to make an object's content of the bytes that S3 keeps.
pub(super) struct Content {
    checksum: Option<Checksum>,
    coding: Coding,
}

enum Coding {
    Identity,
    Gzip,
    Other(String),
}

impl Content {
    /// What the headers of S3's answer say. `None` if the bytes are the content, and nothing is known to check.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let checksum = Checksum::from_headers(headers);
        let coding = headers.get(CONTENT_ENCODING).map_or(Coding::Identity, |value| coding(value.as_bytes()));
        (checksum.is_some() || !matches!(coding, Coding::Identity)).then_some(Self { checksum, coding })
    }

    /// Whether the content may be larger than the bytes.
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.coding, Coding::Gzip)
    }

    /// The content, of at most `max` bytes.
    pub(super) fn decode(self, bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, Failure> {
        if let Some(checksum) = self.checksum {
            checksum.verify(&bytes).map_err(|mismatch| Failure::new(FailureKind::Damaged, mismatch))?;
        }
        match self.coding {
            Coding::Identity => Ok(bytes),
            Coding::Gzip => gunzip(&bytes, max),
            Coding::Other(coding) => {
                Err(Failure::new(FailureKind::Undecodable, format!("the object's content-encoding is {coding}")))
            }
        }
    }
}

/// Some S3 servers keep `aws-chunked`, which was about the upload alone.
fn coding(header: &[u8]) -> Coding {
    let header = String::from_utf8_lossy(header).to_ascii_lowercase();
    let codings = header.split(',').map(str::trim);
    match codings.filter(|coding| !matches!(*coding, "" | "identity" | "aws-chunked")).collect::<Vec<_>>().as_slice() {
        [] => Coding::Identity,
        ["gzip" | "x-gzip"] => Coding::Gzip,
        others => Coding::Other(others.join(", ")),
    }
}

/// It reads no further than `max`, so a small file that would become a huge one costs neither time nor memory.
fn gunzip(bytes: &[u8], max: u64) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(max + 1)
        .read_to_end(&mut content)
        .map_err(|error| Failure::new(FailureKind::Undecodable, error))?;
    let size = content.len() as u64;
    if size > max { Err(Failure { announced: Some(size), ..Failure::too_large(size, max) }) } else { Ok(content) }
}
