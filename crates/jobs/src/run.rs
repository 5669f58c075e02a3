//! `jobs run`: a command as a job, whose status file tells how it is doing.
//!
//! Here are the command line and the way of a run. [`job`] has the status files, [`writer`] takes them
//! to S3, [`progress`] is where the command says how far it is, [`stderr`] keeps its last lines, and
//! [`signals`] has what only Unix has.
//!
//! The command comes first: whether S3 takes status files or not, it runs.

mod job;
mod progress;
mod signals;
mod stderr;
mod writer;

use std::{
    env,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use aws_config::retry::RetryConfig;
use clap::Args;
use job_status::JobId;
use serde_json::{Value, value::RawValue};
use tokio::process::{Child, Command};

use self::{
    job::Job,
    progress::Progress,
    signals::{Ending, Signals},
    stderr::Stderr,
    writer::Writer,
};
use crate::{
    failure::Failure,
    output::line,
    s3::{self, Store},
    status_document::{heartbeat, result, span},
    wait::job_id,
};

/// Where the command finds the path of the file for its progress.
const PROGRESS: &str = "JOBS_PROGRESS";

/// The exit code if the command succeeded, but its result can't be passed on.
const NO_RESULT: u8 = 6;

/// Runs a command, and keeps the job's status file up to date
///
/// The status is `running`, then `done`, or `failed` with the last lines of stderr. The command may write
/// a number or a text into the file that JOBS_PROGRESS names: its last line is the job's progress. SIGTERM
/// and SIGINT are passed on to the command, and the job has failed. While S3 is away, the command goes on.
/// Whatever status file the job has from before is replaced.
#[derive(Args)]
#[command(after_help = "\
Exit codes:
  that of the command, or 128 + n if signal n ended it
  127  the command can't be started
  130  SIGINT came
  143  SIGTERM came
  6    the last state could not be written, or not with the result that was asked for
  2    usage")]
pub struct Run {
    /// The job's id, a UUID
    #[arg(value_name = "JOB_ID", value_parser = job_id)]
    id: JobId,

    /// Where status files are: s3://bucket/prefix/
    #[arg(long, env = "JOBS_STORE", value_name = "STORE")]
    store: Store,

    /// Write the status at least this often; after twice that without one, the job is stalled
    #[arg(long, default_value = "30s", value_name = "SPAN", value_parser = heartbeat)]
    heartbeat: Duration,

    /// File that the command writes its result into: JSON, or else a text
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,

    /// What `endpoint` in the status is [default: the command's name]
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,

    /// What `id` in the status is: the caller's own reference
    #[arg(long = "id", value_name = "REFERENCE")]
    reference: Option<String>,

    /// How long to try to write the last state, if S3 is away
    #[arg(long, default_value = "10m", value_name = "SPAN", value_parser = span)]
    give_up: Duration,

    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command to its end.
pub async fn run(run: Run) -> Result<ExitCode, Failure> {
    let Run { id, store, heartbeat, result, endpoint, reference, give_up, command } = run;
    let mut signals = Signals::receive()
        .map_err(|error| Failure::unreachable("receiving signals", &error).advise("run it as a process of its own"))?;
    let client = s3::client(RetryConfig::disabled()).await?;
    let mut job = Job::new(id, endpoint.unwrap_or_else(|| name(&command)), reference, heartbeat);
    let mut running = match Running::start(&command) {
        Ok(running) => running,
        Err(failure) => {
            let last = job.failed(&failure.to_string())?;
            let code = failure.report();
            Writer::start(client, store, &job, last.clone()).finish(last, give_up, &mut signals).await?;
            return Ok(code);
        }
    };
    job.pid = running.child.id().unwrap_or(job.pid);
    let writer = Writer::start(client, store, &job, job.running(None)?);
    let ended = running.end(&mut signals, |progress| {
        if let Ok(file) = job.running(Some(&progress)) {
            writer.update(file);
        }
    });
    let (code, last) = last(&job, ended.await, result.as_deref())?;
    let written = writer.finish(last, give_up, &mut signals).await;
    tokio::select! {
        () = running.stderr.copied() => {}
        _ = signals.next() => {}
    }
    written.map(|()| code.into())
}

/// The exit code and the last status file of a job whose command has ended.
fn last(job: &Job, ended: Ended, result: Option<&Path>) -> Result<(u8, Vec<u8>), Failure> {
    let Ended { code, failed } = ended;
    if let Some(message) = failed {
        return Ok((code, job.failed(&message)?));
    }
    match read(result).and_then(|result| job.done(result.as_deref())) {
        Ok(last) => Ok((code, last)),
        Err(failure) => {
            failure.report();
            Ok((NO_RESULT, job.failed("the command succeeded, but its result can't be passed on")?))
        }
    }
}

/// A command that runs.
struct Running {
    child: Child,
    stderr: Stderr,
    progress: Progress,
}

/// How a command ended.
struct Ended {
    code: u8,
    /// What went wrong, if it did.
    failed: Option<String>,
}

impl Running {
    /// Starts a command, with our stdin and stdout.
    fn start(command: &[OsString]) -> Result<Self, Failure> {
        let progress = Progress::new().map_err(|error| {
            // Its own text has a path, which is nobody else's business.
            Failure::not_started(&error.kind().into())
                .advise(format!("{PROGRESS} needs a directory in {}: set TMPDIR", env::temp_dir().display()))
        })?;
        let start = |(program, arguments): (&OsString, &[OsString])| {
            let (reader, writer) = io::pipe()?;
            let mut command = Command::new(program);
            command.args(arguments).env(PROGRESS, progress.path()).stderr(writer);
            Ok((command.spawn()?, reader))
        };
        let named = command.split_first().ok_or_else(|| io::Error::other("it has no name"));
        let (child, reader) = named.and_then(start).map_err(|error| {
            let name = line(&name(command));
            Failure::not_started(&error).advise(format!("see that {name} is there, and that it may be executed"))
        })?;
        Ok(Self { child, stderr: Stderr::copy(reader), progress })
    }

    /// Waits until it ends. Signals are passed on, and what it says of its progress is handed on.
    async fn end(&mut self, signals: &mut Signals, mut update: impl FnMut(Value)) -> Ended {
        let mut received = None;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                signal = signals.next() => {
                    received.get_or_insert(signal);
                    if let Some(process) = self.child.id() {
                        signal.pass_on(process);
                    }
                }
                progress = self.progress.changed() => update(progress),
            }
        };
        let Ending { code, signal } = match (received, status) {
            (Some(signal), _) => signal.ending(),
            (None, Ok(status)) => status.into(),
            (None, Err(error)) => {
                return Ended { code: u8::MAX, failed: Some(format!("nobody knows how it ended: {error}")) };
            }
        };
        if code == 0 {
            return Ended { code, failed: None };
        }
        let said = self.stderr.last_lines().await;
        let failed = match signal {
            Some(signal) => format!("ended by {signal}\n{said}").trim_end().to_owned(),
            None if said.is_empty() => format!("exit code {code}"),
            None => said,
        };
        Ended { code, failed: Some(failed) }
    }
}

/// The name of a command's program, without its directory.
fn name(command: &[OsString]) -> String {
    let program = command.first().map(Path::new);
    program.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads the command's result.
fn read(path: Option<&Path>) -> Result<Option<Box<RawValue>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let content = File::open(path).map_err(Into::into).and_then(result);
    content.map(Some).map_err(|error| {
        Failure::unreachable(format!("reading the result from {}", path.display()), &*error)
            .advise("see that the command writes it there")
    })
}
