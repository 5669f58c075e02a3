//! What single modules cost, to show that it grows linearly or not at all: the envelope around
//! status files of three sizes, what workers may say in them, the keyring's load and look-up.
//! Allocations are counted too, so the keyring's memory is the `max alloc` of `keyring_load`.
//!
//! `cargo bench --bench modules`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{fmt::Write, time::SystemTime};

use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use job_status::{Gzip, Keyring, StatusFile, encode, limits::MAX_LAMBDA_PAYLOAD};
use testbed::{keyring::sha256, status_file::transcript};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const HEAD: &str = r#"{"endpoint":"/v1/toolkit/job/status","code":200,"id":null,"job_id":"e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7","response":"#;
const TAIL: &str = r#","message":"success","pid":1,"queue_id":1,"run_time":0.001,"queue_time":0.0,"total_time":0.001,"queue_length":0,"build_number":"0.1.0"}"#;

fn main() {
    divan::main();
}

/// From the bytes that S3 sent to a body ready to be sent.
#[divan::bench(args = [1 << 10, 100 << 10, 4 << 20], sample_count = 30)]
fn splice(bencher: Bencher, size: usize) {
    from_s3_to_body(bencher, size, Gzip::NotAccepted);
}

/// The same, compressed.
#[divan::bench(args = [100 << 10, 4 << 20], sample_count = 10)]
fn splice_gzip(bencher: Bencher, size: usize) {
    from_s3_to_body(bencher, size, Gzip::Accepted);
}

fn from_s3_to_body(bencher: Bencher, size: usize, gzip: Gzip) {
    let bytes = transcript(size);
    bencher.counter(BytesCount::new(bytes.len())).with_inputs(|| bytes.clone()).bench_local_values(|bytes| {
        let file = StatusFile::check(bytes, &[]).unwrap();
        encode(&[HEAD, &file.text, TAIL], gzip, MAX_LAMBDA_PAYLOAD).map_err(|_| "too large").unwrap().body
    });
}

/// The check of a small status file with two members more: of any name, and of names that mean something.
#[divan::bench(args = [
    r#""other_seconds_of_it":30,"another_seconds_x":60"#,
    r#""retry_after_seconds":30,"heartbeat_seconds":60"#,
])]
fn check(bencher: Bencher, members: &str) {
    let bytes = format!(r#"{{"job_status":"running",{members},"response":null}}"#).into_bytes();
    bencher.with_inputs(|| bytes.clone()).bench_local_values(|bytes| StatusFile::check(bytes, &[]).unwrap().progress);
}

fn key(index: usize) -> String {
    format!("key {index} of a customer")
}

fn document(keys: usize) -> String {
    let mut document = String::from(r#"{"keys":["#);
    for index in 0..keys {
        let digest = sha256(&key(index));
        let separator = if index == 0 { "" } else { "," };
        write!(
            document,
            r#"{separator}{{"name":"customer-{index}","sha256":"{digest}","prefix":"customer-{index}/","expires":"2027-06-30T00:00:00Z"}}"#
        )
        .unwrap();
    }
    document + "]}"
}

#[divan::bench(args = [100, 1_000, 10_000], sample_count = 30)]
fn keyring_load(bencher: Bencher, keys: usize) {
    let document = document(keys);
    bencher
        .bench_local(|| Keyring::parse(black_box(document.as_bytes())).map_err(|faults| faults.to_string()).unwrap());
}

#[divan::bench(args = [1, 100, 10_000])]
fn keyring_find(bencher: Bencher, keys: usize) {
    let keyring = Keyring::parse(document(keys).as_bytes()).map_err(|faults| faults.to_string()).unwrap();
    let (accepted, now) = (key(keys / 2), SystemTime::UNIX_EPOCH);
    bencher.bench_local(|| keyring.find(black_box(accepted.as_bytes()), now).is_some());
}

#[divan::bench(args = [1, 100, 10_000])]
fn keyring_refuse(bencher: Bencher, keys: usize) {
    let keyring = Keyring::parse(document(keys).as_bytes()).map_err(|faults| faults.to_string()).unwrap();
    bencher
        .bench_local(|| keyring.find(black_box(b"nobody's key, as long as others"), SystemTime::UNIX_EPOCH).is_none());
}
