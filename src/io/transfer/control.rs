//! What a running fetch can be told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::fetch::{Input, Source};
use crate::io::os::cancel::Cancel;
use crate::protocol::{ChunkSet, PublicKey};

/// The most sources of which is told before the fetch has taken them in.
const MAX_SOURCES: usize = 4_096;

/// The handle of one fetch, for whoever watches over it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<ControlState>);

#[derive(Debug, Default)]
struct ControlState {
    cancel: Cancel,
    /// What was told and not taken yet.
    news: Mutex<News>,
}

/// What is told of the sources and of the ways to them: the newest of each kind for each source.
#[derive(Debug, Default)]
struct News {
    sources: Vec<Source>,
    whereabouts: BTreeMap<PublicKey, Option<SocketAddr>>,
    network_changed: bool,
}

impl From<Cancel> for Control {
    /// A handle of a fetch that ends with others.
    fn from(cancel: Cancel) -> Self {
        Self(Arc::new(ControlState { cancel, news: Mutex::default() }))
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
        let updates = &mut self.news().sources;
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

    /// Tells where the owner of this key serves now, or that they have left for good.
    pub fn whereabouts(&self, key: PublicKey, address: Option<SocketAddr>) {
        let mut news = self.news();
        if news.whereabouts.len() < MAX_SOURCES || news.whereabouts.contains_key(&key) {
            news.whereabouts.insert(key, address);
        }
    }

    /// Tells that our own network has changed: connections may be lost, and are made anew.
    pub fn network_changed(&self) {
        self.news().network_changed = true;
    }

    /// What the machine has to hear.
    pub(super) fn take_news(&self) -> Vec<Input> {
        let News { sources, whereabouts, network_changed } = std::mem::take(&mut *self.news());
        let mut inputs: Vec<Input> = Vec::new();
        inputs.extend((!sources.is_empty()).then_some(Input::Learned(sources)));
        inputs.extend(whereabouts.into_iter().map(|(key, address)| Input::Whereabouts(key, address)));
        inputs.extend(network_changed.then_some(Input::NetworkChanged));
        inputs
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is, and more; `None` is all.
fn merge(has: &mut Option<ChunkSet>, more: Option<ChunkSet>) {
    match (has.as_mut(), more) {
        (Some(has), Some(more)) => has.add(&more),
        _ => *has = None,
    }
}
