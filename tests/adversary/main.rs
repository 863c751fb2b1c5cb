//! Adversaries: each machine of `core` is given random, well-formed input in any order, and must neither panic nor
//! lose, repeat or keep what it must not.
//!
//! Every run follows from its seed. `POTLUCK_RUNS=1000000 cargo test --test adversary hub` plays for hours,
//! `POTLUCK_SEED=<seed>` one run again.

mod given;
mod hub;
mod outside;
mod parts;
mod peers;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};

/// A number from the environment.
fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Plays so many runs, or as many as `POTLUCK_RUNS` says, on all cores; only the one that `POTLUCK_SEED` names, if it
/// does. A run that fails prints its seed.
fn each_seed(test: &str, runs: u64, play: impl Fn(u64) + Sync + std::panic::RefUnwindSafe) {
    if let Some(seed) = from_env("POTLUCK_SEED") {
        return play(seed);
    }
    let (next, last) = (AtomicU64::new(1), from_env("POTLUCK_RUNS").unwrap_or(runs));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last {
                        return;
                    }
                    if let Err(panic) = std::panic::catch_unwind(|| play(seed)) {
                        eprintln!(
                            "seed {seed} failed; again with: POTLUCK_SEED={seed} cargo test --test adversary {test}"
                        );
                        next.store(last, Ordering::Relaxed);
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}
