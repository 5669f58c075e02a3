//! What the benchmarks have for status files.

/// A status file of about this many bytes, prose with the usual share of quotes and escapes.
pub fn status_file(size: usize) -> Vec<u8> {
    let segment = r#"{"start":12.5,"end":14.9,"text":"And this is what was said here, \"more or less\"."}"#;
    let segments = vec![segment; (size / (segment.len() + 1)).max(1)].join(",");
    format!(r#"{{"job_status":"done","response":{{"code":200,"response":[{segments}]}}}}"#).into_bytes()
}
