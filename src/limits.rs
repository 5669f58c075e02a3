//! Every limit and deadline, each with the reason for its value.
//!
//! They are constants, not settings: each follows from what Lambda, the gateways or S3 do, and an operator has nothing
//! to gain by turning one.

use std::{num::NonZero, ops::RangeInclusive, time::Duration};

// A request.

/// Longest time a caller waits for an answer, whatever S3 does. Three full attempts with their backoffs (4.6 s) fit,
/// and gateways give up after 29–30 s.
pub const REQUEST_BUDGET: Duration = Duration::from_secs(5);
/// Kept free before the invocation's own deadline: the documented 500 is on its way before Lambda ends the environment.
pub const DEADLINE_RESERVE: Duration = Duration::from_millis(500);
/// Largest request body, in bytes. A job id and a reference need some 200.
pub const MAX_REQUEST_BODY: usize = 16 * 1024;
/// Longest query string, in bytes. It has the same fields as a body.
pub const MAX_QUERY: usize = MAX_REQUEST_BODY;

// A read from S3.

/// Limit of the read at start-up. Lambda gives an init 10 s, of which the keyring may take three full attempts.
pub const PROBE_BUDGET: Duration = Duration::from_secs(2);
/// TCP connect and TLS handshake. Within a region they take single-digit milliseconds; half a second means a lost
/// packet or a dead address, and another try is likelier to get through.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// One attempt at an object, from request to the last byte of the body.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
/// Attempts at one object, the first included.
pub const ATTEMPTS: u32 = 3;
/// Upper end of the first random wait between attempts; it doubles with each further one. Another server of S3 answers
/// a repeated read at once, so there is little to wait for.
pub const BACKOFF: Duration = Duration::from_millis(25);
/// An idle connection is dropped before S3 drops it (at about 20 s): a request on a connection that the other side
/// has closed costs a failed attempt.
pub const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest XML document of S3 that is read, in bytes. An error has some 300, a session's credentials some 2,000.
pub const MAX_S3_XML: u64 = 16 * 1024;
/// `retry-after` if S3 asked us to slow down, in seconds: its partitions need a while to split, and callers that come
/// back at once keep it from doing so.
pub const THROTTLED_RETRY_AFTER_SECONDS: u64 = 5;

// A directory bucket's session.

/// What is left of a session, which lasts five minutes, when the next one is made. A minute survives a short outage of
/// `CreateSession`.
pub const SESSION_RENEWAL: Duration = Duration::from_mins(1);
/// From one try to make the next session to the following one, while the old one lasts.
pub const SESSION_RETRY: Duration = Duration::from_secs(5);

// A status file and its answer.

/// Largest status file that is read, in bytes. Its answer takes the process to 52 MB of resident memory, however badly
/// it compresses; the template gives 256 MB. A larger file is a result, not a status.
pub const MAX_STATUS_FILE: u64 = 32 * 1024 * 1024;
/// Largest payload Lambda accepts from a function, in bytes: 6 MB and a bit, as its own error states.
pub const MAX_LAMBDA_PAYLOAD: usize = 6_291_556;
/// Largest payload an Application Load Balancer accepts from a function, in bytes: 1 MB, as its documentation says.
pub const MAX_LOAD_BALANCER_PAYLOAD: usize = 1_048_576;
/// Bytes of a payload that are kept free for everything but the body: status, headers (twice, for a load balancer),
/// names of fields. They come to less than 1 KiB.
pub const PAYLOAD_OVERHEAD: usize = 2 * 1024;
/// Envelopes from this size on, in bytes, are compressed for callers who accept it. Smaller ones fit a few packets
/// anyway, and their compression costs more than it saves.
pub const GZIP_FROM: usize = 8 * 1024;

// Large files, if many polls run at once.

/// Files from this size on, in bytes, need a permit (see `large_files`). Smaller ones cost a tenth of a millisecond of
/// CPU, and 1,600 of them at once, the most that Lambda sends, take 200 MB.
pub const LARGE_FILE: u64 = 128 * 1024;
/// One part in so many of the environment's memory is for large files. The other half is for small ones, connections,
/// threads and what the allocator keeps.
pub const LARGE_FILES_SHARE: u64 = 2;
/// Most memory, in bytes, that large files take for each core: two of the largest. With more of them at once none is
/// answered sooner, and S3 seems slow.
pub const LARGE_FILES_PER_CORE: u64 = 128 * 1024 * 1024;
/// Most memory, in bytes, that the answer to a large file takes beside the file: a compressed body in its buffer, its
/// base64, and the payload with that.
pub const MAX_ANSWER_MEMORY: u64 = 20 * 1024 * 1024;
/// Memory of an environment that does not say how much it has, in MB: what the template gives it.
pub const DEFAULT_MEMORY: NonZero<u32> = NonZero::new(256).unwrap();

// When to poll again, in seconds.

/// Longest list of further unfinished states, in bytes. All variables of a function have 4 KB.
pub const MAX_UNFINISHED_STATES: usize = 1024;
/// Bounds of `retry-after` for an unfinished job whose worker does not say when to come again.
pub const RETRY_AFTER_SECONDS: RangeInclusive<u64> = 1..=30;
/// The same if the worker says it. A job may finish earlier than its worker thought, so nobody waits for longer than
/// five minutes.
pub const SAID_RETRY_AFTER_SECONDS: RangeInclusive<u64> = 1..=300;
/// `retry-after` for a stalled job: another worker may take it up, but not at any moment.
pub const STALLED_RETRY_AFTER_SECONDS: u64 = 30;
/// From here on, `retry-after` is spread by up to a tenth either way. A tenth of less is no second.
pub const SPREAD_FROM_SECONDS: u64 = 10;
/// Most that a worker may say in a field with seconds: a day. More is taken for another unit.
pub const MAX_SAID_SECONDS: f64 = 86_400.0;
/// A stalled job's file is older than so many of its worker's heartbeats. One may come late.
pub const STALLED_HEARTBEATS: u32 = 2;

// The keyring.

/// Age from which the keyring is read again before a request is judged: the longest a revoked key keeps working.
pub const KEYRING_FRESH: Duration = Duration::from_mins(1);
/// How long the last good keyring stays in force while it cannot be read again: it survives an S3 incident or a bad
/// upload, but a revocation is not lost in one.
pub const KEYRING_GRACE: Duration = Duration::from_mins(15);
/// From the start of a refresh that failed to the start of the next.
pub const KEYRING_RETRY: Duration = Duration::from_secs(5);
/// How long after the start of a refresh requests wait for it, while the last good keyring is still in force. S3
/// answers most reads in a tenth of it.
pub const KEYRING_PATIENCE: Duration = Duration::from_millis(250);
/// Longest time that a request waits for a refresh once the last good keyring may no longer be trusted; the rest of
/// its budget is left for the status file.
pub const KEYRING_STALE_PATIENCE: Duration = Duration::from_secs(2);
/// One attempt of a refresh. It runs behind the requests, so it may take longer than a status file: a slow S3 should
/// not cost the operator a revocation.
pub const KEYRING_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// Failed refreshes are logged at most this often.
pub const KEYRING_REPORT_INTERVAL: Duration = Duration::from_mins(1);
/// Largest keyring document, in bytes: some 50,000 keys.
pub const MAX_KEYRING: u64 = 8 * 1024 * 1024;
