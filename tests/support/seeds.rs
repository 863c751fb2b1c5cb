//! Many random runs, each from its seed, and a way back to the one that fails.

use std::any::Any;
use std::panic::{RefUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Plays every seed from 1 to `seeds`, or only the one that `POTLUCK_SEED` names, on all processors; gives what came of
/// each, in the order of the seeds. A run that fails prints its seed and how to play it again, with the `module` of the
/// simulation that it is in.
pub fn each_seed<T: Send>(module: &str, seeds: u64, play: impl Fn(u64) -> T + RefUnwindSafe + Sync) -> Vec<T> {
    let one = std::env::var("POTLUCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(1..=seeds, |seed| seed..=seed);
    let left = Mutex::new(seeds.clone());
    let failed = AtomicBool::new(false);
    let next =
        || left.lock().unwrap_or_else(PoisonError::into_inner).next().filter(|_| !failed.load(Ordering::Relaxed));
    let work = || {
        let mut played = Vec::new();
        while let Some(seed) = next() {
            played.push((seed, run(module, seed, &play).inspect_err(|_| failed.store(true, Ordering::Relaxed))?));
        }
        Ok::<_, Box<dyn Any + Send>>(played)
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(Err)).collect()
    });
    let mut played = Vec::new();
    for result in results {
        played.extend(result.unwrap_or_else(|panic| resume_unwind(panic)));
    }
    played.sort_by_key(|(seed, _)| *seed);
    assert_eq!(played.len() as u64, seeds.count() as u64, "every seed was played");
    played.into_iter().map(|(_, result)| result).collect()
}

fn run<T>(module: &str, seed: u64, play: impl Fn(u64) -> T + RefUnwindSafe) -> thread::Result<T> {
    catch_unwind(|| play(seed)).inspect_err(|_| {
        eprintln!("seed {seed} failed; again with: POTLUCK_SEED={seed} cargo test --test sim {module}::");
    })
}
