//! Helpers for integration tests. Each test binary is a crate of its own and uses only a part, hence the `allow`.
#![allow(dead_code, unused_imports)]

pub mod environment;
pub mod false_hub;
pub mod half;
pub mod liar;
pub mod link;
pub mod place;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod reader;
pub mod scene;

use std::time::{Duration, Instant};

use serde_json::Value;

pub use place::Place;
pub use process::{Ended, Process};
pub use reader::{EVENTS, Face};
pub use scene::{Hub, Scene};

/// How long tests wait for an event. It is long, because only a failing test waits in vain.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Polls until a condition holds. Only for what no event reports; otherwise wait for the event.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs independent cases at the same time, because most of their time is waiting.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, play: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let play = &play;
        let playing: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || play(case))).collect();
        for case in playing {
            case.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// Bytes that look random and depend only on the label.
pub fn content(label: &str, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(label.as_bytes()).finalize_xof().fill(&mut out);
    out
}
