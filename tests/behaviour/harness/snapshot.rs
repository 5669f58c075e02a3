//! A response as a snapshot beside its test.

/// Asserts a response against an inline snapshot of its status, its own headers and its body. What
/// differs from run to run is replaced by its name.
macro_rules! assert_response {
    ($response:expr, @$snapshot:literal) => {{
        let response = $response.to_string();
        insta::with_settings!({ filters => [
            (r"\nretry-after: \d{2,}\n", "\nretry-after: [spread]\n"),
            (
                r#""pid":\d+,"queue_id":\d+,"run_time":(\d+\.\d{3}),"queue_time":0\.0,"total_time":\d+\.\d{3},"queue_length":0,"build_number":"\d+\.\d+\.\d+"\}$"#,
                r#""pid":[pid],"queue_id":[queue_id],"run_time":[seconds],"queue_time":0.0,"total_time":[seconds],"queue_length":0,"build_number":"[version]"}"#,
            ),
        ]}, { insta::allow_duplicates! { insta::assert_snapshot!(response, @$snapshot) } })
    }};
}
pub(crate) use assert_response;
