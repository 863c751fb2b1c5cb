//! Runs a test with many random seeds, and says how to run a failing seed alone.
//!
//! `POTLUCK_SEED=<seed>` runs one seed, with its output as it comes; `POTLUCK_RUNS=<count>` runs that many instead of
//! the test's own number.

use std::cell::RefCell;
use std::env;
use std::panic::{self, RefUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, Once};
use std::thread;

/// A number from an environment variable.
fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value}")))
}

/// Whether tests run as many seeds as they ask for. If not, nothing can be asserted about all runs together.
pub fn all_are_played() -> bool {
    setting("POTLUCK_SEED").or(setting("POTLUCK_RUNS")).is_none()
}

/// Runs the seeds 1 to `seeds` on all processors, and returns the results in the order of the seeds.
///
/// After a failure no further seed is started. Running ones are completed, so that the reported failure is that of the
/// smallest failing seed; panics of other seeds are not printed.
pub fn play_seeds<T: Send>(seeds: u64, play: impl Fn(u64) -> T + RefUnwindSafe + Sync) -> Vec<T> {
    if let Some(seed) = setting("POTLUCK_SEED") {
        return vec![play(seed)];
    }
    keep_panics_of_seeds_to_us();
    let last = setting("POTLUCK_RUNS").unwrap_or(seeds);
    let next = AtomicU64::new(1);
    let (played, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed > last {
                return;
            }
            match play_quietly(seed, &play) {
                Ok(result) => played.lock().unwrap().push((seed, result)),
                Err(message) => {
                    next.fetch_max(last + 1, Relaxed);
                    failed.lock().unwrap().push((seed, message));
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    if let Some((seed, message)) = failed.into_inner().unwrap().into_iter().min() {
        panic!("seed {seed} failed: {message}\nThis seed alone: {}", command(seed));
    }
    let mut played = played.into_inner().unwrap();
    played.sort_by_key(|(seed, _)| *seed);
    assert_eq!(played.len() as u64, last, "every seed was played");
    played.into_iter().map(|(_, result)| result).collect()
}

/// How to run one seed of the test on this thread.
fn command(seed: u64) -> String {
    let (binary, thread) = (env!("CARGO_CRATE_NAME"), thread::current());
    let test = thread.name().unwrap_or_default();
    format!("POTLUCK_SEED={seed} cargo test --test {binary} -- --exact {test}")
}

thread_local! {
    /// The panic of the seed that runs on this thread; `None` if no seed runs here.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn play_quietly<T>(seed: u64, play: &(impl Fn(u64) -> T + RefUnwindSafe)) -> Result<T, String> {
    PANIC.set(Some(String::new()));
    let result = catch_unwind(|| play(seed));
    let message = PANIC.take().unwrap_or_default();
    result.map_err(|_| message)
}

/// Panics on threads that run seeds are kept for the report; all others are printed as usual.
fn keep_panics_of_seeds_to_us() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = PANIC.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push_str(&info.to_string())));
            if kept.is_none() {
                print(info);
            }
        }));
    });
}
