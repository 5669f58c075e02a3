//! Large status files take turns, so that they neither fill the memory nor hold up small ones.
//!
//! On Managed Instances an environment answers many polls at once. A small file costs it next to nothing
//! and never waits. A file from [`LARGE_FILE`] on waits, before its content is read, until there is room
//! in the share of the memory that large files have ([`LARGE_FILES_SHARE`]), and keeps its room until
//! the answer is sent. What takes CPU time is done beside the threads that serve polls, one file for
//! each core at a time. Whoever comes first has the first turn.

use std::{num::NonZero, panic::resume_unwind, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::Instant,
};

use crate::limits::{LARGE_FILE, LARGE_FILES_SHARE, MAX_ANSWER_MEMORY};

/// Who gives turns in an environment.
#[derive(Clone)]
pub(crate) struct Turns {
    /// A permit for each KiB.
    memory: Arc<Semaphore>,
    all_memory: u32,
    /// A permit for each core.
    cores: Arc<Semaphore>,
}

/// A file's right to be in memory. A small file has it at once.
#[derive(Clone, Default)]
pub struct Turn(Option<Arc<LargeTurn>>);

struct LargeTurn {
    _memory: OwnedSemaphorePermit,
    cores: Arc<Semaphore>,
}

impl Turns {
    /// For an environment with this memory, in MB.
    pub(crate) fn new(memory: NonZero<u32>) -> Self {
        let all_memory = memory.get().saturating_mul(1024) / LARGE_FILES_SHARE;
        Self {
            memory: Arc::new(Semaphore::new(all_memory as usize)),
            all_memory,
            cores: Arc::new(Semaphore::new(available_parallelism().map_or(1, NonZero::get))),
        }
    }

    /// Waits until there is room for a file of `size` bytes. `waited` grows by the time that takes.
    pub(crate) async fn take(&self, size: u64, waited: &mut Duration) -> Turn {
        if size < LARGE_FILE {
            return Turn::default();
        }
        let _timing = Timing::of(waited);
        // A file that would take more than all of it has all of it for itself.
        let memory = u32::try_from(memory_for(size) / 1024).unwrap_or(u32::MAX).min(self.all_memory);
        let memory = Arc::clone(&self.memory).acquire_many_owned(memory).await;
        // They are never closed.
        Turn(memory.ok().map(|memory| Arc::new(LargeTurn { _memory: memory, cores: Arc::clone(&self.cores) })))
    }
}

impl Turn {
    /// Does what takes CPU time. For a large file: beside the threads that serve polls, and once there is a
    /// core for it. `waited` grows by the time until then. What has begun is finished, and the file keeps
    /// its turn, even if nobody waits for the result any more.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        waited: &mut Duration,
    ) -> T {
        let Some(large) = self.0.clone() else { return work() };
        let core = {
            let _timing = Timing::of(waited);
            Arc::clone(&large.cores).acquire_owned().await
        };
        let working = spawn_blocking(move || {
            let result = work();
            drop((core, large));
            result
        });
        working.await.unwrap_or_else(|error| resume_unwind(error.into_panic())) // it is never cancelled
    }
}

/// Bytes that a large file takes at its peak, answer included: itself, and either its text once more and
/// escaped, or compressed and encoded.
fn memory_for(size: u64) -> u64 {
    size + (2 * size).min(MAX_ANSWER_MEMORY)
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
