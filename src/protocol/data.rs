//! The words between peers that exchange content (ALPN `potluck-data/1`).
//!
//! The receiver connects and writes [`DataRequest`]s, one JSON line each; it may write the next
//! before the last is answered. The source answers in the same order:
//!
//! - `manifest`: one [`DataAnswer::Manifest`] line, then its `chunks` × 32 raw bytes;
//! - `ranges`: the bytes of the ranges in order, as segments: a [`DataAnswer::Bytes`] line, then
//!   that many raw bytes. A segment is at most [`MAX_SEGMENT`] long and stays within its range, so
//!   that a failure can be told between any two of them;
//! - `files`: each file in order, whole: a [`DataAnswer::Whole`] line, then that many raw bytes. A
//!   file that cannot be had is a [`DataAnswer::Error`] line instead, and the next one follows;
//! - `wait` and `done`: nothing.
//!
//! Elsewhere a [`DataAnswer::Error`] line takes the place of the rest of an answer. The connection
//! stays usable, unless the source closes it because the request itself was wrong or not allowed.
//!
//! A file of at most one chunk needs no manifest: its only entry is the content's own hash.
//!
//! `io::transfer` speaks both sides of it. What may be asked, and whether an answer is right, is decided there and in
//! [`core::fetch`](crate::core).

use serde::{Deserialize, Serialize};

use super::{ContentHash, ErrorCode, Failure};

/// The longest line in either direction, in bytes, without its line feed.
pub const MAX_LINE: usize = 64 << 10;
/// The most raw bytes that follow one [`DataAnswer::Bytes`] line.
pub const MAX_SEGMENT: usize = 256 << 10;
/// The largest file that is sent whole, in bytes. Both sides hold one in memory for a moment.
pub const MAX_WHOLE: u64 = 1 << 20;
/// The length of a transfer's token in hex digits.
pub const TOKEN_DIGITS: usize = 16;

/// A request from the receiver to the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataRequest {
    /// Asks for the hash of each chunk of a content.
    Manifest {
        /// The token of this transfer, which the receiver chose: 16 lower-case hex digits, the same on all its
        /// connections.
        transfer: String,
        /// The hash of the content.
        hash: ContentHash,
        /// A name under which the source offers the content. It may have other names there, too.
        file: String,
    },
    /// Asks for byte ranges of a content.
    Ranges {
        /// The token of the transfer.
        transfer: String,
        /// The hash of the content.
        hash: ContentHash,
        /// A name under which the source offers the content.
        file: String,
        /// The ranges in bytes, each `[start, end]` with `end` exclusive. No range is empty.
        ranges: Vec<[u64; 2]>,
    },
    /// Asks for many whole files, each of at most [`MAX_WHOLE`] bytes.
    Files {
        /// The token of the transfer.
        transfer: String,
        /// The folder that they belong to, with a slash at its end. The source shows it to its user.
        folder: String,
        /// The hash of the folder.
        hash: ContentHash,
        /// The total size, in bytes, of all files that the receiver fetches whole, from this source and from others.
        size: u64,
        /// Each file's content hash, and the name under which the source offers it.
        files: Vec<(ContentHash, String)>,
    },
    /// Keeps the connection open while the receiver decides what to ask for next.
    Wait {
        /// The token of the transfer.
        transfer: String,
    },
    /// Says that the receiver has every byte and has verified it.
    Done {
        /// The token of the transfer.
        transfer: String,
    },
}

impl DataRequest {
    /// The token of the transfer, which every request carries.
    pub fn transfer(&self) -> &str {
        match self {
            Self::Manifest { transfer, .. }
            | Self::Ranges { transfer, .. }
            | Self::Files { transfer, .. }
            | Self::Wait { transfer }
            | Self::Done { transfer } => transfer,
        }
    }
}

/// A line of the source's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataAnswer {
    /// `chunks` × 32 raw bytes follow.
    Manifest {
        /// The size of the content in bytes.
        size: u64,
        /// The size in bytes of every chunk but the last.
        chunk_size: u64,
        /// The number of chunks.
        chunks: u64,
    },
    /// `length` raw bytes follow, at most [`MAX_SEGMENT`].
    Bytes {
        /// The number of raw bytes.
        length: u64,
    },
    /// A whole file of `length` raw bytes follows, at most [`MAX_WHOLE`].
    Whole {
        /// The number of raw bytes.
        length: u64,
    },
    /// Ends the answer with a failure. In the answer to `files` it stands for one file; the next one follows.
    Error {
        /// The error code, from the table in `protocol/error.rs`.
        code: String,
        /// What went wrong, for people.
        message: String,
    },
}

/// Whether `text` has the form of a transfer token.
pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks that `text` has the form of a transfer token.
///
/// # Errors
/// `bad-request` if it has not.
pub fn check_token(text: &str) -> Result<(), Failure> {
    if is_token(text) {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::BadRequest, "The transfer's token is not 16 hex digits."))
}

/// The number of bytes that a file adds to the line of a `files` request.
pub fn file_in_line(name: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    64 + r#"["",""],"#.len() + name.bytes().map(escaped).sum::<usize>()
}

/// Serializes a request or an answer as one line of JSON, with its line feed.
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
    fn files_take_no_more_of_a_line_than_is_counted() {
        let hash = ContentHash([7; 32]);
        let of = |files: &[&str]| {
            let (transfer, folder) = ("0123456789abcdef".into(), "a/".into());
            let files = files.iter().map(|name| (hash, (*name).to_owned())).collect();
            to_line(&DataRequest::Files { transfer, folder, hash, size: 5, files })
        };
        let expected = format!(
            r#"{{"request":"files","transfer":"0123456789abcdef","folder":"a/","hash":"{hash}","size":5,"files":[["{hash}","a/b"],["{hash}","c"]]}}"#
        );
        assert_eq!(String::from_utf8(of(&["a/b", "c"])).unwrap().trim_end(), expected);
        for name in ["", "a", "é", "a\"b\\c", "\u{1}\n\t\u{7f}"] {
            assert_eq!(serde_json::from_slice::<DataRequest>(&of(&[name])).unwrap().transfer(), "0123456789abcdef");
            let added = of(&["x", name]).len() - of(&["x"]).len();
            assert!((added..added + 9).contains(&file_in_line(name)), "{name:?}");
        }
    }

    #[test]
    fn tokens() {
        assert!(is_token("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdefg", "0123456789abcdeé"] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
