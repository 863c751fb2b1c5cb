//! Changes that concern very many offers of one client, carried out in portions, so that other clients do not wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::state::{ListedOffer, Owner};
use crate::core::time::Time;

/// The number of offers that are changed in one portion.
const AT_ONCE: usize = 1_024;

/// Time between two portions, in which the hub handles other inputs.
const TURN: Duration = Duration::from_millis(1);

/// The changes that are not complete, in turn.
#[derive(Default)]
pub(in crate::core::hub) struct Chores {
    waiting: VecDeque<Chore>,
    /// When the next portion is due.
    due: Option<Time>,
}

/// A change of the offers of one client.
struct Chore {
    kind: Kind,
    client: PeerId,
    /// The name under which the client offered them.
    owner: String,
    files: Vec<Arc<str>>,
}

/// What happened to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The client has left, or has given up its name: its offers leave the table.
    Left,
    /// The client has another address: its offers are told anew.
    Moved,
}

impl Chores {
    /// When the next portion is due; `None` if there is none.
    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.due
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Files {
    /// Removes the offers of a client that has left; the first portion at once.
    pub(in crate::core::hub) fn offers_left(
        &mut self,
        cx: &mut Cx<'_>,
        client: PeerId,
        owner: &str,
        files: Vec<Arc<str>>,
    ) {
        self.take_chore(cx, Chore { kind: Kind::Left, client, owner: owner.to_owned(), files });
    }

    /// Tells the offers of a client anew, because it has another address; the first portion at once.
    pub(in crate::core::hub) fn offers_moved(
        &mut self,
        cx: &mut Cx<'_>,
        client: PeerId,
        owner: &str,
        files: Vec<Arc<str>>,
    ) {
        self.take_chore(cx, Chore { kind: Kind::Moved, client, owner: owner.to_owned(), files });
    }

    fn take_chore(&mut self, cx: &mut Cx<'_>, mut chore: Chore) {
        self.do_some(cx, &mut chore);
        if !chore.files.is_empty() {
            self.chores.waiting.push_back(chore);
            self.chores.due.get_or_insert(cx.now + TURN);
        }
    }

    /// Carries out the next portion of the change that has waited longest.
    pub(in crate::core::hub) fn go_on_with_chores(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut chore) = self.chores.waiting.pop_front() {
            self.do_some(cx, &mut chore);
            if !chore.files.is_empty() {
                self.chores.waiting.push_back(chore);
            }
        }
        self.chores.due = (!self.chores.waiting.is_empty()).then_some(cx.now + TURN);
    }

    /// Carries out the next portion of a change.
    fn do_some(&mut self, cx: &mut Cx<'_>, chore: &mut Chore) {
        let Chore { kind, client, owner, files } = chore;
        let mut some = files.split_off(files.len().saturating_sub(AT_ONCE));
        match kind {
            Kind::Left => {
                // An offer stays if the client has offered the file again meanwhile, or if another client offers it
                // under the name.
                some.retain(|file| {
                    self.offered_by(cx, *client, owner, file).is_none() && self.lists(cx, *client, owner, file)
                });
                self.unlist(cx, owner, &some, true);
            }
            Kind::Moved => {
                for file in some {
                    if let Some(listed) = self.offered_by(cx, *client, owner, &file) {
                        self.list(cx, owner, listed);
                    }
                }
            }
        }
    }

    /// What a client offers now under this name and file.
    fn offered_by(&self, cx: &Cx<'_>, client: PeerId, owner: &str, file: &str) -> Option<ListedOffer> {
        let content = cx.journal.state.table().offered(client, owner, file)?;
        Some(ListedOffer { owner: Owner::Client(client), content: content.clone() })
    }

    /// Whether the table has this offer as one of this client.
    fn lists(&self, cx: &Cx<'_>, client: PeerId, owner: &str, file: &str) -> bool {
        cx.journal
            .state
            .table()
            .get(&crate::core::hub::state::key(file, owner))
            .is_some_and(|listed| listed.owner == Owner::Client(client))
    }
}
