//! Reads a secret from the first line of a file or of standard input.

use std::io::{self, BufRead};

use crate::protocol::limits::PASSWORD_BYTES;

/// Reads the first line, without its end; `None` if there is nothing at all. It reads at most the longest password, two
/// bytes for the line's end, and one more to notice that the line is too long.
///
/// # Errors
/// If reading fails.
pub(super) fn first_line(source: impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if source.take(PASSWORD_BYTES as u64 + 3).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    #[test]
    fn a_password_is_the_first_line_and_the_rest_stays() {
        for (input, password, rest) in [
            ("secret\nlist\n", Some("secret"), "list\n"),
            ("se cret \r\nlist", Some("se cret "), "list"),
            ("secret", Some("secret"), ""),
            ("\nlist", Some(""), "list"),
            ("", None, ""),
        ] {
            let mut source = BufReader::new(input.as_bytes());
            assert_eq!(first_line(&mut source).unwrap().as_deref(), password.map(str::as_bytes));
            let mut after = String::new();
            source.read_to_string(&mut after).unwrap();
            assert_eq!(after, rest);
        }
        let length = |text: &str| first_line(text.as_bytes()).unwrap().unwrap().len();
        assert_eq!(length(&"x".repeat(PASSWORD_BYTES)), PASSWORD_BYTES);
        assert!(length(&"x".repeat(1 << 20)) > PASSWORD_BYTES);
    }
}
