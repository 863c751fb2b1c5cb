//! Records when each person is here: the messages to the lobby that are sent meanwhile are for them.

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::feeds::Feeds;
use crate::core::hub::state::Attendance;
use crate::protocol::Record;
use crate::protocol::name::NameKey;

impl Feeds {
    /// Somebody is here from now on: later messages to the lobby are for them.
    pub(in crate::core::hub) fn is_there(&mut self, cx: &mut Cx<'_>, name: &NameKey) {
        let newest = self.newest();
        self.attend(cx, name, |attendance| attendance.begins(newest));
    }

    /// A client that was here before its session was lost has registered again: what was sent after the message number
    /// `received` is for its user, too.
    pub(in crate::core::hub) fn was_there(&mut self, cx: &mut Cx<'_>, id: PeerId, received: u64) {
        let peer = cx.sessions.get(id).filter(|peer| peer.past.returns);
        if let Some(name) = peer.and_then(|peer| peer.name.as_ref()).map(|name| name.name_key.clone()) {
            self.attend(cx, &name, |attendance| attendance.reaches_back(received));
        }
    }

    /// Somebody is not here any more: later messages to the lobby are not for them.
    pub(in crate::core::hub) fn was_last_there(&mut self, cx: &mut Cx<'_>, name: &NameKey) {
        let newest = self.newest_to_all();
        self.attend(cx, name, |attendance| attendance.ends(newest));
    }

    /// Changes when somebody was here, and records it if it differs.
    fn attend(&mut self, cx: &mut Cx<'_>, name: &NameKey, change: impl FnOnce(&mut Attendance)) {
        let Some(reader) = cx.journal.state.mail().reader(name) else { return };
        let mut attendance = reader.attendance.clone();
        change(&mut attendance);
        if attendance != reader.attendance {
            cx.record(Record::There { name_key: name.clone(), spans: attendance.spans().to_vec() });
        }
    }
}
