//! Status files as workers write them.

/// A finished job with about `size` bytes of prose, which has the usual share of quotes and escapes.
pub fn transcript(size: usize) -> Vec<u8> {
    let segment = r#"{"start":12.5,"end":14.9,"text":"And this is what was said here, \"more or less\"."}"#;
    let segments = vec![segment; (size / (segment.len() + 1)).max(1)].join(",");
    format!(r#"{{"job_status":"done","response":{{"code":200,"response":[{segments}]}}}}"#).into_bytes()
}
