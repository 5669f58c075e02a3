//! Checks every response of every test against `openapi.yaml`.

use contract::documented;

use super::Response;

/// Asserts that status, headers and body are as the document says, and that it has every header.
pub fn assert_documented(response: &Response, method: &str) {
    let documented = documented(method, response.status)
        .unwrap_or_else(|| panic!("{} is not documented: {response}", response.status));
    let faults = documented.faults(|name| response.header(name), response.body.as_bytes());
    assert!(faults.is_empty(), "{faults:?}: {response}");
    for name in response.headers.keys() {
        assert!(name == "content-type" || documented.has(name), "{name} is not documented: {response}");
    }
}
