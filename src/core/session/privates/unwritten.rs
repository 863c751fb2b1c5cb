//! Private messages on their way to our user. A receipt is sent to their senders once they are written.

use std::collections::BTreeMap;

use super::Privates;
use crate::core::session::context::Context;
use crate::core::session::inbox::Inbox;
use crate::core::time::Time;
use crate::protocol::name::NameKey;

/// A private message that was told and is not written yet.
pub(in crate::core::session) struct Unwritten {
    /// Its sender, the link on which it came, and its number there.
    pub(super) name: NameKey,
    pub(super) link: u64,
    pub(super) number: u64,
    /// Whether our user has blocked the sender.
    pub(super) withheld: bool,
}

impl Privates {
    /// This many private messages have been written to the user.
    pub(in crate::core::session) fn written(&mut self, now: Time, count: usize) {
        let count = count.min(self.unwritten.len());
        let written = self.unwritten.drain(..count);
        let had: BTreeMap<NameKey, (u64, u64)> = written.map(|w| (w.name, (w.link, w.number))).collect();
        for (name, (link, number)) in had {
            self.peers.had(now, &name, link, number);
        }
    }

    /// A private message could not be written: ends its link, so that its sender does not take it for delivered. `from`
    /// is none for a message of somebody who is blocked, which is treated alike so that they cannot tell.
    pub(in crate::core::session) fn lost(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        from: Option<(&str, u64)>,
    ) {
        let from = from.map(|(from, number)| (NameKey::of(from), number));
        let is = |unwritten: &Unwritten| match &from {
            Some((name, number)) => unwritten.name == *name && unwritten.number == *number,
            None => unwritten.withheld,
        };
        if let Some(at) = self.unwritten.iter().rposition(is)
            && let Some(unwritten) = self.unwritten.remove(at)
        {
            self.peers.unheard(now, &unwritten.name, unwritten.link);
            self.tell_events(now, cx, inbox);
        }
    }
}
