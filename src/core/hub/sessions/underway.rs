//! Registrations that have not been answered: their records are not on disk yet, or their name is contested.

use std::collections::HashMap;

use crate::core::hub::PeerId;
use crate::protocol::Id;
use crate::protocol::name::NameKey;

/// A registration that has not been answered.
#[derive(Clone)]
pub(in crate::core::hub) struct Entering {
    pub(in crate::core::hub) request_id: Option<Id>,
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    /// Whether it is on disk already that this name belongs to this key.
    pub(in crate::core::hub) known: bool,
}

/// The registrations that have not been answered, by session. A session has at most one: with two, the first name would
/// stay behind in the roster when the second takes effect.
#[derive(Default)]
pub(in crate::core::hub) struct Underway(HashMap<PeerId, Name>);

/// The name that a session is about to have, as it was written and as it is compared.
struct Name {
    name: String,
    name_key: NameKey,
}

impl Underway {
    pub(in crate::core::hub) fn begin(&mut self, id: PeerId, entering: &Entering) {
        self.0.insert(id, Name { name: entering.name.clone(), name_key: entering.name_key.clone() });
    }

    pub(in crate::core::hub) fn end(&mut self, id: PeerId) {
        self.0.remove(&id);
    }

    /// The name that a session is about to have.
    pub(in crate::core::hub) fn name(&self, id: PeerId) -> Option<&str> {
        self.0.get(&id).map(|underway| underway.name.as_str())
    }

    /// Whether a session is about to have this name.
    pub(in crate::core::hub) fn is(&self, id: PeerId, name_key: &NameKey) -> bool {
        self.0.get(&id).is_some_and(|underway| underway.name_key == *name_key)
    }

    /// All sessions that are about to have a name.
    pub(in crate::core::hub) fn all(&self) -> impl Iterator<Item = (PeerId, &NameKey)> {
        self.0.iter().map(|(id, underway)| (*id, &underway.name_key))
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.0.len()
    }
}
