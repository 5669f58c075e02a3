//! Status files as workers write them.

/// A finished job with about `size` bytes of prose, which has the usual share of quotes and escapes.
pub fn transcript(size: usize) -> Vec<u8> {
    let segment = r#"{"start":12.5,"end":14.9,"text":"And this is what was said here, \"more or less\"."}"#;
    let segments = vec![segment; (size / (segment.len() + 1)).max(1)].join(",");
    format!(r#"{{"job_status":"done","response":{{"code":200,"response":[{segments}]}}}}"#).into_bytes()
}

/// A finished job of `size` bytes, `noise` of which hardly compress.
pub fn noisy(size: usize, noise: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const HEAD: &str = r#"{"job_status":"done","response":""#;
    let mut random = fastrand::Rng::with_seed(1);
    let mut content = HEAD.as_bytes().to_vec();
    content.extend(std::iter::repeat_with(|| ALPHABET[random.usize(..64)]).take(noise));
    content.resize(size - 2, b'x');
    content.extend(b"\"}");
    content
}
