//! An object's content: what S3 keeps is checked against its checksum, and decompressed if it is gzip.

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
    coding: String,
}

impl Content {
    /// What the headers of S3's answer say.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let coding = headers.get(CONTENT_ENCODING).map(|value| coding(&String::from_utf8_lossy(value.as_bytes())));
        Self { checksum: Checksum::from_headers(headers), coding: coding.unwrap_or_default() }
    }

    /// Whether the content may be larger than the bytes.
    pub(super) fn is_compressed(&self) -> bool {
        !self.coding.is_empty()
    }

    /// The content, of at most `max` bytes.
    pub(super) fn decode(self, bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, Failure> {
        if let Some(checksum) = self.checksum {
            checksum.verify(&bytes).map_err(|mismatch| Failure::new(FailureKind::Damaged, mismatch))?;
        }
        decompress(&self.coding, bytes, max)
    }
}

/// The content of an object whose `content-encoding` is `encoding`, of at most `max` bytes.
///
/// # Errors
/// It has more, the encoding is not gzip, or the bytes are not.
pub fn decompress(encoding: &str, bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, Failure> {
    let undecodable = |cause: String| Failure::new(FailureKind::Undecodable, cause);
    match coding(encoding).as_str() {
        "" => return Ok(bytes),
        "gzip" | "x-gzip" => {}
        others => return Err(undecodable(format!("the object's content-encoding is {others}"))),
    }
    // It reads no further than `max`, so a small file that would become a huge one costs neither time nor memory.
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(&*bytes).take(max + 1).read_to_end(&mut content);
    let size = read.map_err(|error| undecodable(error.to_string()))? as u64;
    if size > max {
        return Err(Failure { announced: Some(size), ..Failure::too_large(size, max) });
    }
    Ok(content)
}

/// What is to be decoded. Some servers keep `aws-chunked`, which was about the upload alone.
fn coding(encoding: &str) -> String {
    let encoding = encoding.to_lowercase();
    let codings = encoding.split(',').map(str::trim);
    codings.filter(|coding| !matches!(*coding, "" | "identity" | "aws-chunked")).collect::<Vec<_>>().join(", ")
}
