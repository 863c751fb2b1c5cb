//! Writes JSON lines that every reader reads as one line, and that cannot control a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::unicode::Unseen;

/// Serializes `value` as one line of JSON, without the line feed. JSON allows some characters that end a line for some
/// readers (U+2028, U+0085), or that control a terminal or reorder its text (U+009B, U+202E). They are escaped here; a
/// parser sees the same text.
pub fn to_json<T: Serialize>(value: &T) -> String {
    let mut out = Vec::with_capacity(128);
    append_json(value, &mut out);
    String::from_utf8(out).expect("JSON is written as UTF-8")
}

/// Appends what [`to_json`] would return to `out`.
pub fn append_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let written = value.serialize(&mut Serializer::with_formatter(out, Harmless));
    written.expect("our types have text keys and no failing parts");
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // The fast path for nearly every text. JSON itself has escaped everything below a space.
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
