//! Secret random bytes for the machines: keys, invites, the words of codes.
//!
//! The driver draws one seed from the operating system when it starts. What is made of it is as secret as the seed, and
//! the same in each run of a test.

use rand_core::{CryptoRng, Error, RngCore};

/// A generator of secret bytes: BLAKE3 in extendable-output mode. The seed is replaced at each call, so that whoever
/// reads the memory later does not learn what was given out before.
#[derive(Clone)]
pub struct Secrets([u8; 32]);

impl Secrets {
    /// A generator from a seed, which nobody else may know.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill_bytes(&mut bytes);
        bytes
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl RngCore for Secrets {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let mut output = blake3::Hasher::new_derive_key("potluck 2026 secret bytes").update(&self.0).finalize_xof();
        output.fill(&mut self.0);
        output.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Secrets {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_never_the_same_twice() {
        let (mut one, mut other) = (Secrets::new([1; 32]), Secrets::new([1; 32]));
        let drawn: Vec<[u8; 32]> = (0..100).map(|_| one.bytes()).collect();
        assert!(drawn.iter().all(|bytes| *bytes == other.bytes::<32>()));
        assert_eq!(drawn.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
        assert_ne!(Secrets::new([2; 32]).bytes::<32>(), drawn[0]);
        assert_eq!(format!("{one:?}"), "Secrets");
    }
}
