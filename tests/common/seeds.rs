//! Many random runs, each from its seed, and a way back to the one that fails.

/// Plays every seed from 1 to `seeds`, or only the one that `POTLUCK_SEED` names; gives what came of each. A run that
/// fails prints its seed and how to play it again with `test`.
pub fn each_seed<T>(test: &str, seeds: u64, play: impl Fn(u64) -> T + std::panic::RefUnwindSafe) -> Vec<T> {
    let one = std::env::var("POTLUCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = one.map_or_else(|| (1..=seeds).collect(), |seed| vec![seed]);
    let played = seeds.into_iter().map(|seed| {
        std::panic::catch_unwind(|| play(seed)).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed; again with: POTLUCK_SEED={seed} cargo test --test {test}");
            std::panic::resume_unwind(panic);
        })
    });
    played.collect()
}
