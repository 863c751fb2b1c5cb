//! A flag that tells work on another thread to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that can be raised once. Clones share it; long work checks it at least every 100 ms.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    raised: Arc<AtomicBool>,
    /// The parent: raising it raises this flag, too.
    above: Option<Arc<Cancel>>,
}

impl Cancel {
    /// A child flag: raising this one raises the child, too.
    pub fn below(&self) -> Self {
        Self { raised: Arc::default(), above: Some(Arc::new(self.clone())) }
    }

    /// Raises the flag for all clones and children, for good.
    pub fn cancel(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        self.raised.load(Ordering::Acquire) || self.above.as_ref().is_some_and(|above| above.is_cancelled())
    }
}
