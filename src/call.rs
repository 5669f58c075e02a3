//! What the endpoint is asked, whichever front door it came through.

use std::time::SystemTime;

use http::Method;

/// One HTTP request, as far as the endpoint looks at it.
pub struct Call {
    /// The HTTP method, if it is one.
    pub method: Option<Method>,
    /// The path as it arrived, stage or base path included, without the query.
    pub path: String,
    /// The query string without its question mark, percent-encoded.
    pub query: String,
    /// The `x-api-key` header.
    pub api_key: Option<String>,
    /// The `if-none-match` header.
    pub if_none_match: Option<String>,
    /// Whether the answer may be compressed.
    pub gzip: Gzip,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// The largest answer, in bytes, that gets back to the caller, encoded as Lambda takes it.
    pub max_payload: usize,
    /// The invocation that brought it.
    pub invocation: Invocation,
}

/// What Lambda says of an invocation.
pub struct Invocation {
    /// Its id.
    pub request_id: String,
    /// X-Ray's id of the trace, if there is one.
    pub trace_id: Option<String>,
    /// When Lambda ends it.
    pub deadline: SystemTime,
}

/// Whether an answer may be compressed with gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gzip {
    /// The caller accepts it.
    Accepted,
    /// The caller does not accept it, but could.
    NotAccepted,
    /// The front door does not pass it on.
    Impossible,
}
