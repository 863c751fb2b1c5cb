//! Code of the subcommands that read a recording: its lines, and the exit code.

use crate::protocol::cause;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use super::fail;
use crate::io::drive::stdout::{StandardOutput, loss};
use crate::protocol::Failure;

/// The longest line in bytes. A table of half a million offers fits; reading a device that never ends a line stops.
const LONGEST: u64 = 256 << 20;

/// The lines of a recorded stream.
pub(super) struct Recording {
    input: BufReader<Box<dyn Read>>,
    /// The number of the last line read, counted from 1.
    pub(super) number: u64,
}

impl Recording {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match path.as_os_str() == OsStr::new("-") {
            true => Ok(Self::new(io::stdin())),
            false => {
                let file = File::open(path)?;
                match file.metadata()?.is_dir() {
                    true => Err(io::ErrorKind::IsADirectory.into()),
                    false => Ok(Self::new(file)),
                }
            }
        }
    }

    pub(super) fn new(input: impl Read + 'static) -> Self {
        Self { input: BufReader::new(Box::new(input)), number: 0 }
    }

    /// The next line without its end; `None` after the last one. CRLF and a byte order mark are taken off.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if (&mut self.input).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.len() as u64 == LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {} is too long", self.number)));
        }
        for end in [b'\n', b'\r'] {
            if line.last() == Some(&end) {
                line.pop();
            }
        }
        if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        Ok(Some(line))
    }

    /// Whether the next line may have to be waited for, so that output should be flushed now.
    pub(super) fn may_wait(&self) -> bool {
        self.input.buffer().is_empty()
    }
}

/// The exit code of a subcommand that writes text to [`StandardOutput`](crate::io::drive::stdout::StandardOutput). A
/// closed pipe is no failure.
pub(super) fn finish(result: io::Result<ExitCode>) -> ExitCode {
    match result.map_err(|e| (loss(&e), e)) {
        Ok(code) => code,
        Err((Some(Ok(())), _)) => ExitCode::SUCCESS,
        Err((Some(Err(failure)), _)) => output_lost(&failure),
        Err((None, e)) => {
            complain(&cause::of_io(&e));
            ExitCode::FAILURE
        }
    }
}

/// Prints the result of a subcommand, or its failure.
pub(super) fn print(text: Result<String, Failure>) -> ExitCode {
    match text {
        Ok(text) => {
            let mut out = BufWriter::new(StandardOutput);
            finish(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map(|()| ExitCode::SUCCESS))
        }
        Err(failure) => {
            let _ = fail(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Reports that standard output could not be written; returns the exit code.
pub(super) fn output_lost(failure: &Failure) -> ExitCode {
    complain(&failure.to_string());
    ExitCode::from(failure.code.exit())
}

/// Prints a message on standard error, if that is open.
pub(super) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "potluck: {message}");
}

/// Adds a path to an error.
pub(super) fn named(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |e| {
        io::Error::new(
            e.kind(),
            format!("{}: {}", crate::ui::escape::escape(&path.to_string_lossy()), cause::of_io(&e)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends() {
        let mut recording = Recording::new("\u{feff}a\r\n\nb\r\r\n\u{feff}c".as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = recording.next_line().unwrap() {
            lines.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(lines, ["a", "", "b\r", "\u{feff}c"]);
        assert_eq!(recording.number, 4);
    }

    #[test]
    fn what_cannot_be_read_is_a_failure() {
        let code = |kind: io::ErrorKind| format!("{:?}", finish(Err(kind.into())));
        assert_eq!(code(io::ErrorKind::NotFound), format!("{:?}", ExitCode::FAILURE));
    }
}
