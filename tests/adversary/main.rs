//! Adversaries: each machine of `core` is given random, well-formed input in any order, and must neither panic nor
//! lose, repeat or keep what it must not.
//!
//! Every run follows from its seed. `POTLUCK_RUNS=1000000 cargo test --test adversary hub` plays for hours,
//! `POTLUCK_SEED=<seed>` one run again.

#[path = "../support/seeds.rs"]
mod seeds;

mod codes;
mod far;
mod given;
mod handovers;
mod hub;
mod meetings;
mod nearby;
mod outside;
mod parts;
mod peers;
mod words;

#[test]
fn the_smallest_seed_that_fails_is_named() {
    if !seeds::all_are_played() {
        return;
    }
    let failure = std::panic::catch_unwind(|| seeds::play_seeds(100, |seed| assert!(seed % 7 != 0, "{seed} is bad")));
    let message = *failure.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("seed 7 failed: ") && message.contains("7 is bad"), "{message}");
    let again = "POTLUCK_SEED=7 cargo test --test adversary -- --exact the_smallest_seed_that_fails_is_named";
    assert!(message.ends_with(again), "{message}");
}
