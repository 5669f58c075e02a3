//! Large status files where many polls run at once: they neither fill the memory nor hold up small ones.
//!
//! A small file costs next to nothing and never waits. A file from [`LARGE_FILE`] on waits for a permit before its
//! content is read, and keeps it until its answer is serialized. What takes CPU time runs on a thread of its own, one
//! for each core at a time, first come, first served. With one invocation at a time there are no permits, no threads.

use std::{num::NonZero, panic::resume_unwind, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{task::spawn_blocking, time::Instant};

use crate::limits::{LARGE_FILE, LARGE_FILES_PER_CORE, LARGE_FILES_SHARE, MAX_ANSWER_MEMORY};

/// What bounds the large files of an environment.
pub(crate) struct LargeFiles {
    /// One permit for each KiB.
    memory: Arc<Semaphore>,
    all_memory: u32,
    cores: Arc<Semaphore>,
}

/// The right to have a large file in memory. It ends when this is dropped.
#[derive(Clone)]
pub(crate) struct Permit {
    _memory: Arc<OwnedSemaphorePermit>,
    cores: Arc<Semaphore>,
}

impl LargeFiles {
    /// For an environment with so many invocations at a time, and so many MB of memory. `None` for one at a time.
    pub(crate) fn new(concurrency: NonZero<usize>, memory: NonZero<u32>) -> Option<Self> {
        if concurrency.get() == 1 {
            return None;
        }
        let cores = available_parallelism().map_or(1, NonZero::get);
        let share = u64::from(memory.get()) * 1024 * 1024 / LARGE_FILES_SHARE;
        let all_memory = kib(share.min(LARGE_FILES_PER_CORE * cores as u64));
        let memory = Arc::new(Semaphore::new(all_memory as usize));
        Some(Self { memory, all_memory, cores: Arc::new(Semaphore::new(cores)) })
    }

    /// Waits until a file of `size` bytes may be read. `None` for a file that needs no permit. `waited` grows by the
    /// time it takes.
    pub(crate) async fn permit(&self, size: u64, waited: &mut Duration) -> Option<Permit> {
        if size < LARGE_FILE {
            return None;
        }
        let _timing = Timing::start(waited);
        // At its peak there are the file, and its answer as text and escaped text, or compressed and in base64.
        let peak = size + (2 * size).min(MAX_ANSWER_MEMORY);
        // A file that needs more than there is has all of it for itself.
        let needed = kib(peak).min(self.all_memory);
        // It fails only if the semaphore is closed, and nobody closes it.
        let permit = Arc::clone(&self.memory).acquire_many_owned(needed).await.ok()?;
        Some(Permit { _memory: Arc::new(permit), cores: Arc::clone(&self.cores) })
    }
}

/// Does what takes CPU time: for a file with a permit, on a thread of its own, once there is a core for it. What has
/// begun is finished, and keeps the permit, even if the request's time runs out.
pub(crate) async fn work<T: Send + 'static>(
    permit: Option<&Permit>,
    waited: &mut Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let Some(permit) = permit.cloned() else { return work() };
    let core = {
        let _timing = Timing::start(waited);
        Arc::clone(&permit.cores).acquire_owned().await
    };
    let working = spawn_blocking(move || {
        let result = work();
        drop((permit, core));
        result
    });
    working.await.unwrap_or_else(|error| resume_unwind(error.into_panic())) // it is never cancelled
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// Adds the time until it is dropped to a total, even if what it times is given up.
pub(crate) struct Timing<'a> {
    started: Instant,
    total: &'a mut Duration,
}

impl<'a> Timing<'a> {
    pub(crate) fn start(total: &'a mut Duration) -> Self {
        Self { started: Instant::now(), total }
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        *self.total += self.started.elapsed();
    }
}
