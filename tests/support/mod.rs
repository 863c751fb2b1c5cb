//! What integration tests share. Each test binary is a crate of its own and uses a part, hence the `allow`.
#![allow(dead_code, unused_imports)]

pub mod environment;
pub mod false_hub;
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

/// How long to wait for what must come. Generous, as it is only waited for in vain when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Looks again and again until it is so. For what nobody is told of; where there is an event, wait for that.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// Bytes that look random, and are the same for the same label.
pub fn content(label: &str, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(label.as_bytes()).finalize_xof().fill(&mut out);
    out
}
