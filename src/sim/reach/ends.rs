//! The ends of simulated connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::core::reach::Line;

/// Whose end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Asker,
    Asked,
}

impl Side {
    pub(super) fn other(self) -> Self {
        if self == Side::Asker { Side::Asked } else { Side::Asker }
    }
}

/// One end of a simulated connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End(pub(super) Side, pub(super) Line);

/// What is dialled, and what stands.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// What is being dialled, and where.
    dialling: BTreeMap<End, SocketAddr>,
    /// The other end of each connection that stands.
    stand: BTreeMap<End, End>,
    came: u32,
}

impl Ends {
    pub(super) fn dial(&mut self, end: End, to: SocketAddr) {
        self.dialling.insert(end, to);
    }

    /// Where this is being dialled.
    pub(super) fn dialled(&self, end: End) -> Option<SocketAddr> {
        self.dialling.get(&end).copied()
    }

    /// It is not dialled any more. Says whether it was.
    pub(super) fn end_dialling(&mut self, end: End) -> bool {
        self.dialling.remove(&end).is_some()
    }

    pub(super) fn stands(&self, end: End) -> bool {
        self.stand.contains_key(&end)
    }

    /// What was dialled from there has come to the other side's port. The other end, and whether that had been dialled
    /// itself: two who dial each other get one connection. `None` if the connection stands already.
    pub(super) fn meet(&mut self, end: End, from: SocketAddr) -> Option<(End, bool)> {
        if self.stands(end) {
            return None;
        }
        let other = end.0.other();
        let twin = self.dialling.iter().find(|(of, to)| of.0 == other && **to == from).map(|(of, _)| *of);
        let theirs = twin.unwrap_or_else(|| {
            self.came += 1;
            End(other, Line::Came(self.came))
        });
        self.stand.insert(end, theirs);
        self.stand.insert(theirs, end);
        Some((theirs, twin.is_some_and(|twin| self.end_dialling(twin))))
    }
}
