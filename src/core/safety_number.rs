//! The safety number of two keys: digits that two people read to each other, to learn that nobody is between them.
//!
//! The shape is that of Signal's safety numbers (`NumericFingerprintGenerator` of `libsignal`, version 0, described at
//! <https://signal.org/blog/safety-number-updates/>): each key gives 30 digits, from SHA-512 that is iterated 5,200
//! times; the smaller 30 come first; 60 digits are shown in 12 groups of five. So both ends show the same, whoever asks
//! and whichever hub they are at, because only the keys go into it.
//!
//! Whoever wants to be taken for another needs a key with the same 30 digits: about 2^99 keys, each of which costs 5,200
//! hashes.

use aws_lc_rs::digest::{SHA512, digest};

use crate::protocol::PublicKey;

/// How often the hash of a key is hashed again.
const ITERATIONS: usize = 5_200;

/// What is hashed first: whose numbers these are, and the version of this construction.
const VERSION: &[u8] = b"potluck safety number\0";

/// The digits of a safety number.
const DIGITS: usize = 60;

/// The digits of a group.
const GROUP: usize = 5;

/// The safety number of two keys, whichever is first: 12 groups of five digits with a space between them.
pub fn safety_number(one: &PublicKey, other: &PublicKey) -> String {
    let mut halves = [fingerprint(one), fingerprint(other)];
    halves.sort_unstable();
    halves.as_flattened().join(" ")
}

/// The six groups of one key.
fn fingerprint(key: &PublicKey) -> [String; DIGITS / GROUP / 2] {
    let first = [VERSION, &key.0, &key.0].concat();
    let hash = (1..ITERATIONS).fold(digest(&SHA512, &first), |hash, _| {
        let again = [hash.as_ref(), &key.0].concat();
        digest(&SHA512, &again)
    });
    let mut bytes = hash.as_ref().iter();
    std::array::from_fn(|_| {
        let number = bytes.by_ref().take(GROUP).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    })
}

/// A safety number as somebody has typed it: digits, with spaces, hyphens or line feeds wherever they like. `None` if it
/// is none.
pub fn read_safety_number(typed: &str) -> Option<String> {
    let digits: Vec<char> = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if digits.len() != DIGITS || digits.iter().any(|digit| !digit.is_ascii_digit()) {
        return None;
    }
    let groups: Vec<String> = digits.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Some(groups.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERIN: PublicKey = PublicKey([1; 32]);
    const DORA: PublicKey = PublicKey([2; 32]);

    #[test]
    fn it_is_the_same_at_both_ends_and_another_for_each_pair() {
        let number = safety_number(&ERIN, &DORA);
        assert_eq!(number, safety_number(&DORA, &ERIN));
        assert_ne!(number, safety_number(&DORA, &PublicKey([3; 32])));
        // It must never change: people have it on paper, and compare it with another version of the program.
        assert_eq!(number, "00210 26278 25441 36132 22625 50678 88659 21869 40936 09678 76045 47344");
    }

    #[test]
    fn what_is_typed_is_read_and_what_is_no_number_is_not() {
        let number = safety_number(&ERIN, &DORA);
        assert_eq!(read_safety_number(&number), Some(number.clone()));
        assert_eq!(read_safety_number(&number.replace(' ', "")), Some(number.clone()));
        assert_eq!(read_safety_number(&format!(" {}\n", number.replace(' ', "-"))), Some(number.clone()));
        for wrong in ["", "1", &number[1..], &format!("{number}1"), &number.replace('1', "x"), &"١".repeat(60)] {
            assert_eq!(read_safety_number(wrong), None, "{wrong}");
        }
    }
}
