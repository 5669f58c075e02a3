//! The checksum that S3 keeps with an object.

use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::{self as names, HttpChecksum};
use http::header::{HeaderMap, HeaderValue};

/// The headers a checksum may be in, the cheapest to verify first.
const HEADERS: [(&str, ChecksumAlgorithm); 5] = [
    (names::CRC_64_NVME_HEADER_NAME, ChecksumAlgorithm::Crc64Nvme),
    (names::CRC_32_C_HEADER_NAME, ChecksumAlgorithm::Crc32c),
    (names::CRC_32_HEADER_NAME, ChecksumAlgorithm::Crc32),
    (names::SHA_1_HEADER_NAME, ChecksumAlgorithm::Sha1),
    (names::SHA_256_HEADER_NAME, ChecksumAlgorithm::Sha256),
];

/// What an object's content should add up to.
pub(super) struct Checksum {
    algorithm: Box<dyn HttpChecksum>,
    expected: HeaderValue,
}

impl Checksum {
    /// The checksum in the headers of S3's answer. `None` as well for an object that was uploaded in parts: its
    /// checksum is made of the parts' checksums, and can't be verified here.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        if headers.get("x-amz-checksum-type").is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"COMPOSITE")) {
            return None;
        }
        HEADERS.into_iter().find_map(|(header, algorithm)| {
            let expected = headers.get(header)?;
            let is_of_parts = expected.as_bytes().contains(&b'-');
            (!is_of_parts).then(|| Self { algorithm: algorithm.into_impl(), expected: expected.clone() })
        })
    }

    /// Checks a body against it. The error says what it adds up to instead.
    pub(super) fn verify(mut self, content: &[u8]) -> Result<(), String> {
        self.algorithm.update(content);
        let (header, expected) = (self.algorithm.header_name(), self.expected);
        let actual = self.algorithm.header_value();
        if actual == expected {
            return Ok(());
        }
        Err(format!("checksum mismatch: {header} should be {expected:?} and is {actual:?}"))
    }
}
