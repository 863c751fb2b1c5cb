//! Pieces of sentences that many phrases share.

use std::borrow::Cow;

use super::escape::escape;
use crate::protocol::Presence;

/// Lines or names of one kind that are shown; the rest is counted.
pub(super) const SHOWN: usize = 10;

/// Whether somebody is there, in a word.
pub(super) fn presence(state: Presence) -> &'static str {
    match state {
        Presence::Online => "online",
        Presence::Away => "away",
        Presence::Offline => "offline",
    }
}

/// An address and a port as they are written together; IPv6 has its brackets.
pub(super) fn address_and_port(address: &str, port: u16) -> String {
    let address = escape(address);
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Names in a sentence, escaped.
pub(super) fn named(names: &[String]) -> String {
    listed(names.iter().map(|name| escape(name)).map(Cow::into_owned), names.len())
}

/// The first few of a list in a sentence, and how many more there are.
pub(super) fn listed(items: impl Iterator<Item = String>, all: usize) -> String {
    let shown: Vec<_> = items.take(SHOWN).collect();
    match all.saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
