//! Large status files take turns, so that they neither fill the memory nor hold up small ones.
//!
//! On Managed Instances an environment answers many polls at once. A small file costs it next to nothing
//! and never waits. A file from [`LARGE_FILE`] on waits, before its content is read, until there is room
//! for it, and keeps the room until the answer is sent. Its CPU time is spent on threads of its own, one
//! for each core, which give way to those that serve polls. Whoever comes first has the first turn.

use std::{
    io,
    num::NonZero,
    panic::resume_unwind,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
    time::Duration,
};

use rustix::process::nice;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use crate::limits::{LARGE_FILE, LARGE_FILES_PER_CORE, LARGE_FILES_SHARE, MAX_ANSWER_MEMORY};

/// The threads for large files. They end when they have had nothing to do for ten seconds.
static WORKERS: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(cores()).on_thread_start(give_way).build());

/// The room that an environment has for large files.
pub(crate) struct Turns {
    /// A permit for each KiB.
    memory: Arc<Semaphore>,
    all_memory: u32,
}

/// A request's right to have its status file in memory. It ends when this is dropped.
#[derive(Default)]
pub struct Turn {
    /// None for a small file, which needs none.
    room: Option<Arc<OwnedSemaphorePermit>>,
    /// What waiting for room and for a core took.
    pub(crate) waited: Duration,
}

impl Turns {
    /// For an environment with so many MB of memory.
    pub(crate) fn new(memory: NonZero<u32>) -> Self {
        let share = u64::from(memory.get()) * 1024 * 1024 / LARGE_FILES_SHARE;
        let all_memory = kib(share.min(LARGE_FILES_PER_CORE * cores() as u64));
        Self { memory: Arc::new(Semaphore::new(all_memory as usize)), all_memory }
    }
}

impl Turn {
    /// Waits until there is room for a file of `size` bytes. Room from before is given back first.
    pub(crate) async fn take(&mut self, turns: &Turns, size: u64) {
        self.room = None;
        if size < LARGE_FILE {
            return;
        }
        let _timing = Timing::of(&mut self.waited);
        // A file that needs more than there is has all of it for itself.
        let memory = kib(memory_for(size)).min(turns.all_memory);
        let memory = Arc::clone(&turns.memory).acquire_many_owned(memory).await;
        // It fails only if the semaphore is closed, and nobody closes it.
        self.room = memory.ok().map(Arc::new);
    }

    /// Does what takes CPU time: for a large file once there is a core for it, on a thread of its own. What
    /// has begun is finished, and keeps its room, even if the request's time runs out.
    pub(crate) async fn work<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let Some(room) = self.room.clone() else { return work() };
        let Ok(workers) = &*WORKERS else { return work() };
        let (started, has_started) = oneshot::channel();
        let working = workers.spawn_blocking(move || {
            let _ = started.send(());
            let result = work();
            drop(room);
            result
        });
        {
            let _timing = Timing::of(&mut self.waited);
            let _ = has_started.await;
        }
        working.await.unwrap_or_else(|error| resume_unwind(error.into_panic())) // it is never cancelled
    }
}

/// Bytes that a large file takes at its peak, answer included: itself, and either its text once more and
/// escaped, or compressed and encoded.
fn memory_for(size: u64) -> u64 {
    size + (2 * size).min(MAX_ANSWER_MEMORY)
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// A third of the CPU time, if a thread that serves polls wants it too. p99 of small polls beside three of the
/// largest files, on one core: 72 ms without this, 52 ms with it, 47 ms with 19, at which a large file may get
/// no time at all.
fn give_way() {
    let _ = nice(5);
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// Adds the time until it is dropped to a total. What is given up in between counts too.
pub(crate) struct Timing<'a> {
    started: Instant,
    total: &'a mut Duration,
}

impl<'a> Timing<'a> {
    pub(crate) fn of(total: &'a mut Duration) -> Self {
        Self { started: Instant::now(), total }
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        *self.total += self.started.elapsed();
    }
}
