//! A key: `jobs_`, 256 random bits in base62, and a checksum of both in base62.
//!
//! The form is that of GitHub's tokens. Scanners find it by its beginning and length, and the
//! checksum tells a real key from a look-alike without asking anybody.

use sha2::{Digest, Sha256};

use crate::failure::Failure;

const START: &str = "jobs_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Base62 digits of 256 bits.
const BITS: usize = 43;
/// Base62 digits of a CRC-32.
const CHECKSUM: usize = 6;

/// A key. It has no `Debug` and no `Display`, so that it gets nowhere by accident.
pub struct Secret(String);

impl Secret {
    /// A new key, of the operating system's randomness.
    pub fn generate() -> Result<Self, Failure> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|error| {
            Failure::unreachable("asking the system for random bits", &error).advise("try again on another machine")
        })?;
        let text = START.to_owned() + &base62(bits, BITS);
        Ok(Self(text.clone() + &checksum(&text)))
    }

    /// A key that somebody presents.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The key itself, to be shown once or looked up.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the keyring has of it: its SHA-256 in hexadecimal digits.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }

    /// Whether it looks like a key of ours and its checksum says that it is not.
    pub fn is_mistyped(&self) -> bool {
        let end = self.0.len().saturating_sub(CHECKSUM);
        self.0.starts_with(START)
            && (self.0.len() != START.len() + BITS + CHECKSUM
                || self.0.split_at_checked(end).is_none_or(|(text, sum)| checksum(text) != sum))
    }
}

fn checksum(text: &str) -> String {
    base62(crc32fast::hash(text.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// A big-endian number in base62, with leading zeros to `width` digits.
fn base62<const N: usize>(mut number: [u8; N], width: usize) -> String {
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut remainder = 0;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default(); // < 256, as the remainder is < 62
            remainder = value % 62;
        }
        digits.push(DIGITS.get(remainder as usize).copied().map_or('0', char::from));
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::{BITS, CHECKSUM, Secret, base62};

    /// Of the bytes 0 to 31, as another program computes it.
    const KEY: &str = "jobs_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf4eQ2vQ";

    #[test]
    fn a_number_keeps_its_value_and_its_width_in_base62() {
        assert_eq!(base62([0; 32], BITS), "0".repeat(43));
        assert_eq!(base62([1, 0], 3), "048"); // 256 = 4 × 62 + 8
        assert_eq!(base62([u8::MAX; 4], CHECKSUM), "4gfFC3"); // as another program computes it
        assert_eq!(base62([u8::MAX; 32], BITS), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }

    #[test]
    fn a_mistyped_key_is_told_from_a_whole_one_and_from_a_strangers() {
        assert!(!Secret::presented(KEY).is_mistyped());
        assert!(Secret::presented(&KEY.replace('a', "b")).is_mistyped());
        assert!(Secret::presented(KEY.trim_end_matches('Q')).is_mistyped());
        assert!(!Secret::presented("demo-key").is_mistyped());
    }
}
