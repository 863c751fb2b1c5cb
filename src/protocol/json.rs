//! How our lines of JSON are written: one line for every reader, and nothing in it that steers a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::unicode::Unseen;

/// Writes anything of ours as one line of JSON, without the line feed. Characters that JSON lets pass, but
/// that end lines for some readers (U+2028, U+0085) or steer or deceive a terminal (U+009B, U+202E), are
/// escaped: for a parser the text is the same.
pub fn to_json<T: Serialize>(value: &T) -> String {
    let mut out = Vec::with_capacity(128);
    append_json(value, &mut out);
    String::from_utf8(out).expect("JSON is written as UTF-8")
}

/// The same behind what is there.
pub fn append_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let written = value.serialize(&mut Serializer::with_formatter(out, Harmless));
    written.expect("our types have text keys and no failing parts");
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly every text; what is below a space never comes here, JSON itself escapes it.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| Unseen::of(*c).is_some()) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_deceives_is_escaped_and_reads_back() {
        let text = "a\u{1b}b\u{9b}c\u{202e}d\u{2028}e\u{7f}f\u{e0041}gé\u{1f600}\"\\";
        let json = to_json(&text);
        assert_eq!(json, "\"a\\u001bb\\u009bc\\u202ed\\u2028e\\u007ff\\udb40\\udc41gé\u{1f600}\\\"\\\\\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(to_json(&std::collections::BTreeMap::from([("\u{202e}", 1)])), "{\"\\u202e\":1}");
    }
}
