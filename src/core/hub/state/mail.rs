//! The mail: the number of the newest message, what each person has received, and what waits for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attendance::Attendance;
use super::hashed::HashedMap;
use super::mailbox::{Mailbox, Waiting};
use crate::core::digest::{Digest, combined};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Destination, NameRecord, Span, StoredMessage, WaitingRecord};

/// The mail of everybody. The texts are only in the store.
#[derive(Default)]
pub(in crate::core::hub) struct Mail {
    /// The number of the newest message.
    last: u64,
    /// Messages with lower numbers are not kept any more.
    trimmed: u64,
    /// The digest of all messages that were ever sent.
    said: Digest,
    readers: HashedMap<NameKey, Reader>,
    mailboxes: BTreeMap<NameKey, Mailbox>,
    /// The digest of what waits in all mailboxes.
    waiting: Digest,
}

/// What one person has received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::core::hub) struct Reader {
    /// They have every message for them up to this number.
    pub(in crate::core::hub) received: u64,
    /// When they were here, as far as they lack lobby messages of that time.
    pub(in crate::core::hub) attendance: Attendance,
}

/// The whole mail, for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MailRows {
    last: u64,
    #[serde(default)]
    trimmed: u64,
    /// The digest of all messages, in hexadecimal digits.
    said: String,
    readers: Vec<(NameKey, Reader)>,
    waiting: Vec<(NameKey, Waiting)>,
}

impl Mail {
    /// The mail that the store has. Spans of presence that were open when the hub died stay open until
    /// [`Mail::end_all`].
    pub(super) fn load(
        (last, trimmed): (u64, u64),
        said: Digest,
        names: &[NameRecord],
        waiting: Vec<WaitingRecord>,
        there: Vec<(NameKey, Vec<Span>)>,
    ) -> Self {
        let mut mail = Self { last, trimmed, said, ..Self::default() };
        for name in names {
            let reader = Reader { received: name.received, attendance: Attendance::default() };
            mail.readers.insert(name.name_key.clone(), reader);
        }
        for WaitingRecord { name_key, number, from, bytes, withheld } in waiting {
            mail.put(&name_key, Waiting { number, bytes, from, withheld });
        }
        there.iter().for_each(|(name, spans)| mail.attended(name, spans));
        mail
    }

    /// The mail that [`Mail::rows`] gave.
    pub(super) fn of(rows: MailRows) -> Self {
        let said = rows.said.parse().unwrap_or_default();
        let mut mail = Self { last: rows.last, trimmed: rows.trimmed, said, ..Self::default() };
        rows.readers.into_iter().for_each(|(name, reader)| drop(mail.readers.insert(name, reader)));
        rows.waiting.into_iter().for_each(|(name, waiting)| mail.put(&name, waiting));
        mail
    }

    /// The whole mail, by name.
    pub(super) fn rows(&self) -> MailRows {
        let of = |(name, mailbox): (&NameKey, &Mailbox)| {
            mailbox.iter().map(|waiting| (name.clone(), waiting.clone())).collect::<Vec<_>>()
        };
        MailRows {
            last: self.last,
            trimmed: self.trimmed,
            said: self.said.to_string(),
            readers: self.readers.iter().map(|(name, reader)| (name.clone(), reader.clone())).collect(),
            waiting: self.mailboxes.iter().flat_map(of).collect(),
        }
    }

    /// Ends all open spans of presence at the newest message, because nobody is here when a hub starts.
    pub(super) fn end_all(&mut self) {
        let last = self.last;
        let open = self.readers.iter().filter(|(_, reader)| reader.attendance.is_open(last));
        let open: Vec<NameKey> = open.map(|(name, _)| name.clone()).collect();
        for name in open {
            self.readers.update(&name, |reader| {
                reader.attendance = Attendance::load(reader.attendance.spans().to_vec(), last);
            });
        }
    }

    pub(super) fn digest(&self) -> Digest {
        let mut last = Digest::default();
        last.add(&(self.last, self.trimmed));
        combined(&[last, self.said, self.readers.digest(), self.waiting])
    }

    /// The number of the newest message.
    pub(in crate::core::hub) fn last(&self) -> u64 {
        self.last
    }

    /// The number below which messages are not kept any more.
    pub(in crate::core::hub) fn trimmed(&self) -> u64 {
        self.trimmed
    }

    pub(in crate::core::hub) fn reader(&self, name: &NameKey) -> Option<&Reader> {
        self.readers.get(name)
    }

    /// The number up to which somebody has every message for them.
    pub(in crate::core::hub) fn received(&self, name: &NameKey) -> u64 {
        self.readers.get(name).map_or(0, |reader| reader.received)
    }

    /// What waits for somebody; `None` if nothing does.
    pub(in crate::core::hub) fn mailbox(&self, name: &NameKey) -> Option<&Mailbox> {
        self.mailboxes.get(name)
    }

    /// A name is taken: earlier messages are not for its owner.
    pub(super) fn introduce(&mut self, name: &NameKey) {
        let reader = Reader { received: self.last, attendance: Attendance::default() };
        self.readers.insert(name.clone(), reader);
    }

    /// A message was sent. Ignored if its number is known already.
    pub(super) fn said(&mut self, message: &StoredMessage) {
        if message.number <= self.last {
            return;
        }
        self.last = message.number;
        self.said.add(message);
        let Destination::Person { name_key, .. } = &message.destination else { return };
        if self.readers.get(name_key).is_some_and(|reader| reader.received < message.number) {
            let (number, bytes, withheld) = (message.number, message.text.len() as u64, message.withheld);
            self.put(name_key, Waiting { number, bytes, from: message.from_key.clone(), withheld });
        }
    }

    /// A message was given up before it was stored. Its number is not used again.
    pub(super) fn unsaid(&mut self, message: &StoredMessage) {
        self.said.remove(message);
        let Destination::Person { name_key, .. } = &message.destination else { return };
        if let Some(waiting) = self.mailboxes.get_mut(name_key).and_then(|mailbox| mailbox.take(message.number)) {
            self.waiting.remove(&(name_key, &waiting));
        }
    }

    /// Messages below a number are not kept any more. The newest one always is.
    pub(super) fn trim(&mut self, below: u64) {
        self.trimmed = self.trimmed.max(below.min(self.last));
        for (name, mailbox) in &mut self.mailboxes {
            while let Some(gone) = mailbox.take_up_to(self.trimmed.saturating_sub(1)) {
                self.waiting.remove(&(name, &gone));
            }
        }
        self.mailboxes.retain(|_, mailbox| mailbox.iter().next().is_some());
    }

    /// Somebody has every message for them up to a number. The number never goes back.
    pub(super) fn received_by(&mut self, name: &NameKey, number: u64) {
        let known = self.readers.update(name, |reader| {
            reader.received = reader.received.max(number);
            reader.attendance.received(reader.received);
            reader.received
        });
        let (Some(received), Some(mailbox)) = (known, self.mailboxes.get_mut(name)) else { return };
        while let Some(taken) = mailbox.take_up_to(received) {
            self.waiting.remove(&(name, &taken));
        }
        if mailbox.iter().next().is_none() {
            self.mailboxes.remove(name);
        }
    }

    /// Sets when somebody was here.
    pub(super) fn attended(&mut self, name: &NameKey, spans: &[Span]) {
        self.readers.update(name, |reader| {
            reader.attendance = Attendance::of(spans);
            reader.attendance.received(reader.received);
        });
    }

    /// Nobody has this name any more: removes what waits for it, and hides it as the sender of what waits for others.
    pub(super) fn forget(&mut self, name: &NameKey) {
        self.readers.remove(name);
        for waiting in self.mailboxes.remove(name).iter().flat_map(Mailbox::iter) {
            self.waiting.remove(&(name, waiting));
        }
        for (to, mailbox) in &mut self.mailboxes {
            for before in mailbox.disown(name) {
                self.waiting.remove(&(to, &before));
                self.waiting.add(&(to, &Waiting { from: name.without_owner(), ..before }));
            }
        }
    }

    fn put(&mut self, name: &NameKey, waiting: Waiting) {
        self.waiting.add(&(name, &waiting));
        self.mailboxes.entry(name.clone()).or_default().put(waiting);
    }
}
