//! Applies records to the state, persists them, and lets answers wait until they are on disk.

use crate::core::hub::cx::Cx;
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::journal::queries::PendingQuery;
use crate::core::hub::state::{Notice, SessionRecord, decide};
use crate::core::hub::{Output, PeerId};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Query, Record};
use crate::protocol::{Event, Id};

impl Cx<'_> {
    /// Applies a record to the state and persists it.
    pub(in crate::core::hub) fn record(&mut self, record: Record) {
        self.journal.state.apply(&record);
        let is_shown = is_shown(&record);
        // These were read from the store, or take back what it has not written, so they need not be persisted.
        if !matches!(record, Record::Account(_) | Record::NameGone { .. } | Record::MessageAbandoned(_)) {
            self.persist(record);
        }
        if is_shown {
            self.journal.commits.newest_is_shown();
        }
    }

    /// Records several records of one decision: after a crash all of them are on disk or none.
    pub(in crate::core::hub) fn record_together(&mut self, records: impl Iterator<Item = Record>) {
        self.journal.commits.begin_decision();
        for record in records {
            self.record(record);
        }
        self.journal.commits.end_decision();
    }

    /// A session has a name from now on, or is connected anew.
    pub(in crate::core::hub) fn hold_name(&mut self, name_key: NameKey, id: PeerId) {
        let record = decide::hold_name(&self.journal.state, &name_key, id);
        self.journal.state.apply_of_session(&record);
        self.sessions.use_name(name_key, id);
    }

    /// A session has a name no more, if it had it.
    pub(in crate::core::hub) fn free_name(&mut self, name_key: &NameKey, id: PeerId) {
        let held = self.journal.state.roster().holder(name_key).filter(|held| held.session == id);
        if let Some(record) = held.and_then(|held| decide::free_name(&self.journal.state, name_key, held)) {
            self.journal.state.apply_of_session(&record);
            self.sessions.free_name(name_key);
        }
    }

    /// Applies a record of the roster or the table, which is not stored: it is gone with its session. Its followers are
    /// told after the gathering time.
    pub(in crate::core::hub) fn record_of_session(&mut self, record: &SessionRecord) {
        self.journal.state.apply_of_session(record);
        self.updates.change(self.now);
    }

    /// Persists a record. If the store is in trouble and the record can wait, it is postponed.
    pub(in crate::core::hub) fn persist(&mut self, record: Record) {
        let Some(record) = self.journal.health.postpone(record) else { return };
        let commit = self.journal.commits.next();
        self.out.push_back(Output::Persist(commit, record));
    }

    /// Asks the store; `pending` says who waits for the answer.
    pub(in crate::core::hub) fn query(&mut self, query: Query, pending: PendingQuery) {
        let number = self.journal.queries.ask(pending);
        self.out.push_back(Output::Query(number, query));
    }

    /// Answers a request when everything that was persisted until now is on disk. `notice` is what the members of a
    /// room are told then.
    pub(in crate::core::hub) fn hold_answer(
        &mut self,
        peer: PeerId,
        request_id: &Option<Id>,
        answer: impl Into<Event>,
        notice: Option<Notice>,
    ) {
        let (request_id, answer) = (request_id.clone(), Box::new(answer.into()));
        self.journal.commits.hold(AwaitingCommit::Done { peer, request_id, answer, notice });
    }

    /// An answer about names, blocks or rooms: `Some` if all that it rests on is on disk, otherwise `None`, and it is
    /// sent when that is so. While the store is in trouble, it is given at once.
    pub(in crate::core::hub) fn when_kept(
        &mut self,
        peer: PeerId,
        request_id: &Option<Id>,
        answer: impl Into<Event>,
    ) -> Option<Event> {
        if self.journal.commits.shown_is_on_disk() || !self.journal.health.is_well() {
            return Some(answer.into());
        }
        let (request_id, answer) = (request_id.clone(), Box::new(answer.into()));
        self.journal.commits.hold_shown(AwaitingCommit::Done { peer, request_id, answer, notice: None });
        None
    }
}

/// Whether requests for names, blocks or rooms are answered differently after this record.
fn is_shown(record: &Record) -> bool {
    match record {
        Record::Name { .. }
        | Record::KeyForgotten { .. }
        | Record::Block { .. }
        | Record::Unblock { .. }
        | Record::Room { .. }
        | Record::RoomGone { .. }
        | Record::Member { .. }
        | Record::MemberGone { .. } => true,
        Record::Account(_)
        | Record::NameGone { .. }
        | Record::InviteSpent { .. }
        | Record::Code { .. }
        | Record::Invite(_)
        | Record::InviteRevoked { .. }
        | Record::Message(_)
        | Record::MessageAbandoned(_)
        | Record::Answered(_)
        | Record::Received { .. }
        | Record::There { .. }
        | Record::Visit(_)
        | Record::Failures(_)
        | Record::Copy(_)
        | Record::CopyGone { .. }
        | Record::Trim { .. } => false,
    }
}
