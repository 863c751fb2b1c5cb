//! Registrations that have not been answered: what is on its way to the disk, and what waits for another session.

use std::collections::HashMap;

use super::PeerId;
use super::entry::Entering;

/// Registrations under way, by who has asked. A client has one at a time, or the first would stay behind in the roster
/// when the second comes.
#[derive(Default)]
pub(super) struct Underway(HashMap<PeerId, Name>);

struct Name {
    name: String,
    fold: String,
}

impl Underway {
    pub(super) fn begin(&mut self, id: PeerId, entering: &Entering) {
        self.0.insert(id, Name { name: entering.name.clone(), fold: entering.fold.clone() });
    }

    pub(super) fn end(&mut self, id: PeerId) {
        self.0.remove(&id);
    }

    /// The name that a client is about to have.
    pub(super) fn name(&self, id: PeerId) -> Option<&str> {
        self.0.get(&id).map(|underway| underway.name.as_str())
    }

    /// Whether a client is about to have this name, folded.
    pub(super) fn is(&self, id: PeerId, fold: &str) -> bool {
        self.0.get(&id).is_some_and(|underway| underway.fold == fold)
    }

    /// Who is about to have which name, folded.
    pub(super) fn all(&self) -> impl Iterator<Item = (PeerId, &String)> {
        self.0.iter().map(|(id, underway)| (*id, &underway.fold))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
