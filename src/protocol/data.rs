//! The words between peers that exchange content (ALPN `potluck-data/1`).
//!
//! The receiver connects and writes [`DataRequest`]s, one JSON line each; it may write the next
//! before the last is answered. The source answers in the same order:
//!
//! - `manifest`: one [`DataAnswer::Manifest`] line, then its `chunks` × 32 raw bytes;
//! - `ranges`: the bytes of the ranges in order, as segments: a [`DataAnswer::Bytes`] line, then
//!   that many raw bytes. A segment is at most [`MAX_SEGMENT`] long and stays within its range, so
//!   that a failure can be told between any two of them;
//! - `wait` and `done`: nothing.
//!
//! A [`DataAnswer::Error`] line takes the place of the rest of an answer; the connection stays
//! usable, unless the source closes it because the request itself was wrong or not allowed.
//!
//! A file of at most one chunk needs no manifest: its only entry is the content's own hash.

use serde::{Deserialize, Serialize};

use super::ContentHash;

/// The longest line in either direction, in bytes, without its line feed.
pub const MAX_LINE: usize = 64 << 10;
/// The most raw bytes that follow one [`DataAnswer::Bytes`] line.
pub const MAX_SEGMENT: usize = 256 << 10;
/// The length of a transfer's token in hex digits.
pub const TOKEN_DIGITS: usize = 16;

/// What the receiver asks of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataRequest {
    /// The chunk hashes of a content.
    Manifest {
        /// The receiver's own token for this transfer: 16 lower-case hex digits, the same on all
        /// its connections.
        transfer: String,
        /// The content.
        hash: ContentHash,
        /// The name under which the source offers it; another name of the same content will do.
        file: String,
    },
    /// Some of a content's bytes.
    Ranges {
        /// The transfer's token.
        transfer: String,
        /// The content.
        hash: ContentHash,
        /// The name under which the source offers it.
        file: String,
        /// The start and the end (exclusive) of each range, in bytes. None is empty.
        ranges: Vec<[u64; 2]>,
    },
    /// The receiver is busy with what it has, and may ask for more: keep the connection.
    Wait {
        /// The transfer's token.
        transfer: String,
    },
    /// The receiver has every byte, verified.
    Done {
        /// The transfer's token.
        transfer: String,
    },
}

impl DataRequest {
    /// The transfer's token, whatever is asked.
    pub fn transfer(&self) -> &str {
        match self {
            Self::Manifest { transfer, .. }
            | Self::Ranges { transfer, .. }
            | Self::Wait { transfer }
            | Self::Done { transfer } => transfer,
        }
    }
}

/// A line with which the source answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataAnswer {
    /// `chunks` × 32 raw bytes follow.
    Manifest {
        /// The content's size in bytes.
        size: u64,
        /// The size of every chunk but the last, in bytes.
        chunk_size: u64,
        /// How many chunks there are.
        chunks: u64,
    },
    /// `length` raw bytes follow, at most [`MAX_SEGMENT`].
    Bytes {
        /// How many.
        length: u64,
    },
    /// The rest of the answer will not come.
    Error {
        /// The code, one of the table in `protocol/error.rs`.
        code: String,
        /// What went wrong, for people.
        message: String,
    },
}

/// Whether a text can be a transfer's token.
pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A request or an answer as it stands on the wire, with its line feed.
pub fn to_line(word: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(word).expect("the words are plain structs with string keys");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_nothing_else_is_read() {
        let hash = ContentHash([7; 32]);
        let ask = DataRequest::Ranges {
            transfer: "0123456789abcdef".into(),
            hash,
            file: "a b.txt".into(),
            ranges: vec![[0, 5], [9, 10]],
        };
        let line = String::from_utf8(to_line(&ask)).unwrap();
        let expected = format!(
            r#"{{"request":"ranges","transfer":"0123456789abcdef","hash":"{hash}","file":"a b.txt","ranges":[[0,5],[9,10]]}}"#
        );
        assert_eq!(line.trim_end(), expected);
        assert_eq!(serde_json::from_str::<DataRequest>(&line).unwrap(), ask);
        for wrong in [
            r#"{"request":"done","transfer":"x","more":1}"#,
            r#"{"request":"done","transfer":"x","transfer":"y"}"#,
            r#"{"request":"done","request":"done","transfer":"x"}"#,
            r#"{"request":"else","transfer":"x"}"#,
            r#"{"request":"ranges","transfer":"x","hash":"00","file":"","ranges":[[0,5]]}"#,
            r#"["done"]"#,
        ] {
            assert!(serde_json::from_str::<DataRequest>(wrong).is_err(), "{wrong}");
        }
        let negative = format!(r#"{{"request":"ranges","transfer":"x","hash":"{hash}","file":"","ranges":[[-1,5]]}}"#);
        assert!(serde_json::from_str::<DataRequest>(&negative).is_err());
        assert!(serde_json::from_str::<DataAnswer>(r#"{"answer":"bytes","length":-1}"#).is_err());
        assert!(serde_json::from_str::<DataAnswer>(r#"{"answer":"bytes","length":1,"x":0}"#).is_err());
    }

    #[test]
    fn tokens() {
        assert!(is_token("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdefg", "0123456789abcdeé"] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
