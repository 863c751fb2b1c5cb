//! A flag that tells work on another thread to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is raised once. Clones share it; long work looks at it at least every 100 ms.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    raised: Arc<AtomicBool>,
    /// The flag that this one is below: raised, it raises this one too.
    above: Option<Arc<Cancel>>,
}

impl Cancel {
    /// A flag below this one: raising this one raises it too.
    pub fn below(&self) -> Self {
        Self { raised: Arc::default(), above: Some(Arc::new(self.clone())) }
    }

    /// Raises the flag, for every clone and for good.
    pub fn cancel(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        self.raised.load(Ordering::Acquire) || self.above.as_ref().is_some_and(|above| above.is_cancelled())
    }
}
