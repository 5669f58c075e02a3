//! The checksum that S3 keeps with an object.

use aws_smithy_checksums::{
    ChecksumAlgorithm,
    http::{CHECKSUM_ALGORITHMS_IN_PRIORITY_ORDER, HttpChecksum},
};
use hyper::header::{HeaderMap, HeaderValue};

/// What an object's content should add up to.
pub(super) struct Checksum<'a> {
    algorithm: Box<dyn HttpChecksum>,
    expected: &'a HeaderValue,
}

/// The content adds up to something else.
#[derive(Debug, thiserror::Error)]
#[error("checksum mismatch: {header} should be {expected:?} and is {actual:?}")]
pub(super) struct Mismatch {
    header: &'static str,
    expected: HeaderValue,
    actual: HeaderValue,
}

impl<'a> Checksum<'a> {
    /// The checksum in the headers of S3's answer, the one that is cheapest to verify. One of an
    /// object uploaded in parts is made of the parts' checksums and can't be verified here.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        CHECKSUM_ALGORITHMS_IN_PRIORITY_ORDER.iter().find_map(|name| {
            let algorithm = name.parse::<ChecksumAlgorithm>().ok()?.into_impl();
            let expected = headers.get(algorithm.header_name())?;
            let is_of_parts = expected.as_bytes().contains(&b'-');
            (!is_of_parts).then_some(Self { algorithm, expected })
        })
    }

    /// Checks a body against it.
    pub(super) fn verify(mut self, content: &[u8]) -> Result<(), Mismatch> {
        let header = self.algorithm.header_name();
        self.algorithm.update(content);
        let actual = self.algorithm.header_value();
        if actual == self.expected { Ok(()) } else { Err(Mismatch { header, expected: self.expected.clone(), actual }) }
    }
}
