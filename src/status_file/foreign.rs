//! Files that are something else than JSON in UTF-8, told by their first bytes, each with its cure for the operator.

/// What a malformed file looks like, and what to do.
pub(super) fn hint(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => Some(
            "a worker wrote the status file in UTF-16, as PowerShell's > does: write UTF-8, for instance with Set-Content -Encoding utf8NoBOM",
        ),
        [0x1f, 0x8b, ..] => Some(
            "a worker wrote the status file compressed with gzip: upload it with content-encoding: gzip, or as plain JSON",
        ),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(
            "a worker wrote the status file compressed with zstd: upload it as plain JSON, or with gzip and content-encoding: gzip",
        ),
        _ if is_aws_chunked(bytes) => Some(
            "the status file has the framing of an aws-chunked upload in it, which the S3 server should have taken away: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required for the worker, or update the server",
        ),
        _ => None,
    }
}

/// Whether the first line is a chunk's size in hexadecimal digits, with or without a signature.
fn is_aws_chunked(bytes: &[u8]) -> bool {
    let is_end = |at: &usize| bytes.get(*at..*at + 2) == Some(b"\r\n");
    let line = (1..128).find(is_end).and_then(|end| bytes.get(..end)).unwrap_or_default(); // a signature has 64 digits
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line.get(digits..).unwrap_or_default();
    digits > 0 && (rest.is_empty() || rest.starts_with(b";chunk-signature="))
}
