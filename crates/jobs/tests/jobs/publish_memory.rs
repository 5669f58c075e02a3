//! `jobs publish` with large files and an S3 that is away for long.

use std::{collections::HashSet, fs, net::TcpListener};

use uuid::Uuid;

use crate::harness::{Publisher, S3, files};

const FILES: u128 = 20;
const SIZE: usize = 8 << 20;
/// Content is bounded by 64 MiB. The files together have 160 MiB.
const MOST: usize = 128 << 20;

#[tokio::test]
async fn large_files_that_change_while_s3_is_away_take_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let write = |round: u32| {
        for number in 0..FILES {
            let file = format!(r#"{{"round":{round},"response":"{}"}}"#, "x".repeat(SIZE));
            fs::write(directory.path().join(format!("{}.json", Uuid::from_u128(number))), file).unwrap();
        }
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut publisher = Publisher::start(free, directory.path(), &[]).await;
    for round in 0..2 {
        write(round);
        publisher.line("upload_failed").await;
    }
    let s3 = S3::start_on(free).await;
    let mut sent = HashSet::new();
    while sent.len() < FILES.try_into().unwrap() {
        sent.insert(publisher.line("published").await["job_id"].to_string());
    }
    let peak = publisher.peak_memory();
    println!("peak RSS: {} MiB", peak >> 20);
    assert!(peak < MOST, "{peak} bytes");
    let (code, _) = publisher.stop().await;
    assert_eq!(code, Some(0));
    assert!(files(&s3.objects()) == files(directory.path()), "bucket and directory differ");
}
