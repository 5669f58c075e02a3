//! `jobs run` and signals.

use std::{fs::File, io::Read, process::Stdio};

use clap::Parser;
use local::{Options, Server};
use nix::{
    pty::{Winsize, openpty},
    sys::signal::{
        Signal::{self, SIGINT, SIGKILL, SIGTERM},
        kill,
    },
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::spawn_blocking,
};

use crate::{
    harness::{S3, run},
    run::script,
    status_file::{JOB, status, until},
};

#[tokio::test]
async fn a_signal_is_passed_on_and_the_job_has_failed_whatever_the_command_makes_of_it() {
    let commands = "sleep 60 & trap 'kill $!; echo cleaned up >&2; exit 0' TERM INT; echo ready; wait";
    for (signal, code, message) in
        [(SIGTERM, 143, "ended by SIGTERM\ncleaned up"), (SIGINT, 130, "ended by SIGINT\ncleaned up")]
    {
        let s3 = S3::start().await;
        let mut child = script(&s3, &[], commands).spawn().unwrap();
        line(&mut child, "ready").await;
        send(&child, signal);
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{signal}");
        let status = status(&s3).await.unwrap();
        assert_eq!((&status["job_status"], &status["response"]["message"]), (&"failed".into(), &message.into()));
        assert_eq!(status["response"]["code"], 500);
    }
}

#[tokio::test]
async fn a_command_that_is_killed_by_it_has_the_same_end() {
    let s3 = S3::start().await;
    let mut child = script(&s3, &[], "echo ready; exec sleep 60").spawn().unwrap();
    line(&mut child, "ready").await;
    send(&child, SIGTERM);
    assert_eq!(child.wait().await.unwrap().code(), Some(143));
    assert_eq!(status(&s3).await.unwrap()["response"]["message"], "ended by SIGTERM");
}

#[tokio::test]
async fn ctrl_c_of_a_terminal_reaches_the_command_once() {
    let s3 = S3::start().await;
    let commands =
        "n=0; trap 'n=$((n+1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.1; done; sleep 0.5; echo $n times";
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let program = script(&s3, &[], commands);
    let program = program.as_std();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::from(pty.slave)).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command); // it holds the terminal open
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "ready");
    nix::unistd::write(&pty.master, b"\x03").unwrap();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "1 times");
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert_eq!(status(&s3).await.unwrap()["response"]["message"], "ended by SIGINT");
    let mut terminal = File::from(pty.master);
    spawn_blocking(move || terminal.read_to_end(&mut Vec::new())).await.unwrap().unwrap_err(); // nobody has it open
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_a_job_that_is_stalled() {
    let s3 = S3::start().await;
    let mut child = script(&s3, &["--heartbeat", "2s"], "exec cat").stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    until(&s3, |status| status["job_status"] == "running").await;

    let objects = s3.objects();
    let options = ["cargo local", "--port", "0", "--s3-listen", "127.0.0.1:0", "--jobs", objects.to_str().unwrap()];
    let server = Server::start(Options::try_parse_from(options).unwrap()).await.unwrap();
    let url = server.url().to_owned();
    tokio::spawn(server.run(std::future::pending()));
    let asked = || async {
        let mut command = s3.jobs(&["status", JOB, "--url", &url, "--fail-stalled"]);
        command.env("JOBS_API_KEY", local::options::DEMO_KEY);
        run(command).await.0
    };
    assert_eq!(asked().await, 3, "it runs");

    send(&child, SIGKILL);
    child.wait().await.unwrap();
    while asked().await != 7 {}
    drop(stdin); // the command ends
}

async fn line(child: &mut Child, expected: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), expected);
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), signal).unwrap();
}
