//! What a running fetch can be told.

use std::sync::{Arc, Mutex, PoisonError};

use crate::core::fetch::Source;
use crate::io::os::cancel::Cancel;
use crate::protocol::ChunkSet;

/// The most sources of which is told before the fetch has taken them in.
const MAX_SOURCES: usize = 4_096;

/// The handle of one fetch, for whoever watches over it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<ControlState>);

#[derive(Debug, Default)]
struct ControlState {
    cancel: Cancel,
    /// What was told and not taken yet; each source once.
    updates: Mutex<Vec<Source>>,
}

impl From<Cancel> for Control {
    /// A handle of a fetch that ends with others.
    fn from(cancel: Cancel) -> Self {
        Self(Arc::new(ControlState { cancel, updates: Mutex::default() }))
    }
}

impl Control {
    /// Ends the fetch, for good and soon.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Whether the fetch was told to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Tells of new sources, and of known ones (they have the same key) that have more by now or are elsewhere. One that
    /// was lost is taken in again; one that lied is not.
    pub fn update(&self, sources: Vec<Source>) {
        let mut updates = self.0.updates.lock().unwrap_or_else(PoisonError::into_inner);
        for source in sources {
            match updates.iter().position(|waiting| waiting.key == source.key) {
                Some(waiting) => {
                    updates[waiting].address = source.address;
                    merge(&mut updates[waiting].has, source.has);
                }
                None if updates.len() < MAX_SOURCES => updates.push(source),
                None => {}
            }
        }
    }

    /// The flag by itself, for what only has to end.
    pub(super) fn flag(&self) -> &Cancel {
        &self.0.cancel
    }

    pub(super) fn take_updates(&self) -> Vec<Source> {
        std::mem::take(&mut *self.0.updates.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What there is, and more; `None` is all.
fn merge(has: &mut Option<ChunkSet>, more: Option<ChunkSet>) {
    match (has.as_mut(), more) {
        (Some(has), Some(more)) => has.add(&more),
        _ => *has = None,
    }
}
