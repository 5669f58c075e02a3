//! `jobs wait` in a pseudo-terminal.

use std::{fs::File, io::Read, process::Stdio};

use nix::pty::{Winsize, openpty};

use testbed::fault_s3::Act;

use crate::harness::{JOB, found, jobs, scripted};

#[tokio::test]
async fn on_a_terminal_one_line_changes_and_is_gone_at_the_end() {
    let running = found("retry-after: 1\r\n", r#"{"job_status":"running","progress":"50 %"}"#);
    let (code, stdout, shown) = wait_on_a_terminal(&[running, found("", r#"{"job_status":"done"}"#)]).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "{\n  \"job_status\": \"done\"\n}\n"));
    assert!(shown.contains("running (50 %), next poll in 1s"), "{shown:?}");
    assert!(shown.ends_with("\u{1b}[2K"), "the line is gone: {shown:?}");
    assert!(!shown.contains('\n'), "it is one line: {shown:?}");
}

#[tokio::test]
async fn no_text_of_a_worker_reaches_the_terminal_as_it_is() {
    let odd = r"x\u001b]0;OWNED\u0007\u009b2J\u202ey\nz";
    let running = found("retry-after: 1\r\n", &format!(r#"{{"job_status":"running","progress":"{odd}"}}"#));
    let over = found("", &format!(r#"{{"job_status":"{odd}"}}"#));
    let (code, _, shown) = wait_on_a_terminal(&[running, over]).await;
    assert_eq!(code, Some(1));
    assert!(shown.contains("running (x]0;OWNED2Jyz)"), "{shown:?}");
    assert!(shown.contains("a state of its worker's own: x]0;OWNED2Jyz\r\n"), "{shown:?}");
    assert!(!shown.contains("\u{1b}]") && !shown.contains(['\u{7}', '\u{9b}', '\u{202e}']), "{shown:?}");
}

/// Waits with a pseudo-terminal as stderr; the exit code, stdout, and what the terminal got.
async fn wait_on_a_terminal(answers: &[Act]) -> (Option<i32>, String, String) {
    let server = scripted(answers.iter().cloned()).await;
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
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), reader.await.unwrap())
}
