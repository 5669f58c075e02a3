//! The command line: one verb a line. The parser, the help, the completions and the man pages are all
//! made of it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    check::Check, failure::Failure, keys::Keys, list::List, output::printed, publish::Publish, run::Run, set::Set, wait,
};

/// What `--help` ends with. It fits a screen.
const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 no (each verb says what that means), 2 usage, 6 S3, a file or the endpoint could \
not be reached. Results go to stdout, all else to stderr.";

/// The companion of the job-status endpoint
#[derive(Parser)]
#[command(name = "jobs", version, after_help = EXIT_CODES)]
pub struct Jobs {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    Keys(Keys),
    Run(Run),
    Set(Set),
    Publish(Publish),
    List(List),
    Wait(wait::Wait),
    Status(wait::Once),
    Check(Check),
    /// Prints the completions for a shell
    ///
    /// Put them where the shell looks for them.
    Completions {
        shell: Shell,
    },
    /// Prints the man page, or writes those of all verbs
    Man {
        /// Directory for the pages of all verbs
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Prints the completions for `shell`.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Jobs::command(), "jobs", &mut script);
    printed(io::stdout().write_all(&script))
}

/// Prints the man page, or writes all of them into `dir`.
pub fn man(dir: Option<&Path>) -> Result<(), Failure> {
    if let Some(dir) = dir {
        return clap_mangen::generate_to(Jobs::command(), dir).map_err(|error| {
            Failure::unreachable(format!("writing into {}", dir.display()), &error)
                .advise("make the directory, or choose one that you may write to")
        });
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Jobs::command()).render(&mut page).map_err(Failure::printing)?;
    printed(io::stdout().write_all(&page))
}
