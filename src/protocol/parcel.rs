//! What a sender and a receiver seal for each other once a code has brought them together. The hub carries it and cannot
//! read it.
//!
//! The sender says [`FromSender`], the receiver [`FromReceiver`]: JSON, sealed by the channel of
//! [`core::exchange`](crate::core). What the receiver then fetches goes straight between the two, as all files do, and
//! is verified against the hashes that were sealed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::MAX_PART;
use super::wire::Octets;
use super::{Code, Content, ContentHash, PublicKey, Timestamp};

/// What a parcel with a text is called.
pub const TEXT_NAME: &str = "text";

/// What the name of a stream begins with. Its hash follows, so that two do not have the same.
const STREAM: &str = "stream-";
/// How many digits of the hash.
const STREAM_DIGITS: usize = 8;

/// The name of a stream, which has none of its own.
pub fn stream_name(hash: &ContentHash) -> String {
    let hash = hash.to_string();
    format!("{STREAM}{}", hash.get(..STREAM_DIGITS).unwrap_or(&hash))
}

/// What a parcel with these files is called: by its file; by its folder, with `/`; or by the first and how many more.
/// Sender and receiver both come to it, so a parcel cannot be called otherwise than what is written.
pub fn name_of<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    let (mut tops, mut folder) = (Vec::new(), false);
    for file in files {
        let (top, is_folder) = file.split_once('/').map_or((file, false), |(top, _)| (top, true));
        if tops.last() != Some(&top) {
            tops.push(top);
        }
        folder |= is_folder;
    }
    let Some(first) = tops.first().copied() else { return String::new() };
    let all: BTreeSet<&str> = tops.into_iter().collect();
    match (all.len(), folder) {
        (1, false) => first.to_owned(),
        (1, true) => format!("{first}/"),
        (several, _) => name_several(first, several - 1),
    }
}

/// It is no longer than a folder's name may be, as which it is fetched.
fn name_several(first: &str, more: usize) -> String {
    let whole = format!("{first} and {more} more");
    if whole.len() <= MAX_PART {
        return whole;
    }
    let rest = format!("… and {more} more");
    format!("{}{rest}", &first[..first.floor_char_boundary(MAX_PART - rest.len())])
}

/// What a parcel is to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParcelKind {
    /// Files and folders, under their names.
    Files,
    /// What came from the sender's standard input: one file without a name of its own.
    Stream,
    /// A text, to be shown.
    Text,
}

/// What the sender says: one line after the receiver has proved that it knows the code, and after each return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromSender {
    /// The parcel.
    pub parcel: Parcel,
}

/// A parcel as its receiver is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parcel {
    /// What it is.
    pub kind: ParcelKind,
    /// Its name, which follows from its files ([`name_of`]); of a text, [`TEXT_NAME`].
    pub name: String,
    /// How many files are in it.
    pub files: u64,
    /// The size of all of them, in bytes.
    pub size: u64,
    /// The files.
    pub content: ParcelContent,
    /// The addresses of the sender in its own network, at most
    /// [`MEETING_PLACES`](super::limits::MEETING_PLACES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The TCP port on which the sender serves files.
    pub port: u16,
}

/// The files of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParcelContent {
    /// A text, at most [`PARCEL_TEXT`](super::limits::PARCEL_TEXT) bytes.
    Text(String),
    /// The files, at most [`PARCEL_INLINE`](super::limits::PARCEL_INLINE): each under the name that it gets at the
    /// receiver, relative, with `/` between parts.
    Files(Vec<Content>),
    /// The files are listed in this content, which is fetched first: a [`Listing`] as JSON, at most
    /// [`PARCEL_LISTING`](super::limits::PARCEL_LISTING) bytes.
    Listed(Content),
}

/// The files of a parcel that has many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The files, at most [`PARCEL_FILES`](super::limits::PARCEL_FILES).
    pub files: Vec<Content>,
}

/// What a receiver keeps on its disk from the moment when the code was right until it has everything: with it, it may
/// come back without another exchange, over a kill of its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The code. It is good for nobody else any more.
    pub code: Code,
    /// The key of the sender.
    pub sender: PublicKey,
    /// The parcel.
    pub parcel: Parcel,
    /// With what both come to a new channel when the receiver returns: as secret as the code was.
    pub resumption: Octets,
}

/// What a sender keeps on its disk of a code that it has told: with it, the same parcel goes on under the same code over a
/// kill of its process. It is written before anybody is told or answered what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentCode {
    /// The code.
    pub code: Code,
    /// How many may have the parcel.
    pub times: u64,
    /// How many have typed the code right.
    pub right: u64,
    /// Whether somebody was answered who has not confirmed: if the process ends now, that was a guess.
    pub answered: bool,
    /// Until when the code is good, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Those who were right.
    pub admitted: Vec<SentTo>,
}

/// Somebody who has typed a code right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentTo {
    /// Their key.
    pub key: PublicKey,
    /// Which of those who may have it, from 1.
    pub receiver: u64,
    /// With what both come to a new channel when they return: as secret as the code was.
    pub resumption: Octets,
    /// Whether they have everything.
    pub has_all: bool,
}

/// What the receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromReceiver {
    /// It has everything, on disk; of a text: it was shown.
    Received,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_of_several_has_a_name_that_can_be_fetched() {
        assert_eq!(name_of(["a", "b/c", "d"]), "a and 2 more");
        for long in ["x".repeat(255), "é".repeat(127)] {
            let name = name_of([long.as_str(), "y", "z"]);
            assert!(name.ends_with("… and 2 more") && name.len() <= MAX_PART && name.len() > 250, "{name}");
        }
    }
}
