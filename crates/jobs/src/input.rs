//! Text that people give in files and through pipes.

use std::io;

use encoding_rs::UTF_8;

/// The text of some bytes: UTF-8, or UTF-16 if it says so, as Windows PowerShell writes with `>`. The byte
/// order mark that some editors write first is no part of it.
///
/// # Errors
/// It is no text.
pub fn text(bytes: &[u8]) -> io::Result<String> {
    match UTF_8.decode(bytes) {
        (text, _, false) => Ok(text.into_owned()),
        (_, encoding, true) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is no text in {}", encoding.name())))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::text;

    #[test]
    fn a_text_is_read_as_editors_and_shells_of_all_systems_write_it() {
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain("Schlüssel\r\n".encode_utf16().flat_map(bytes)).collect::<Vec<_>>()
        };
        for bytes in [
            "Schlüssel\r\n".into(),
            "\u{feff}Schlüssel\r\n".into(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes).unwrap(), "Schlüssel\r\n", "{bytes:?}");
        }
        assert_eq!(text(b"Schl\xfcssel").unwrap_err().to_string(), "it is no text in UTF-8");
        assert_eq!(text(b"\xff\xfea\0b").unwrap_err().to_string(), "it is no text in UTF-16LE");
    }
}
