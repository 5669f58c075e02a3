//! The cores that programs run on.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Runs `measure` and the programs that it starts on one core: that is what a function of up to
/// 1,769 MB has for itself and the Runtime API. Left to the scheduler, a program would by chance wait
/// for a sleeping core, or run with another program's caches.
pub fn on_one<T>(measure: impl FnOnce() -> T) -> T {
    let this = Pid::from_raw(0);
    let every_core = sched_getaffinity(this).unwrap();
    let mut one_core = CpuSet::new();
    one_core.set((0..CpuSet::count()).rfind(|core| every_core.is_set(*core) == Ok(true)).unwrap()).unwrap();
    sched_setaffinity(this, &one_core).unwrap();
    let result = measure();
    sched_setaffinity(this, &every_core).unwrap();
    result
}
