//! The programs that are measured.

use std::{
    fs,
    io::Write,
    process::{self, Stdio},
    sync::LazyLock,
};

use tokio::process::Command;

const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/deployed");

/// A program.
#[derive(Clone, Copy, PartialEq)]
pub enum Program {
    /// The function, as it is deployed.
    Ours,
    /// The least that a program can take; see `floor.rs`.
    Floor,
    /// What most people would deploy instead; see `handler.py`.
    Python,
}

impl Program {
    /// The command that starts it.
    pub fn command(self) -> Command {
        match self {
            Self::Ours => Command::new(&*BINARY),
            Self::Floor => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg("--floor");
                command
            }
            Self::Python => {
                let mut command = Command::new(python());
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lambda/handler.py"));
                command
            }
        }
    }
}

/// The program as it is deployed, built if need be: the one that comes with a benchmark has every
/// feature that the dependencies of the tests need, and is 0.4 MB larger for it. `JOB_STATUS_BINARY`
/// names another build, to see what a choice is worth.
static BINARY: LazyLock<String> = LazyLock::new(|| {
    std::env::var("JOB_STATUS_BINARY").unwrap_or_else(|_| {
        let arguments = ["build", "--locked", "--release", "--package", "job-status", "--target-dir", TARGET];
        let build =
            process::Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).status();
        assert!(build.unwrap().success(), "the program can't be built");
        format!("{TARGET}/release/job-status")
    })
});

/// Builds the function.
pub fn build() {
    LazyLock::force(&BINARY);
}

/// What would be uploaded, in MB: the binary alone, deflated as `zip -9` does.
pub fn zipped_size() -> f64 {
    let binary = fs::read(&*BINARY).unwrap();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&binary).unwrap();
    encoder.finish().unwrap().len() as f64 / 1e6
}

/// The interpreter itself: a version manager's shim would be measured as well.
fn python() -> String {
    let output = process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Whether [`Program::Python`] can be started.
pub fn has_boto3() -> bool {
    let status = process::Command::new("python3").args(["-c", "import boto3"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
