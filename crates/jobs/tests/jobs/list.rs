//! `jobs list`, as an operator and a script use it.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::harness::{S3, offline, run};

const FIRST: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";
const SECOND: &str = "0b7a3d52-8a43-4a5c-9a3e-2f4f9a0c1d11";
const THIRD: &str = "ffffffff-0000-4000-8000-000000000001";
const FOURTH: &str = "77777777-7777-4777-8777-777777777777";
/// 2026-07-01T00:00:00Z
const JULY: Duration = Duration::from_hours(495_240);

/// Puts a file into the bucket that was written at a time.
pub fn put(s3: &S3, key: &str, content: impl AsRef<[u8]>, written: SystemTime) {
    let path = s3.objects().join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
}

fn july(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + JULY + Duration::from_secs(seconds)
}

pub fn ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

/// Four jobs, the first one the newest.
async fn four() -> S3 {
    let s3 = S3::start().await;
    let failed = r#"{"job_status":"done","response":{"code":500,"message":"no audio"}}"#;
    put(&s3, &format!("jobs/{FIRST}.json"), r#"{"job_status":"processing","progress":0.50}"#, july(4));
    put(&s3, &format!("jobs/{SECOND}.json"), failed, july(3));
    put(&s3, &format!("jobs/{THIRD}.json"), r#"{"job_status":"done","progress":{"of":3}}"#, july(2));
    put(
        &s3,
        &format!("jobs/{FOURTH}.json"),
        r#"{"job_status":"running","heartbeat_seconds":5,"progress":"half"}"#,
        july(1),
    );
    s3
}

/// The ids that it lists with these arguments, and stderr.
async fn ids(s3: &S3, arguments: &[&str]) -> (Vec<String>, String) {
    let command = s3.jobs(&[&["list", "--store", "s3://jobs/jobs/", "--json"], arguments].concat());
    let (code, stdout, stderr) = run(command).await;
    assert_eq!(code, 0, "{stderr}");
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    (rows.iter().map(|row| row["job_id"].as_str().unwrap().to_owned()).collect(), stderr)
}

#[tokio::test]
async fn programs_get_an_array_with_the_newest_job_first() {
    let s3 = four().await;
    let (code, stdout, stderr) = run(s3.jobs(&["list", "--store", "s3://jobs/jobs/", "--json"])).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let row = |id: &str, status: &str, outcome: &str, progress: &str, second: u32, stalled: bool| {
        format!(
            r#"{{"job_id":"{id}","job_status":"{status}","outcome":"{outcome}","progress":{progress},"written":"2026-07-01T00:00:0{second}Z","stalled":{stalled}}}"#
        )
    };
    let rows = [
        row(FIRST, "processing", "other", "0.50", 4, false),
        row(SECOND, "done", "failed", "null", 3, false),
        row(THIRD, "done", "done", "null", 2, false),
        row(FOURTH, "running", "unfinished", r#""half""#, 1, true),
    ];
    assert_eq!(stdout, format!("[{}]\n", rows.join(",")));
}

#[tokio::test]
async fn people_get_a_table() {
    let s3 = S3::start().await;
    put(&s3, &format!("{FIRST}.json"), r#"{"job_status":"running","progress":"encoding 3 of 4"}"#, ago(70));
    put(&s3, &format!("{SECOND}.json"), r#"{"job_status":"queued","heartbeat_seconds":30}"#, ago(2 * 3600 + 60));
    put(&s3, &format!("{THIRD}.json"), r#"{"job_status":"done"}"#, ago(3 * 86_400 + 60));
    put(&s3, &format!("{FOURTH}.json"), "no JSON", ago(4 * 86_400 + 60));
    let mut command = s3.jobs(&["list"]);
    command.env("JOBS_STORE", "s3://jobs");
    let (code, stdout, stderr) = run(command).await;
    let expected = "\
JOB                                   OUTCOME     STATE    PROGRESS                                                      AGE    STALLED
e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7  unfinished  running  encoding 3 of 4                                               1m     -
0b7a3d52-8a43-4a5c-9a3e-2f4f9a0c1d11  unfinished  queued   -                                                             2h     yes
ffffffff-0000-4000-8000-000000000001  done        done     -                                                             3days  -
77777777-7777-4777-8777-777777777777  unreadable  -        it is not one JSON object: expected ident at line 1 column 2  4days  -
";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, expected, ""));
}

#[tokio::test]
async fn which_jobs_are_wanted_is_told_by_state_outcome_stall_and_the_beginning_of_the_id() {
    let s3 = four().await;
    for (arguments, expected) in [
        (&["--limit", "2"][..], &[FIRST, SECOND][..]),
        (&["--state", "done"], &[SECOND, THIRD]),
        (&["--state", "running,processing"], &[FIRST, FOURTH]),
        (&["--outcome", "failed"], &[SECOND]),
        (&["--outcome", "unfinished"], &[FOURTH]),
        (&["--outcome", "unfinished", "--unfinished-states", "pending,processing"], &[FIRST, FOURTH]),
        (&["--state", "done", "--outcome", "done"], &[THIRD]),
        (&["--stalled"], &[FOURTH]),
        (&["--stalled", "--stalled-after", "1h", "--unfinished-states", "processing"], &[FIRST, FOURTH]),
        (&["--stalled", "--stalled-after", "0s", "--unfinished-states", "processing"], &[FOURTH]),
        (&["--prefix", "FFFFFFFF-0"], &[THIRD]),
        (&["--prefix", "e", "--state", "done"], &[]),
    ] {
        assert_eq!(ids(&s3, arguments).await.0, expected, "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_cut_off_or_left_out_is_said() {
    let s3 = four().await;
    let (_, stderr) = ids(&s3, &["--limit", "3"]).await;
    assert_eq!(stderr, "the newest 3 jobs of 4 in all: --limit lists more\n");
    put(&s3, "jobs/ABCDEF00-0000-4000-8000-000000000000.json", "{}", july(5));
    put(&s3, "jobs/notes.txt", "", july(5));
    put(&s3, "jobs/a+b c/x.json", "", july(5));
    put(&s3, &format!("jobs/acme/{FIRST}.json"), "{}", july(5));
    let (listed, stderr) = ids(&s3, &[]).await;
    assert_eq!(listed, [FIRST, SECOND, THIRD, FOURTH]);
    let expected = "left out: 2 keys that are no <job_id>.json\n\
                    left out: 2 prefixes below, such as --store s3://jobs/jobs/acme/\n";
    assert_eq!(stderr, expected);
}

#[tokio::test]
async fn no_jobs_are_said_to_people_and_an_empty_array_for_programs() {
    let s3 = four().await;
    let (code, stdout, stderr) = run(s3.jobs(&["list", "--store", "s3://jobs/none/"])).await;
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", "no jobs in s3://jobs/none/\n"));
    let (code, stdout, stderr) =
        run(s3.jobs(&["list", "--store", "s3://jobs/jobs/", "--json", "--state", "lost"])).await;
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "[]\n", "no such jobs in s3://jobs/jobs/\n"));
}

#[tokio::test]
async fn the_newest_are_found_wherever_their_keys_are() {
    let s3 = S3::start().await;
    for number in 0..2100_u64 {
        let id = uuid::Uuid::from_u128(u128::from(number) << 96);
        put(&s3, &format!("jobs/{id}.json"), r#"{"job_status":"done"}"#, july(number * 37 % 2100));
    }
    let (listed, stderr) = ids(&s3, &["--limit", "3"]).await;
    // Numbers whose 37-fold is 2099, 2098 and 2097, modulo 2100.
    let expected = [227, 454, 681].map(|number| uuid::Uuid::from_u128(number << 96).to_string());
    assert_eq!(listed, expected);
    assert_eq!(stderr, "the newest 3 jobs of 2,100 in all: --limit lists more\n");
}

#[tokio::test]
async fn no_text_of_a_worker_reaches_a_terminal_as_it_is() {
    let s3 = S3::start().await;
    let odd = r"x\u001b]0;OWNED\u0007\u009b2J\u202ey\nz";
    put(&s3, &format!("{FIRST}.json"), format!(r#"{{"job_status":"{odd}","progress":"{odd}"}}"#), july(0));
    for arguments in [&["list", "--store", "s3://jobs/"][..], &["list", "--store", "s3://jobs/", "--json"]] {
        let (code, stdout, stderr) = run(s3.jobs(arguments)).await;
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert_eq!(stdout.matches("x]0;OWNED2Jyz").count(), 2, "{stdout}");
        assert!(!stdout.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{stdout:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_a_usage_error() {
    for (arguments, expected) in [
        (&["--watch"][..], "--watch draws on a terminal, and stdout is none"),
        (&["--watch", "--json"], "the argument '--watch' cannot be used with '--json'"),
        (&["--prefix", "e6d7f3c09"], "give the beginning of a UUID, such as e6d7f3c0-9c"),
        (&["--prefix", "../"], "give the beginning of a UUID, such as e6d7f3c0-9c"),
        (&["--limit", "0"], "invalid value '0' for '--limit <N>'"),
        (&["--outcome", "finished"], "invalid value 'finished' for '--outcome <WORD>'"),
        (&["--unfinished-states", "done"], "has done or failed, which are final"),
    ] {
        let arguments = [&["list", "--store", "s3://jobs/"], arguments].concat();
        let (code, stdout, stderr) = run(offline(&arguments)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (code, _, stderr) = run(offline(&["list"])).await;
    assert!(code == 2 && stderr.contains("--store <S3_URL>"), "{stderr}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_with_what_to_do() {
    let s3 = S3::start().await;
    let (code, stdout, stderr) = run(s3.jobs(&["list", "--store", "s3://nobody/jobs/"])).await;
    assert_eq!((code, stdout.as_str()), (6, ""));
    assert!(stderr.starts_with("jobs: listing s3://nobody/jobs/: S3 answered 404 NoSuchBucket"), "{stderr}");
    assert!(stderr.ends_with("\n  check the bucket's name\n"), "{stderr}");
}
