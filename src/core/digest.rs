//! Hashes of collections that are updated a little at a time.
//!
//! The parts of the hub's state have one each, so that state after a replay, after loading and in memory can be
//! compared at any position of the log; the store keeps one of all messages.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The hash of a collection, independent of the order in which its parts were added and removed: the sum of a hash of
/// each part (AdHash, Bellare and Micciancio 1997). Adding or removing a part costs one hash, whatever the size of the
/// collection.
///
/// It shows whether two machines have the same state. It does not withstand somebody who searches for collisions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Adds a part.
    pub fn add(&mut self, part: &impl Serialize) {
        self.0 = self.0.wrapping_add(hash(part));
    }

    /// Removes a part, which must have been added.
    pub fn remove(&mut self, part: &impl Serialize) {
        self.0 = self.0.wrapping_sub(hash(part));
    }

    /// Adds a part that consists of these fields. It is cheaper than [`Digest::add`], for collections with very many
    /// parts.
    pub fn add_fields(&mut self, fields: &[&[u8]]) {
        self.0 = self.0.wrapping_add(hash_fields(fields));
    }

    /// Removes a part that was added with [`Digest::add_fields`].
    pub fn remove_fields(&mut self, fields: &[&[u8]]) {
        self.0 = self.0.wrapping_sub(hash_fields(fields));
    }

    /// The digest from its stored bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The bytes to store.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// The digest of several collections, which depends on their order.
pub fn combined(parts: &[Digest]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.to_bytes());
    }
    Digest(first_half(&hasher.finalize()))
}

fn hash(part: &impl Serialize) -> u128 {
    // Written first and hashed as one: JSON comes in many small pieces, and each would cost the hasher more than its bytes.
    // Every part has a JSON form, so writing it does not fail.
    let bytes = serde_json::to_vec(part).unwrap_or_default();
    first_half(&blake3::hash(&bytes))
}

fn hash_fields(fields: &[&[u8]]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    first_half(&hasher.finalize())
}

fn first_half(hash: &blake3::Hash) -> u128 {
    let mut half = [0; 16];
    half.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(half)
}

impl FromStr for Digest {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(digits, 16).map(Self)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_coming_and_going_does_not_count() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        ["a", "b", "c"].iter().for_each(|part| one.add(part));
        ["x", "c", "a", "b"].iter().for_each(|part| other.add(part));
        assert_ne!(one, other);
        other.remove(&"x");
        assert_eq!(one, other);
        assert_ne!(combined(&[one, Digest::default()]), combined(&[Digest::default(), one]));
        assert_eq!(Digest::from_bytes(one.to_bytes()), one);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
