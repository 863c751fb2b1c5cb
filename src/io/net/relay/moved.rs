//! How much a pair has moved.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that a pair has moved, both directions together.
#[derive(Debug, Default)]
pub struct Moved(AtomicU64);

impl Moved {
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
