//! The command's stderr: copied to ours byte for byte, with its last lines kept.
//!
//! A thread of its own does that, because our stderr may be slow. If it is closed, the command goes on.
//! What the command leaves running may hold its stderr open for ever, so nobody waits for its end alone.

use std::{
    io::{self, PipeReader, Read, Write},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// The most of it that is kept, in bytes: the end of a stack trace. It is 2 KiB with what is said of a
/// signal.
const TAIL: usize = 2000;
/// If nothing more comes for so long once the command has ended, that was all.
const QUIET: Duration = Duration::from_millis(200);
/// What may come for so long then is of something that the command left running.
const LATE: Duration = Duration::from_secs(1);

/// The copy.
pub struct Stderr {
    doing: watch::Receiver<Doing>,
    tail: Arc<Mutex<Vec<u8>>>,
}

/// What the thread is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Reading,
    Writing,
    /// There is no more.
    Nothing,
}

impl Stderr {
    /// Begins to copy what comes out of a pipe.
    pub fn copy(mut pipe: PipeReader) -> Self {
        let (sender, doing) = watch::channel(Doing::Reading);
        let tail = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&tail);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = read(&mut pipe, &mut buffer) {
                sender.send_replace(Doing::Writing);
                let bytes = buffer.get(..length).unwrap_or_default();
                keep(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), bytes);
                let _ = io::stderr().write_all(bytes); // nobody may read it
                sender.send_replace(Doing::Reading);
            }
            sender.send_replace(Doing::Nothing);
        });
        Self { doing, tail }
    }

    /// The last lines, once all that the command has written is read.
    pub async fn last_lines(&mut self) -> String {
        let _ = timeout(LATE, self.copied()).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        last_lines(&tail)
    }

    /// Waits until what the command has written is copied, however slow our stderr is.
    pub async fn copied(&mut self) {
        let late = sleep(LATE);
        tokio::pin!(late);
        loop {
            let doing = *self.doing.borrow_and_update();
            match doing {
                Doing::Nothing => return,
                Doing::Writing => drop(self.doing.changed().await),
                Doing::Reading if late.is_elapsed() => return,
                Doing::Reading => {
                    if timeout(QUIET, self.doing.changed()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Reads some bytes; none at the end.
fn read(pipe: &mut PipeReader, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Adds to the tail, which is longer than what is told of it: it tells whether a line begins there.
fn keep(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    let before = tail.len().saturating_sub(2 * TAIL);
    tail.drain(..before);
}

/// The whole lines of a tail, or a part of the last one if that is longer.
fn last_lines(tail: &[u8]) -> String {
    let text = String::from_utf8_lossy(tail);
    let text = text.trim_end();
    if text.len() <= TAIL {
        return text.trim_start_matches(['\r', '\n']).to_owned();
    }
    let start = (text.len() - TAIL..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let (before, last) = text.split_at(start);
    match last.split_once('\n') {
        Some((_, lines)) if !before.ends_with('\n') => lines.to_owned(),
        _ => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{TAIL, keep, last_lines};

    fn tail(parts: &[&[u8]]) -> String {
        let mut tail = Vec::new();
        for bytes in parts {
            keep(&mut tail, bytes);
        }
        last_lines(&tail)
    }

    #[test]
    fn the_last_lines_are_whole_and_at_most_2_kib() {
        let line = "x".repeat(99) + "\n";
        for (parts, expected) in [
            (vec!["one\ntwo\n"], "one\ntwo".to_owned()),
            (vec!["o", "ne\n", "\n"], "one".into()),
            (vec![&*line.repeat(30), "the end\n"], line.repeat(19) + "the end"),
            // Exactly as much, from the beginning of a line.
            (vec!["gone\n", &"y".repeat(TAIL)], "y".repeat(TAIL)),
            (vec![&"y".repeat(TAIL), "z"], "y".repeat(TAIL - 1) + "z"),
            // No half of a letter.
            (vec![&"é".repeat(TAIL)], "é".repeat(TAIL / 2)),
            (vec![""], String::new()),
        ] {
            let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
            assert_eq!(tail(&parts), expected);
        }
        let odd = tail(&[&[0xff; 3000], b"\n"]);
        assert!(odd.len() <= TAIL && odd.chars().all(|letter| letter == '\u{fffd}'), "{odd}");
    }
}
