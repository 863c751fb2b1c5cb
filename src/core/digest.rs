//! Hashes of collections that change a little at a time.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The hash of a collection, whatever the order in which its parts came and went: the sum of a hash for each part
/// (AdHash, Bellare and Micciancio 1997). Adding or removing a part costs one hash, however large the collection is.
///
/// It finds machines that have drifted apart. It is not made to withstand somebody who looks for collisions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// A part has come.
    pub fn add(&mut self, part: &impl Serialize) {
        self.0 = self.0.wrapping_add(hash(part));
    }

    /// A part that was there has gone.
    pub fn remove(&mut self, part: &impl Serialize) {
        self.0 = self.0.wrapping_sub(hash(part));
    }

    /// The same for a part of these fields: cheaper, where there are very many parts.
    pub fn add_fields(&mut self, fields: &[&[u8]]) {
        self.0 = self.0.wrapping_add(hash_fields(fields));
    }

    /// The same for a part that was there.
    pub fn remove_fields(&mut self, fields: &[&[u8]]) {
        self.0 = self.0.wrapping_sub(hash_fields(fields));
    }

    /// The digest that was written as these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The form to store it in.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// The digest of several collections, in this order.
pub fn combined(parts: &[Digest]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.to_bytes());
    }
    Digest(first_half(&hasher.finalize()))
}

fn hash(part: &impl Serialize) -> u128 {
    let mut hasher = blake3::Hasher::new();
    // Writing into a hasher does not fail, and our parts have a JSON form.
    let _ = serde_json::to_writer(&mut hasher, part);
    first_half(&hasher.finalize())
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
