//! Reads lines from an untrusted stream in bounded memory.

use std::io::{self, Read};

pub use crate::protocol::limits::MAX_LINE;

const BLOCK: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The line was longer than [`MAX_LINE`] and was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// One line of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLine {
    /// The number of the line in the stream, from 1.
    pub number: u64,
    /// The bytes without the line end (`
    /// ` or `\r
    /// `). They need not be UTF-8.
    pub content: Result<Vec<u8>, TooLong>,
}

/// The lines of a stream. A byte order mark at the very start is dropped, and a last line without a line end counts. It
/// holds at most one line and one block.
pub struct Lines<R> {
    source: R,
    block: Box<[u8]>,
    /// The part of `block` that was read and not yet used.
    unused: std::ops::Range<usize>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of `source`, which needs no buffer.
    pub fn new(source: R) -> Self {
        Self { source, block: vec![0; BLOCK].into(), unused: 0..0, number: 0 }
    }

    /// The next line; `None` at the end of the input. Blocks until there is one.
    ///
    /// # Errors
    /// If reading fails; then an incomplete line is lost.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine>> {
        let mut line = Vec::new();
        let mut skipping = false;
        let mut begun = false;
        loop {
            if self.unused.is_empty() && !self.fill()? {
                break;
            }
            begun = true;
            let unused = &self.block[self.unused.clone()];
            let end = unused.iter().position(|b| *b == b'\n');
            let piece = &unused[..end.unwrap_or(unused.len())];
            // A byte order mark and a carriage return do not count.
            if line.len() + piece.len() > MAX_LINE + BYTE_ORDER_MARK.len() + 1 {
                (line, skipping) = (Vec::new(), true);
            } else if !skipping {
                line.extend_from_slice(piece);
            }
            self.unused.start += piece.len() + usize::from(end.is_some());
            if end.is_some() {
                break;
            }
        }
        Ok(begun.then(|| self.finish(line, skipping)))
    }

    fn finish(&mut self, mut line: Vec<u8>, skipped: bool) -> RawLine {
        self.number += 1;
        if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let content = if skipped || line.len() > MAX_LINE { Err(TooLong) } else { Ok(line) };
        RawLine { number: self.number, content }
    }

    /// Reads the next block; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.source.read(&mut self.block) {
                Ok(read) => {
                    self.unused = 0..read;
                    return Ok(read > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<RawLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns at most so many bytes with each read.
    struct Sips<'a>(&'a [u8], usize);

    impl Read for Sips<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buf.len());
            self.0.read(&mut buf[..most])
        }
    }

    fn lines(input: &[u8]) -> Vec<Result<String, TooLong>> {
        let read = |sip| -> Vec<RawLine> { Lines::new(Sips(input, sip)).map(Result::unwrap).collect() };
        let whole = read(usize::MAX);
        assert_eq!(read(if input.len() > 1 << 16 { 4093 } else { 1 }), whole);
        assert!(whole.iter().map(|line| line.number).eq(1..=whole.len() as u64));
        whole.into_iter().map(|line| line.content.map(|bytes| String::from_utf8(bytes).unwrap())).collect()
    }

    #[test]
    fn ends_of_lines_and_of_the_input() {
        let texts = |input: &str| lines(input.as_bytes()).into_iter().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts("\n"), [""]);
        assert_eq!(texts("a\nb"), ["a", "b"]);
        assert_eq!(texts("a\r\n\r\nb\r"), ["a", "", "b"]);
        assert_eq!(texts("a\r\r\nb\rc\n"), ["a\r", "b\rc"]);
        assert_eq!(texts("\u{feff}a\n\u{feff}b"), ["a", "\u{feff}b"]);
        assert_eq!(texts("\u{feff}"), [""]);
    }

    #[test]
    fn a_line_that_is_too_long_is_said_once_and_the_next_is_read() {
        let most = "x".repeat(MAX_LINE);
        for ending in ["\n", "\r\n"] {
            let input = format!("\u{feff}{most}{ending}{most}y{ending}next{ending}");
            assert_eq!(lines(input.as_bytes()), [Ok(most.clone()), Err(TooLong), Ok("next".into())]);
        }
        let double = "x".repeat(2 * MAX_LINE);
        assert_eq!(lines(format!("{double}\na\n").as_bytes()), [Err(TooLong), Ok("a".into())]);
        assert_eq!(lines(format!("a\n{double}").as_bytes()), [Ok("a".into()), Err(TooLong)]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let endless = io::repeat(b'x').take(256 << 20).chain(&b"\nafter"[..]);
        let mut lines = Lines::new(endless);
        assert_eq!(lines.next_line().unwrap().unwrap().content, Err(TooLong));
        assert_eq!(lines.next_line().unwrap().unwrap(), RawLine { number: 2, content: Ok(b"after".into()) });
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn failing_input_is_an_error_and_not_an_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        assert!(Lines::new(Broken).next_line().is_err());
    }
}
