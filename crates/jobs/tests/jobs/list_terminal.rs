//! `jobs list` in a pseudo-terminal.

use std::{fs::File, io::Read, net::SocketAddr, process::Stdio};

use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use testbed::fault_s3::{Act, error_document};
use tokio::{process::Child, sync::mpsc};
use uuid::Uuid;

use crate::{
    harness::{S3, jobs},
    list::{ago, put},
    list_faults::{asked, bucket, many},
};

const RUNNING: &str =
    r#"{"job_status":"running","heartbeat_seconds":5,"progress":"a text that is far too long for the terminal"}"#;

/// `jobs list` on a terminal of 80 columns, and what it shows.
struct Terminal {
    child: Child,
    shown: String,
    more: mpsc::UnboundedReceiver<String>,
}

impl Terminal {
    fn start(s3: SocketAddr, rows: u16, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let mut command = jobs(s3, &[&["list", "--store", "s3://jobs/jobs/"], arguments].concat());
        let stderr = pty.slave.try_clone().unwrap();
        command.env("TERM", "xterm-256color").stdout(Stdio::from(pty.slave)).stderr(Stdio::from(stderr));
        let child = command.spawn().unwrap();
        drop(command); // it holds the terminal open
        let (sender, more) = mpsc::unbounded_channel();
        tokio::task::spawn_blocking(move || {
            let (mut terminal, mut buffer, mut begun) = (File::from(pty.master), [0; 4096], Vec::new());
            // EIO when the child has closed the other end.
            while let Ok(read @ 1..) = terminal.read(&mut buffer) {
                begun.extend_from_slice(&buffer[..read]);
                if let Ok(text) = String::from_utf8(begun.clone()) {
                    begun.clear();
                    let _ = sender.send(text);
                }
            }
        });
        Self { child, shown: String::new(), more }
    }

    /// What is shown up to this text.
    async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some((shown, rest)) = self.shown.split_once(text) {
                let shown = format!("{shown}{text}");
                self.shown = rest.into();
                return shown;
            }
            let more = self.more.recv().await.unwrap_or_else(|| panic!("it ended without {text}: {:?}", self.shown));
            self.shown.push_str(&more);
        }
    }

    /// All that is shown to the end, and the exit code.
    async fn end(mut self) -> (String, Option<i32>) {
        while let Some(more) = self.more.recv().await {
            self.shown.push_str(&more);
        }
        (self.shown, self.child.wait().await.unwrap().code())
    }
}

#[tokio::test]
async fn a_table_fits_the_terminal_and_has_colours() {
    let s3 = S3::start().await;
    put(&s3, &format!("jobs/{}.json", Uuid::from_u128(1)), RUNNING, ago(70));
    put(&s3, &format!("jobs/{}.json", Uuid::from_u128(2)), r#"{"job_status":"failed"}"#, ago(80));
    let (shown, code) = Terminal::start(s3.address, 24, &[]).end().await;
    assert_eq!(code, Some(0));
    assert!(shown.contains("listing s3://jobs/jobs/"), "{shown:?}");
    let (_, table) = shown.split_once("\u{1b}[1mJOB").unwrap();
    let expected = "                                  OUTCOME    STATE   PROGRESS     AGE STALLED\u{1b}[0m\r\n\
                    \u{1b}[33m00000000-0000-0000-0000-000000000001 unfinished running a text that… 1m  yes\u{1b}[0m\r\n\
                    \u{1b}[31m00000000-0000-0000-0000-000000000002 failed     failed  -            1m  -\u{1b}[0m\r\n";
    assert_eq!(table, expected);
}

#[tokio::test]
async fn it_is_drawn_in_place_and_only_what_has_changed_is_read_again() {
    let files = many(40, RUNNING);
    let s3 = bucket(&files).await;
    let mut terminal = Terminal::start(s3.address(), 24, &["--watch"]);
    let first = terminal.until("a GET for each changed file\r\n").await;
    assert_eq!(asked(&s3), (1, 40));
    assert!(first.contains("\r\n20 more do not fit on the screen\r\neach look: 1 LIST, $0.0036 an hour"), "{first:?}");
    files.lock().unwrap().insert(Uuid::from_u128(7), (r#"{"job_status":"done"}"#.into(), 80_000));
    let second = terminal.until("a GET for each changed file\r\n").await;
    assert_eq!(asked(&s3), (1, 1));
    assert!(second.contains("\u{1b}[23A\r\u{1b}[0J"), "the cursor goes back to the first line: {second:?}");
    let (_, newest) = second.split_once("STALLED\u{1b}[0m\r\n").unwrap();
    assert!(newest.starts_with("00000000-0000-0000-0000-000000000007 done "), "{second:?}");
    s3.then([Act::Answer(error_document("403 Forbidden", "AccessDenied", "no\u{202e}pe"))]);
    let third = terminal.until("trying again: listing s3://jobs/jobs/: S3 answered 403 AccessDenied: nope").await;
    assert!(third.contains("00000000-0000-0000-0000-000000000007 done "), "the table stays: {third:?}");
    kill(Pid::from_raw(terminal.child.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let (_, code) = terminal.end().await;
    assert_eq!(code, None, "the signal has ended it");
}
