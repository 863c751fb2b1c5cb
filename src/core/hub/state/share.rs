//! How much of what all have one may take.

/// What one of many may take: a part of what the others leave. So nobody takes all alone, and whoever comes next finds
/// something.
pub(super) fn share(most: u64, by_others: u64, part: u64) -> u64 {
    most.saturating_sub(by_others) / part
}
