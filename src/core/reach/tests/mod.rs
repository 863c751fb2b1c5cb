//! Tests of reaching.
