//! The cores that programs run on. Linux only: elsewhere the scheduler chooses them.

use std::sync::LazyLock;

#[cfg(target_os = "linux")]
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use tokio::process::Command;

#[cfg(target_os = "linux")]
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Those that this benchmark may use.
#[cfg(target_os = "linux")]
static CORES: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let allowed = sched_getaffinity(THIS_THREAD).unwrap();
    (0..CpuSet::count()).filter(|core| allowed.is_set(*core) == Ok(true)).collect()
});
#[cfg(not(target_os = "linux"))]
static CORES: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..std::thread::available_parallelism().unwrap().get()).collect());

/// Runs `measure` and the programs that it starts on one core: that is what a function of up to
/// 1,769 MB has for itself and the Runtime API. Left to the scheduler, a program would by chance wait
/// for a sleeping core, or run with another program's caches.
pub fn on_one<T>(measure: impl FnOnce() -> T) -> T {
    on(&CORES[CORES.len() - 1..], measure)
}

/// Runs `measure` on all cores but the last, which is for what [`on_last`] starts.
pub fn on_others<T>(measure: impl FnOnce() -> T) -> T {
    on(&CORES[..(CORES.len() - 1).max(1)], measure)
}

/// A command that starts the same program on the last core.
pub fn on_last(command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", &CORES[CORES.len() - 1].to_string()]).arg(command.as_std().get_program());
    pinned
}

fn on<T>(cores: &[usize], measure: impl FnOnce() -> T) -> T {
    pin(cores);
    let result = measure();
    pin(&CORES);
    result
}

#[cfg(target_os = "linux")]
fn pin(cores: &[usize]) {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core).unwrap();
    }
    sched_setaffinity(THIS_THREAD, &set).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn pin(_: &[usize]) {}
