//! Shares of a common bound.

/// What one of many may take of `most`: the given part of what the others leave. So nobody can take everything, and
/// there is always something left for a newcomer.
pub(super) fn share(most: u64, by_others: u64, part: u64) -> u64 {
    most.saturating_sub(by_others) / part
}
