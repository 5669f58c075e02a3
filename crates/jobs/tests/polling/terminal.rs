//! `jobs wait` in a pseudo-terminal.

use std::{fs::File, io::Read, process::Stdio};

use nix::pty::{Winsize, openpty};

use crate::harness::{JOB, found, jobs, scripted};

#[tokio::test]
async fn on_a_terminal_one_line_lives_and_is_gone_at_the_end() {
    let running = found("retry-after: 1\r\n", r#"{"job_status":"running","progress":"50 %"}"#);
    let server = scripted([running, found("", r#"{"job_status":"done"}"#)]).await;
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let mut command = jobs(server.url(), &["wait", JOB]);
    command.env("TERM", "xterm-256color").stderr(Stdio::from(pty.slave)).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command); // it holds the terminal open
    let reader = tokio::task::spawn_blocking(move || {
        let (mut terminal, mut shown) = (File::from(pty.master), Vec::new());
        let _ = terminal.read_to_end(&mut shown); // EIO when the child has closed the other end
        String::from_utf8(shown).unwrap()
    });
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"{\n  \"job_status\": \"done\"\n}\n");
    let shown = reader.await.unwrap();
    assert!(shown.contains("running (50 %), next poll in 1s"), "{shown:?}");
    assert!(shown.ends_with("\u{1b}[2K"), "the line is gone: {shown:?}");
    assert!(!shown.contains('\n'), "it is one line: {shown:?}");
}
