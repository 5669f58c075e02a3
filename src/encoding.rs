//! How an envelope travels: as text or compressed, and whether the gateway passes on so much.
//!
//! Lambda takes a function's answer as a JSON document with the body as a string in it: text is escaped, compressed
//! bytes are base64. The limit is on that. So a file of 4 MB with many quotes does not fit, and a compressed transcript
//! of 30 MB does.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::limits::{GZIP_FROM, PAYLOAD_OVERHEAD};

/// Whether an answer may be compressed with gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gzip {
    /// The caller accepts it.
    Accepted,
    /// The caller does not accept it, but could.
    NotAccepted,
    /// The gateway does not pass it on.
    Impossible,
}

/// A response's body: JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// As it is.
    Text(String),
    /// Compressed with gzip.
    Gzip(Vec<u8>),
}

/// A body ready to be sent.
pub struct Encoded {
    /// The body.
    pub body: Body,
    /// Whether it depends on the caller's `accept-encoding`: from [`GZIP_FROM`] on it does.
    pub negotiated: bool,
}

/// The body is too large for the gateway.
#[derive(Debug)]
pub struct DoesNotFit {
    /// Bytes that it would take in the payload as text, at least. Compressed, it is not counted to the end.
    pub(crate) size: Option<usize>,
    /// Bytes that the gateway passes on.
    pub(crate) limit: usize,
    /// Whether it may fit if the caller accepts gzip. Nothing is compressed only to find out.
    pub(crate) may_fit_compressed: bool,
}

impl DoesNotFit {
    /// A JSON text of `size` bytes, which would have to be compressed.
    pub(crate) fn uncompressed(size: u64, limit: usize, gzip: Gzip) -> Self {
        Self { size: usize::try_from(size).ok(), limit, may_fit_compressed: gzip == Gzip::NotAccepted }
    }
}

/// Largest JSON text, in bytes, that may fit a gateway that passes on `limit` bytes. Compressed, any may.
pub(crate) fn largest(gzip: Gzip, limit: usize) -> usize {
    if gzip == Gzip::Accepted { usize::MAX } else { max_body(limit) }
}

fn max_body(limit: usize) -> usize {
    limit.saturating_sub(PAYLOAD_OVERHEAD)
}

/// Encodes a body, a JSON text given in parts, for a gateway that passes on `limit` bytes.
///
/// # Errors
/// It does not fit.
pub fn encode(parts: &[&str], gzip: Gzip, limit: usize) -> Result<Encoded, DoesNotFit> {
    let max_body = max_body(limit);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let negotiated = length >= GZIP_FROM && gzip != Gzip::Impossible;

    if negotiated && gzip == Gzip::Accepted {
        return match compress(parts, max_body) {
            Some(compressed) => Ok(Encoded { body: Body::Gzip(compressed), negotiated }),
            None => Err(DoesNotFit { size: None, limit, may_fit_compressed: false }),
        };
    }
    // No byte of JSON takes more than two when it is escaped, so most files need no counting.
    let size = if length <= max_body / 2 { length } else { parts.iter().map(|part| escaped_length(part)).sum() };
    if size <= max_body {
        Ok(Encoded { body: Body::Text(parts.concat()), negotiated })
    } else {
        Err(DoesNotFit::uncompressed(size as u64, limit, gzip))
    }
}

/// Whether an `accept-encoding` header allows gzip (RFC 9110, section 12.5.3).
#[must_use]
pub fn accepts_gzip(header: &str) -> bool {
    let allowed = |coding: &str| {
        header.split(',').find_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            name.trim().eq_ignore_ascii_case(coding).then(|| {
                let weight = weight.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
                weight.parse::<f32>().map_or(true, |weight| weight > 0.0)
            })
        })
    };
    allowed("gzip").or_else(|| allowed("*")).unwrap_or(false)
}

/// The text compressed, if that takes at most `max_base64` bytes of base64. If not, the work ends once that is clear:
/// 32 MiB that compress badly take 50 ms of CPU instead of 300.
fn compress(parts: &[&str], max_base64: usize) -> Option<Vec<u8>> {
    let max = max_base64 / 4 * 3;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for piece in parts.iter().flat_map(|part| part.as_bytes().chunks(64 * 1024)) {
        encoder.write_all(piece).ok()?;
        if encoder.get_ref().len() > max {
            return None;
        }
    }
    encoder.finish().ok().filter(|bytes| bytes.len() <= max)
}

/// Bytes of a JSON text inside a JSON string. What is escaped there takes one byte more, because a JSON text has no
/// other control characters. It is counted in chunks: the compiler vectorises a sum that fits a byte (1.8 ms for 4 MB).
fn escaped_length(json: &str) -> usize {
    let escaped = |&byte: &u8| u8::from(matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t'));
    let in_chunk = |chunk: &[u8]| usize::from(chunk.iter().map(escaped).sum::<u8>());
    json.len() + json.as_bytes().chunks(255).map(in_chunk).sum::<usize>()
}
