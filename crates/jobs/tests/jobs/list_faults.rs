//! `jobs list` in front of an S3 that does what a test says, and counts what it is asked.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io::Write as _,
    sync::{Arc, Mutex},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use testbed::{
    express::{DIRECTORY_BUCKET, Express},
    fault_s3::{Act, FaultS3, error_document, job_id, no_such_key, object, object_announced_as, object_with},
};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::harness::{jobs, peak_memory, run};

/// What may be resident for 100,000 objects.
const MOST_MEMORY: usize = 60_000_000;

/// What tells a request for a list.
const LIST: &str = "list-type=2";

/// Status files by their jobs: content, and the second of a day in which each was written.
pub type Files = Arc<Mutex<BTreeMap<Uuid, (String, u32)>>>;

/// An S3 that has these files in the prefix `jobs/` of its bucket.
pub async fn bucket(files: &Files) -> FaultS3 {
    let s3 = FaultS3::start().await;
    let files = Arc::clone(files);
    s3.always_by(move |head| Act::Answer(answer(&files, head)));
    s3
}

/// What it answers to a request.
fn answer(files: &Files, head: &str) -> Vec<u8> {
    let files = files.lock().unwrap();
    if head.contains(LIST) {
        return page(&files, head);
    }
    let file = files.get(&job_id(head).parse().unwrap());
    file.map_or_else(no_such_key, |(content, _)| object(content))
}

/// The page that a request asks for: up to 1,000 keys.
fn page(files: &BTreeMap<Uuid, (String, u32)>, head: &str) -> Vec<u8> {
    let token = head.split_once("continuation-token=").map(|(_, rest)| rest.split(['&', ' ']).next().unwrap());
    let page: usize = token.map_or(0, |token| token.parse().unwrap());
    let mut list = String::from("<ListBucketResult><Name>jobs</Name><EncodingType>url</EncodingType>");
    for (id, (content, second)) in files.iter().skip(page * 1000).take(1000) {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let length = content.len();
        write!(
            list,
            "<Contents><Key>jobs/{id}.json</Key><LastModified>2026-07-01T{hour:02}:{minute:02}:{second:02}.000Z</LastModified>\
             <ETag>&quot;{length}&quot;</ETag><Size>{length}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
        .unwrap();
    }
    let next = page + 1;
    if files.len() > next * 1000 {
        write!(list, "<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>").unwrap();
    }
    list.push_str("</ListBucketResult>");
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{list}", list.len()).into()
}

/// So many jobs, each a second newer than the one before, all with this content.
pub fn many(count: u32, content: &str) -> Files {
    let file = |number: u32| (Uuid::from_u128(u128::from(number) << 96 | 1), (content.into(), number % 86_400));
    Arc::new(Mutex::new((0..count).map(file).collect()))
}

/// How many lists and how many files were asked for since the last call.
pub fn asked(s3: &FaultS3) -> (usize, usize) {
    let requests = s3.take_requests();
    let lists = requests.iter().filter(|head| head.contains(LIST)).count();
    (lists, requests.len() - lists)
}

async fn list(s3: &FaultS3, arguments: &[&str]) -> (i32, String, String) {
    let mut command = jobs(s3.address(), &[&["list", "--json"], arguments].concat());
    command.env("JOBS_STORE", "s3://jobs/jobs/");
    run(command).await
}

#[cfg(target_os = "linux")] // its memory is in /proc
#[tokio::test]
async fn a_hundred_thousand_objects_take_as_many_requests_as_they_must_and_little_memory() {
    let s3 = bucket(&many(100_000, r#"{"job_status":"done"}"#)).await;
    let arguments = ["list", "--store", "s3://jobs/jobs/", "--json", "--limit", "1000"];
    let mut child = jobs(s3.address(), &arguments).spawn().unwrap();
    // More than a pipe holds is still to be written when the first byte is there.
    let mut stdout = child.stdout.take().unwrap();
    let mut json = vec![stdout.read_u8().await.unwrap()];
    let peak = peak_memory(&child);
    stdout.read_to_end(&mut json).await.unwrap();
    println!("peak RSS: {} kB", peak / 1000);
    assert!(peak < MOST_MEMORY, "{peak} bytes");
    let rows: Vec<Value> = serde_json::from_slice(&json).unwrap();
    assert_eq!((rows.len(), &rows[0]["job_id"]), (1000, &"0001517f-0000-0000-0000-000000000001".into()));
    assert_eq!(asked(&s3), (100, 1000));
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "the newest 1000 jobs of 100,000 in all: --limit lists more\n");
}

#[tokio::test]
async fn the_columns_of_a_long_table_stand_below_each_other() {
    let files = many(1100, r#"{"job_status":"done"}"#);
    let oldest = r#"{"job_status":"done","progress":"the longest of all"}"#;
    files.lock().unwrap().get_mut(&Uuid::from_u128(1)).unwrap().0 = oldest.into();
    let s3 = bucket(&files).await;
    let (code, stdout, stderr) =
        run(jobs(s3.address(), &["list", "--store", "s3://jobs/jobs/", "--limit", "2000"])).await;
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<_> = stdout.lines().collect();
    let (progress, stalled) = (lines[0].find("PROGRESS").unwrap(), lines[0].find("STALLED").unwrap());
    assert_eq!(lines.len(), 1101);
    assert!(
        lines[1..1100].iter().all(|line| line[progress..].starts_with("-  ") && &line[stalled..] == "-"),
        "{stdout}"
    );
    assert!(lines[1100][progress..].starts_with("the longest of all  "), "{}", lines[1100]);
}

#[tokio::test]
async fn files_are_read_from_the_newest_on_until_there_are_enough() {
    let files = many(2000, r#"{"job_status":"done"}"#);
    for number in [100_u128, 1500, 1990, 1995] {
        files.lock().unwrap().get_mut(&Uuid::from_u128(number << 96 | 1)).unwrap().0 =
            r#"{"job_status":"queued"}"#.into();
    }
    let s3 = bucket(&files).await;
    let (code, stdout, _) = list(&s3, &["--state", "queued", "--limit", "2"]).await;
    let (lists, gets) = asked(&s3);
    assert_eq!((code, stdout.matches("queued").count(), lists), (0, 2, 2));
    assert!((10..=10 + 16).contains(&gets), "{gets}"); // up to 16 are asked for at once
}

#[tokio::test]
async fn what_reads_cost_is_said_before_and_what_was_not_read_is_an_exit_code() {
    let s3 = bucket(&many(1600, r#"{"job_status":"done"}"#)).await;
    let (code, stdout, stderr) = list(&s3, &["--state", "queued", "--read", "1500"]).await;
    assert_eq!((code, stdout.as_str(), asked(&s3)), (1, "[]\n", (2, 1500)));
    let expected = "\
reading up to 1,500 of 1,600 status files, 30.76 KiB, newest first: at most $0.0006 at list price, and $0.0000 if it leaves the region
no such jobs in s3://jobs/jobs/
jobs: there may be more such jobs: the newest 1,500 of 1,600 status files were read
  --read 1600 reads all, for $0.0006 at list price
";
    assert_eq!(stderr, expected);
}

#[tokio::test]
async fn a_file_is_read_as_the_function_reads_it() {
    let packed = |content: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(content).unwrap();
        object_with("content-encoding: aws-chunked,gzip\r\n", gzip.finish().unwrap())
    };
    let too_large = vec![b' '; 32 * 1024 * 1024 + 1];
    for (object, expected) in [
        (packed(br#"{"job_status":"done"}"#), r#""job_status":"done","outcome":"done""#),
        (packed(&too_large), r#""error":"too_large: the object has at least 33554433 bytes, 33554432 are read""#),
        (
            object_announced_as(too_large.len(), "", b""),
            r#""error":"it has 33554433 bytes, and the function reads 33554432 at most""#,
        ),
        (object_with("content-encoding: br\r\n", "x"), r#""error":"undecodable: the object's content-encoding is br""#),
        (object("\u{feff}{\"job_status\":\"done\",\"x\":NaN}"), r#""job_status":"done","outcome":"done""#),
        (
            object(r#"{"job_status":"done","job_st\u0061tus":"queued"}"#),
            r#""job_status":"queued","outcome":"unfinished""#,
        ),
        (object(r#"{"job_status":"cut \ud83d"}"#), r#""job_status":"cut ���","outcome":"other""#),
        (object("[]"), r#""job_status":null,"outcome":null,"progress":null"#),
        (
            error_document("403 Forbidden", "InvalidObjectState", "archived"),
            r#""error":"S3 answered 403 InvalidObjectState: archived""#,
        ),
        (no_such_key(), "[]"), // it was deleted since it was listed
    ] {
        let files = many(1, "");
        let s3 = FaultS3::start().await;
        s3.then([Act::Answer(answer(&files, LIST))]);
        s3.always(Act::Answer(object));
        let (code, stdout, stderr) = list(&s3, &[]).await;
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains(expected), "{stdout}");
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let denied = || Act::Answer(error_document("403 Forbidden", "AccessDenied", "no"));
    let files = many(1, "{}");
    for (before, doing, permission) in [
        (None, "listing s3://jobs/jobs/", "s3:ListBucket on the bucket"),
        (
            Some(Act::Answer(answer(&files, LIST))),
            "reading s3://jobs/jobs/00000000-0000-0000-0000-000000000001.json",
            "s3:GetObject on the status files",
        ),
    ] {
        let s3 = FaultS3::start().await;
        s3.then(before);
        s3.always(denied());
        let (code, stdout, stderr) = list(&s3, &[]).await;
        assert_eq!((code, stdout.as_str()), (6, ""), "{stderr}");
        let expected = format!("jobs: {doing}: S3 answered 403 AccessDenied: no\n  the credentials need {permission}");
        assert!(stderr.starts_with(&expected), "{stderr}");
        assert!(stderr.contains("see docs/operations.md#see-the-jobs"), "{stderr}");
    }
}

#[tokio::test]
async fn keys_are_decoded_and_fit_for_a_terminal() {
    let key = "a+b%2Fc%C3%A9%25/e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7.json";
    let list = format!(
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key>\
         <LastModified>2026-07-01T00:00:00Z</LastModified><Size>1</Size></Contents>\
         <CommonPrefixes><Prefix>a+b/c%C3%A9%25/%1B%5B2J/</Prefix></CommonPrefixes></ListBucketResult>"
    );
    let s3 = FaultS3::start().await;
    s3.then([Act::Answer(object(list))]);
    s3.always(Act::Answer(object(r#"{"job_status":"done"}"#)));
    let (code, stdout, stderr) = run(jobs(s3.address(), &["list", "--store", "s3://jobs/a b/cé%/"])).await;
    assert!(code == 0 && stdout.contains("\ne6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7  done"), "{stdout}{stderr}");
    assert_eq!(stderr, "left out: 1 prefixes below, such as --store s3://jobs/a b/cé%/[2J/\n");
    let requests = s3.take_requests();
    assert!(requests[0].contains("delimiter=%2F&encoding-type=url&prefix=a%20b%2Fc%C3%A9%25%2F "), "{requests:?}");
    assert!(requests[1].starts_with("GET /jobs/a%20b/c%C3%A9%25/e6d7f3c0-"), "{requests:?}");
}

#[tokio::test]
async fn the_beginning_of_an_id_is_looked_for_by_s3_unless_it_is_a_directory_bucket() {
    let files = many(3, "{}");
    let (s3, express) = (bucket(&files).await, Express::start().await);
    express.hold(move |head| answer(&files, head));
    for (s3, bucket, prefix) in [(&s3, "jobs", "jobs%2F00000002"), (&express.server, DIRECTORY_BUCKET, "jobs%2F")] {
        let store = format!("s3://{bucket}/jobs/");
        let (code, stdout, stderr) = list(s3, &["--store", &store, "--prefix", "00000002"]).await;
        assert_eq!((code, stdout.matches("job_id").count(), stderr.as_str()), (0, 1, ""));
        let requests = s3.take_requests();
        assert!(requests.iter().any(|head| head.contains(&format!("prefix={prefix} "))), "{requests:?}");
    }
}

#[tokio::test]
async fn faults_that_pass_are_survived() {
    let files = many(1, r#"{"job_status":"done"}"#);
    let s3 = bucket(&files).await;
    let unavailable = || Act::Answer(error_document("503 Service Unavailable", "SlowDown", "slow down"));
    let cut = Act::Close(object_announced_as(100, "", b"{"));
    s3.then([unavailable(), Act::Answer(answer(&files, LIST)), unavailable(), cut]);
    let (code, stdout, stderr) = list(&s3, &[]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains(r#""outcome":"done""#), "{stdout}");
    assert_eq!(asked(&s3), (2, 3));
}

#[tokio::test]
async fn content_that_breaks_off_again_and_again_is_no_list() {
    let files = many(1, "{}");
    let s3 = FaultS3::start().await;
    s3.then([Act::Answer(answer(&files, LIST))]);
    s3.always(Act::Close(object_announced_as(100, "", b"{")));
    let (code, stdout, stderr) = list(&s3, &[]).await;
    assert_eq!((code, stdout.as_str(), asked(&s3)), (6, "", (1, 3)));
    assert!(stderr.starts_with("jobs: reading s3://jobs/jobs/00000000-0000-0000-0000-000000000001.json: "), "{stderr}");
    assert!(stderr.ends_with("\n  try again: the connection was lost\n"), "{stderr}");
}
