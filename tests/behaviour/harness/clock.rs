//! Time in tests: a wall clock that is set by hand, and a timer clock that runs by itself or stands still.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::TimeSource;

/// A wall clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    now: SystemTime,
    until_panic: u32,
}

impl Clock {
    pub fn new() -> Self {
        // 2026-11-23T12:00:00Z; a whole second, because S3's Last-Modified has no finer one.
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(498_732);
        Self(Arc::new(Mutex::new(Reading { now, until_panic: 0 })))
    }

    pub fn forward(&self, seconds: u64) {
        self.0.lock().unwrap().now += Duration::from_secs(seconds);
    }

    pub fn back(&self, seconds: u64) {
        self.0.lock().unwrap().now -= Duration::from_secs(seconds);
    }

    /// Panics once: when it is read for the `reading`th time from now on.
    pub fn panic_at(&self, reading: u32) {
        self.0.lock().unwrap().until_panic = reading;
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let (now, panics) = {
            let mut reading = self.0.lock().unwrap();
            let panics = reading.until_panic == 1;
            reading.until_panic = reading.until_panic.saturating_sub(1);
            (reading.now, panics)
        };
        assert!(!panics, "the clock is broken");
        now
    }
}

/// Lets timers run hundreds of times faster than real time. Tokio's paused clock alone jumps to the next
/// timer as soon as every task waits, even if one waits for a socket that is about to be readable.
/// Here sockets are polled many times before a millisecond passes, so they always come first.
pub fn fast_timers() {
    tokio::spawn(async {
        loop {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    });
}

/// Stops the timers of a test that has paused their clock, until the result is dropped: nothing times out because the
/// machine is busy. Tokio advances no paused clock while a blocking task runs.
#[must_use]
pub fn stop_timers() -> Sender<()> {
    let (stopped, end) = mpsc::channel();
    tokio::task::spawn_blocking(move || end.recv());
    stopped
}
