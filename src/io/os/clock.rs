//! The clock: the only source of time for the machines of `core`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::Time;
use crate::protocol::Timestamp;

/// A clock that counts from its creation.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    epoch: Timestamp,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { start: Instant::now(), epoch: Timestamp(since.as_millis() as i64) }
    }

    /// The time since the start, as the machines of `core` count it.
    pub fn now(&self) -> Time {
        Time(self.start.elapsed().as_micros() as u64)
    }

    /// The calendar time at the start.
    pub fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// The calendar time now. It never goes back while the program runs.
    pub fn calendar(&self) -> Timestamp {
        Timestamp(self.epoch.0 + self.start.elapsed().as_millis() as i64)
    }

    /// The instant that a machine's time stands for.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + Duration::from_micros(time.0)
    }
}

/// A random number from the operating system.
///
/// # Errors
/// When the system has none.
pub fn random() -> std::io::Result<u64> {
    getrandom::u64().map_err(std::io::Error::other)
}

/// Random bytes from the operating system.
///
/// # Errors
/// When the system has none.
pub fn random_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// Sleeps until an instant; for ever if there is none.
pub async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
