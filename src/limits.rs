//! Every limit and deadline, in one place, each with the reason for its value.
//!
//! They are constants, not settings: each follows from what Lambda, the gateways or S3 do, and an operator has
//! nothing to gain by turning one. What an operator would turn is a setting.

use std::{num::NonZero, time::Duration};

/// Longest time a caller waits for an answer, whatever S3 does. Three full attempts with their backoffs (4.6 s) fit,
/// and it is far below the 29–30 s at which gateways give up by themselves.
pub const REQUEST_BUDGET: Duration = Duration::from_secs(5);

/// Kept free before the invocation's own deadline, so that the documented 500 is on its way before Lambda ends the
/// environment.
pub const DEADLINE_RESERVE: Duration = Duration::from_millis(500);

/// What the read at start-up may take. Lambda gives an init 10 s, and loading the keyring may take three full
/// attempts.
pub const PROBE_BUDGET: Duration = Duration::from_secs(2);

/// TCP connect and TLS handshake. Within a region they take single-digit milliseconds; half a second means a lost
/// packet or a dead address, and another try is likelier to get through.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// One attempt at an object, from request to the last byte of the body.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Attempts at one object, the first included.
pub const ATTEMPTS: u32 = 3;

/// Upper end of the first random wait between attempts; it doubles with each further one. S3 answers a repeated read
/// from another server at once, so there is little to wait for.
pub const BACKOFF: Duration = Duration::from_millis(25);

/// An idle connection is dropped before S3 drops it (at about 20 s): a request on a connection that the other side
/// has closed costs a failed attempt.
pub const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// What is left of a directory bucket's session when the next one is made. A session lasts five minutes; a minute is
/// enough to survive a short outage of `CreateSession`.
pub const SESSION_RENEWAL: Duration = Duration::from_mins(1);

/// From one try to make the next session to the following one, while the old one lasts.
pub const SESSION_RETRY: Duration = Duration::from_secs(5);

/// Largest request body. A job id and a reference need some 200 bytes.
pub const MAX_REQUEST_BODY: usize = 16 * 1024;

/// Longest query string. It has the same fields as a body.
pub const MAX_QUERY: usize = MAX_REQUEST_BODY;

/// Largest status file that is read. Answering one takes the process to 52 MB of resident memory, however badly it
/// compresses, far from the template's 256 MB. A larger file is a result, not a status.
pub const MAX_STATUS_FILE: u64 = 32 * 1024 * 1024;

/// Where many polls run at once, files from this size on need a permit (see `large_files`). Smaller ones cost a tenth
/// of a millisecond of CPU, and 1,600 of them at once, the most that Lambda sends, take 200 MB.
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

/// Largest answer to a directory bucket's `CreateSession` that is read. It has some 2 KB.
pub const MAX_SESSION: u64 = 16 * 1024;

/// Largest part of S3's error documents that is read. They have some 300 bytes.
pub const MAX_S3_ERROR: u64 = 16 * 1024;

/// Largest payload Lambda accepts from a function: 6 MB and a bit, as its own error states.
pub const MAX_LAMBDA_PAYLOAD: usize = 6_291_556;

/// Largest payload an Application Load Balancer accepts from a function: 1 MB, as Elastic Load Balancing documents
/// it.
pub const MAX_LOAD_BALANCER_PAYLOAD: usize = 1_048_576;

/// Part of a payload that is kept free for everything but the body: status, headers (twice, for a load balancer),
/// member names. They come to less than 1 KiB.
pub const PAYLOAD_OVERHEAD: usize = 2 * 1024;

/// Envelopes from this size on are compressed for callers who accept it. Smaller ones fit a few packets anyway, and
/// compressing them costs more than it saves.
pub const GZIP_FROM: usize = 8 * 1024;

/// Bounds of the `retry-after` header for an unfinished job whose worker does not say when to come again, in seconds.
pub const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// The same where the worker says it. A job may be over earlier than its worker thought, so nobody is sent away for
/// longer than five minutes.
pub const SAID_RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=300;

/// `retry-after` for a stalled job, in seconds: another worker may take it up, but not at any moment.
pub const STALLED_RETRY_AFTER_SECONDS: u64 = 30;

/// From here on, `retry-after` is spread by up to a tenth either way. A tenth of less is no second.
pub const SPREAD_FROM_SECONDS: u64 = 10;

/// Most that a worker may say in a member with seconds: a day. More is taken for another unit.
pub const MAX_SAID_SECONDS: f64 = 86_400.0;

/// A stalled job's file is older than so many of its worker's heartbeats. One may come late.
pub const STALLED_HEARTBEATS: u32 = 2;

/// `retry-after` when S3 asked us to slow down, in seconds: its partitions need a while to split, and callers that
/// come back at once keep it from doing so.
pub const THROTTLED_RETRY_AFTER_SECONDS: u64 = 5;

/// Age from which the keyring is read again before a request is judged: the longest a revoked key keeps working.
pub const KEYRING_FRESH: Duration = Duration::from_mins(1);

/// How long the last good keyring stays in force while it cannot be read again: long enough to ride out an S3
/// incident or a bad upload, short enough that a revocation is not lost in one.
pub const KEYRING_GRACE: Duration = Duration::from_mins(15);

/// From the start of a refresh that failed to the start of the next.
pub const KEYRING_RETRY: Duration = Duration::from_secs(5);

/// Longest time that a request waits for a refresh while the last good keyring is still in force. S3 answers most
/// reads in a tenth of it. Only requests that come within this time of the start of a refresh wait at all.
pub const KEYRING_PATIENCE: Duration = Duration::from_millis(250);

/// Longest time that a request waits for a refresh once the last good keyring may no longer be trusted; the rest of
/// its budget is left for the status file.
pub const KEYRING_STALE_PATIENCE: Duration = Duration::from_secs(2);

/// One attempt of a refresh. It goes on behind the requests, so it may take longer than a status file: a slow S3
/// should not cost the operator a revocation.
pub const KEYRING_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);

/// Failed refreshes are logged at most this often.
pub const KEYRING_REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Largest keyring document: some 50,000 keys.
pub const MAX_KEYRING: u64 = 8 * 1024 * 1024;
