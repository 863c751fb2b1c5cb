//! What is done with very many offers, so many at a time that others need not wait for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::state::{Owner, Shelved};
use crate::core::time::Time;

/// How many offers are looked at in one go.
const AT_ONCE: usize = 1_024;

/// How long others have their turn before the next of them are.
const TURN: Duration = Duration::from_millis(1);

/// What is still to be done.
#[derive(Default)]
pub(in crate::core::hub) struct Chores {
    waiting: VecDeque<Chore>,
    /// When it goes on.
    due: Option<Time>,
}

/// Something to do with offers of a client.
struct Chore {
    kind: Kind,
    client: PeerId,
    /// The name under which it offered them.
    owner: String,
    files: Vec<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The client is gone, or has given up its name: they leave the table.
    Left,
    /// The client is reached somewhere else: they are told anew.
    Moved,
}

impl Chores {
    /// When there is something to do.
    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.due
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Files {
    /// A client's offers leave with it.
    pub(in crate::core::hub) fn offers_left(
        &mut self,
        cx: &mut Cx<'_>,
        client: PeerId,
        owner: &str,
        files: Vec<Arc<str>>,
    ) {
        self.take_chore(cx, Chore { kind: Kind::Left, client, owner: owner.to_owned(), files });
    }

    /// A client's offers are served somewhere else.
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

    /// Goes on with what waits.
    pub(in crate::core::hub) fn go_on_with_chores(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut chore) = self.chores.waiting.pop_front() {
            self.do_some(cx, &mut chore);
            if !chore.files.is_empty() {
                self.chores.waiting.push_back(chore);
            }
        }
        self.chores.due = (!self.chores.waiting.is_empty()).then_some(cx.now + TURN);
    }

    fn do_some(&mut self, cx: &mut Cx<'_>, chore: &mut Chore) {
        let Chore { kind, client, owner, files } = chore;
        let mut some = files.split_off(files.len().saturating_sub(AT_ONCE));
        match kind {
            Kind::Left => {
                // What it offers under that name by cx.now, or somebody else does, stays.
                some.retain(|file| {
                    self.offered_by(cx, *client, owner, file).is_none() && self.lists(cx, *client, owner, file)
                });
                self.unlist(cx, owner, &some, true);
            }
            Kind::Moved => {
                for file in some {
                    if let Some(shelved) = self.offered_by(cx, *client, owner, &file) {
                        self.list(cx, owner, shelved);
                    }
                }
            }
        }
    }

    /// What a client offers under a name.
    fn offered_by(&self, cx: &Cx<'_>, client: PeerId, owner: &str, file: &str) -> Option<Shelved> {
        let content = cx.journal.state.table().offered(client, owner, file)?;
        Some(Shelved { owner: Owner::Client(client), content: content.clone() })
    }

    /// Whether the table has an offer as that of a client.
    fn lists(&self, cx: &Cx<'_>, client: PeerId, owner: &str, file: &str) -> bool {
        cx.journal
            .state
            .table()
            .get(&crate::core::hub::state::key(file, owner))
            .is_some_and(|listed| listed.owner == Owner::Client(client))
    }
}
