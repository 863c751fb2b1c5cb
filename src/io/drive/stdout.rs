//! Standard output, and what it means if it cannot be written.
//!
//! The standard library's handle hides two failures: writing to a closed descriptor counts as success, and if there is
//! no descriptor at all, the runtime opens `/dev/null` before `main`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdout;

use crate::protocol::{ErrorCode, Failure, cause};

/// Whether the program was started without a standard output.
static ABSENT: AtomicBool = AtomicBool::new(false);

/// Checks whether there is a standard output. Must be called before the standard library's runtime puts `/dev/null` in
/// its place; it allocates nothing and writes nothing.
pub fn look() {
    if rustix::io::fcntl_getfd(stdout()).is_err() {
        ABSENT.store(true, Ordering::Relaxed);
    }
}

/// Writes to standard output without a buffer. [`loss`] explains its errors.
#[derive(Debug, Default)]
pub struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if ABSENT.load(Ordering::Relaxed) {
            return Err(lost(Errno::BADF));
        }
        loop {
            match rustix::io::write(stdout(), bytes) {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => {}
                // Somebody has made the pipe non-blocking, so that a full one is an error. We wait for it all the same.
                Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&stdout(), PollFlags::OUT)], None)),
                Err(e) => return Err(lost(e)),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error if standard output cannot be written any more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Lost(String);

fn lost(errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    let words = if errno == Errno::BADF { "it is closed".into() } else { cause::of_io(&error) };
    io::Error::new(error.kind(), Lost(words.into_owned()))
}

/// The meaning of an error, if it says that standard output cannot be written. A reader that closes a pipe has what it
/// wanted, which is no failure.
pub fn loss(error: &io::Error) -> Option<Result<(), Failure>> {
    let Lost(words) = error.get_ref()?.downcast_ref()?;
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Some(Ok(()));
    }
    let failure = Failure::new(ErrorCode::OutputLost, format!("Standard output cannot be written: {words}."));
    Some(Err(failure))
}

/// The hub's log. If the first line cannot be written, nobody learns where the hub is, so that is an error. Later
/// errors do not stop the hub: it reports once, and writes again when it can.
pub struct LogOutput<W> {
    sink: W,
    /// Whether anything has ever been written.
    begun: bool,
    failing: bool,
    complain: fn(&Failure),
    any_lost: std::sync::Arc<AtomicBool>,
}

impl<W: Write> LogOutput<W> {
    /// A log that writes to `sink`. `any_lost` is set once a line is lost.
    pub fn new(sink: W, complain: fn(&Failure), any_lost: std::sync::Arc<AtomicBool>) -> Self {
        Self { sink, begun: false, failing: false, complain, any_lost }
    }
}

impl<W: Write> Write for LogOutput<W> {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // The last line before the error may be incomplete.
        let seam: &[u8] = if self.failing { b"\n" } else { b"" };
        let written = self.sink.write_all(seam).and_then(|()| self.sink.write_all(lines));
        match written.map_err(|e| (loss(&e), e)) {
            Ok(()) => (self.begun, self.failing) = (true, false),
            // The reader has closed the pipe.
            Err((Some(Ok(())), _)) => {}
            Err((_, e)) if !self.begun => return Err(e),
            Err((loss, e)) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let failure = loss.and_then(Result::err).unwrap_or_else(|| Failure::internal(e));
                    (self.complain)(&failure);
                }
                self.any_lost.store(true, Ordering::Relaxed);
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_loss_is_told_in_words_and_a_closed_pipe_is_none() {
        let failure = loss(&lost(Errno::NOSPC)).unwrap().unwrap_err();
        assert_eq!(failure.to_string(), "Standard output cannot be written: the disk is full. (output-lost)");
        assert_eq!(loss(&lost(Errno::PIPE)), Some(Ok(())));
        assert_eq!(loss(&io::Error::other("something else")), None);
    }

    /// A sink that fails as the test wants.
    struct Disk(Arc<std::sync::Mutex<(Option<Errno>, String)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (full, text) = &mut *self.0.lock().unwrap();
            match *full {
                Some(errno) => Err(lost(errno)),
                None => {
                    text.push_str(std::str::from_utf8(bytes).unwrap());
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_goes_on_when_there_is_room_again() {
        let disk = Arc::new(std::sync::Mutex::new((None, String::new())));
        let any_lost = Arc::new(AtomicBool::new(false));
        let mut log = LogOutput::new(Disk(disk.clone()), |_| (), any_lost.clone());
        log.write_all(b"1\n").unwrap();
        disk.lock().unwrap().0 = Some(Errno::NOSPC);
        log.write_all(b"2\n").unwrap();
        assert!(any_lost.load(Ordering::Relaxed));
        disk.lock().unwrap().0 = None;
        log.write_all(b"3\n").unwrap();
        log.write_all(b"4\n").unwrap();
        assert_eq!(disk.lock().unwrap().1, "1\n\n3\n4\n");
        let disk = Arc::new(std::sync::Mutex::new((Some(Errno::NOSPC), String::new())));
        let mut log = LogOutput::new(Disk(disk), |_| (), any_lost);
        log.write_all(b"1\n").unwrap_err();
    }
}
