//! The toolkit's own way of writing, under `jobs publish`: each status file is opened for writing,
//! which empties it, and its JSON with two spaces of indentation comes in pieces.

use std::{
    collections::HashMap,
    fs::File,
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use local::{Options, Server};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::harness::{Publisher, files, jobs, run};

const JOBS: u128 = 400;
/// Two of them are larger than what Python writes at a time, 8 KiB.
const STATES: [(&str, usize); 4] = [("queued", 10), ("running", 10), ("running", 9_000), ("done", 20_000)];

#[tokio::test(flavor = "multi_thread")]
async fn bucket_and_directory_agree_at_the_end_and_no_poll_sees_a_broken_or_an_older_status() {
    let (written, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options {
        port: 0,
        listen: None,
        api_key: "demo-key".into(),
        jobs: Some(bucket.path().into()),
        s3_listen: Some(anywhere),
        bucket: None,
        prefix: String::new(),
        json: false,
    };
    let server = Server::start(options).await.unwrap();
    let (url, banner) = (server.url().to_owned(), server.to_string());
    let s3: SocketAddr = banner.split("http://").find_map(|rest| rest.split_once(", bucket")?.0.parse().ok()).unwrap();
    let key = |name: &str| banner.split_once(name).unwrap().1.split_whitespace().next().unwrap();
    // By the credentials that it prints: those of the tests can only read in a directory of one's own.
    let publish = |arguments: &[&str]| {
        let mut command = jobs(s3, &["publish", written.path().to_str().unwrap(), "s3://jobs/"]);
        command.env("AWS_ACCESS_KEY_ID", key("AWS_ACCESS_KEY_ID=")).args(arguments);
        command.env("AWS_SECRET_ACCESS_KEY", key("AWS_SECRET_ACCESS_KEY="));
        command
    };
    tokio::spawn(server.run(std::future::pending()));

    let over = Arc::new(AtomicBool::new(false));
    let polls: Vec<_> = (0..4).map(|poller| tokio::spawn(poll(url.clone(), poller, Arc::clone(&over)))).collect();

    let first = Publisher::spawn(publish(&[])).await;
    let (half, half_way) = oneshot::channel();
    let directory = written.path().to_owned();
    let worker = tokio::task::spawn_blocking(move || work(&directory, half));
    half_way.await.unwrap();
    first.kill().await;
    let second = Publisher::spawn(publish(&[])).await;
    worker.await.unwrap();
    // It has ten seconds for what is pending; on a slow machine the next start does the rest.
    let (code, _) = second.stop().await;
    assert!(matches!(code, Some(0 | 6)), "{code:?}");
    let (code, _, log) = run(publish(&["--once"])).await;
    assert_eq!(code, 0, "{log}");
    over.store(true, Ordering::Relaxed);

    let mut seen = 0;
    for poll in polls {
        seen += poll.await.unwrap();
    }
    assert!(seen > 0, "no poll found a job");
    assert!(files(written.path()) == files(bucket.path()), "bucket and directory differ");
}

/// Writes every job's states, many jobs side by side.
fn work(directory: &Path, half: oneshot::Sender<()>) {
    let mut half = Some(half);
    for jobs in (0..JOBS).collect::<Vec<_>>().chunks(100) {
        for (revision, (state, size)) in STATES.iter().enumerate() {
            for job in jobs {
                let id = Uuid::from_u128(*job);
                let status = json!({ "job_status": state, "job_id": id.to_string(), "revision": revision, "response": "x".repeat(*size) });
                let text = serde_json::to_vec_pretty(&status).unwrap();
                let mut file = File::create(directory.join(format!("{id}.json"))).unwrap();
                for piece in text.chunks(8192) {
                    file.write_all(piece).unwrap();
                }
            }
        }
        if jobs.contains(&(JOBS / 2)) {
            half.take().unwrap().send(()).unwrap();
        }
    }
}

/// Polls one job after the other until it is over; how many polls found one.
async fn poll(url: String, poller: u64, over: Arc<AtomicBool>) -> usize {
    let _ = rustls::crypto::ring::default_provider().install_default(); // reqwest has none of its own
    let client = reqwest::Client::new();
    let (mut revisions, mut found) = (HashMap::new(), 0);
    let mut random = poller.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !over.load(Ordering::Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let job = Uuid::from_u128(u128::from(random) % JOBS);
        let request = client.post(format!("{url}/v1/toolkit/job/status")).header("x-api-key", "demo-key");
        let answer = request.body(json!({ "job_id": job.to_string() }).to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if status == 404 {
            assert!(!revisions.contains_key(&job), "{job} is gone");
            continue;
        }
        assert_eq!(status, 200, "{text}");
        let revision = serde_json::from_str::<Value>(&text).unwrap()["response"]["revision"].as_u64().unwrap();
        let before = revisions.insert(job, revision).unwrap_or_default();
        assert!(revision >= before, "{job}: {revision} after {before}");
        found += 1;
    }
    found
}
