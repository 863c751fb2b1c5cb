//! When people are here: what is said to everybody meanwhile is for them.

use super::state::Attendance;
use super::{Hub, PeerId};
use crate::protocol::Record;
use crate::protocol::name::NameKey;

impl Hub {
    /// Somebody is here from now on.
    pub(super) fn is_there(&mut self, name: &NameKey) {
        let newest = self.recent.newest;
        self.attend(name, |attendance| attendance.begins(newest));
    }

    /// Somebody was here before, and the session of then is lost: they have everything up to this number.
    pub(super) fn was_there(&mut self, id: PeerId, received: u64) {
        let peer = self.peers.get(&id).filter(|peer| peer.returns);
        if let Some(name) = peer.and_then(|peer| peer.name.as_ref()).map(|name| name.name_key.clone()) {
            self.attend(&name, |attendance| attendance.reaches_back(received));
        }
    }

    /// Somebody is not here any more.
    pub(super) fn was_last_there(&mut self, name: &NameKey) {
        let newest = self.recent.newest_to_all;
        self.attend(name, |attendance| attendance.ends(newest));
    }

    fn attend(&mut self, name: &NameKey, change: impl FnOnce(&mut Attendance)) {
        let Some(reader) = self.state.mail().reader(name) else { return };
        let mut attendance = reader.attendance.clone();
        change(&mut attendance);
        if attendance != reader.attendance {
            self.record(Record::There { name_key: name.clone(), spans: attendance.spans().to_vec() });
        }
    }
}
