//! How an envelope travels: as text or compressed, and whether it fits through the front door.
//!
//! Lambda takes a function's answer as a JSON document with the body as a string in it: text is
//! escaped, compressed bytes are base64. What counts against the limit is that encoded size, so
//! a quote-heavy file of 4 MB does not fit while a compressed transcript of 30 MB does.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use lambda_http::Body;

use crate::limits::{GZIP_FROM, PAYLOAD_OVERHEAD};

/// A body ready to be sent.
pub struct Encoded {
    /// Text, or compressed bytes.
    pub body: Body,
    /// Whether an envelope of this size is compressed for those who accept it.
    pub negotiated: bool,
}

/// Why a body can't be sent.
pub struct DoesNotFit {
    /// Bytes it would take in the payload.
    pub size: usize,
    /// Whether it would fit if the caller accepted gzip.
    pub fits_compressed: bool,
}

/// Encodes a body, a JSON text given in parts, for a front door that passes on `limit` bytes.
///
/// # Errors
/// It does not fit.
pub fn encode(parts: &[&str], accepts_gzip: bool, limit: usize) -> Result<Encoded, DoesNotFit> {
    let room = limit.saturating_sub(PAYLOAD_OVERHEAD);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let negotiated = length >= GZIP_FROM;

    if negotiated
        && accepts_gzip
        && let Ok(compressed) = gzip(parts)
    {
        let size = base64_length(compressed.len());
        return if size <= room {
            Ok(Encoded { body: Body::Binary(compressed), negotiated })
        } else {
            Err(DoesNotFit { size, fits_compressed: false })
        };
    }
    // No character takes more than two when it is escaped; most files are spared the counting.
    let size = if length <= room / 2 { length } else { parts.iter().map(|part| escaped_length(part)).sum() };
    if size <= room {
        Ok(Encoded { body: Body::Text(parts.concat()), negotiated })
    } else {
        Err(DoesNotFit {
            size,
            fits_compressed: gzip(parts).is_ok_and(|compressed| base64_length(compressed.len()) <= room),
        })
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

fn gzip(parts: &[&str]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part.as_bytes())?;
    }
    encoder.finish()
}

fn base64_length(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// Bytes of a JSON text inside a JSON string: of what would be escaped, it can only have what takes
/// one more byte. In chunks, because a sum that fits a byte is one the compiler vectorises: that
/// saves 1.8 ms for 4 MB.
fn escaped_length(json: &str) -> usize {
    let escaped = |&byte: &u8| u8::from(matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t'));
    let in_chunk = |chunk: &[u8]| usize::from(chunk.iter().map(escaped).sum::<u8>());
    json.len() + json.as_bytes().chunks(255).map(in_chunk).sum::<usize>()
}
