//! The end of a hub.

use std::collections::BTreeSet;

use super::{ConnId, Hub, Output};
use crate::core::time::Time;
use crate::protocol::wire::Farewell;
use crate::protocol::{ErrorCode, Failure, log, to_json};

impl Hub {
    pub(super) fn stop(&mut self, now: Time, reason: String) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        self.log(log::HubStopping { reason, clients: self.state.roster().len() as u64 });
        let farewell = to_json(&Farewell { farewell: Failure::from(ErrorCode::HubStopping).into() });
        let conns: BTreeSet<ConnId> = self.conns.keys().copied().chain(self.strangers.conns()).collect();
        for conn in conns {
            self.out.push_back(Output::Say(conn, farewell.clone()));
            self.out.push_back(Output::Close(conn));
        }
        // The farewell is the last word, whatever comes until the driver has ended.
        self.strangers.clear();
        self.conns.clear();
        for peer in self.peers.values_mut() {
            peer.conn = None;
            peer.link.detach();
        }
        self.flush_received();
        let visits: Vec<u64> = self.peers.values().filter_map(|peer| Some(peer.name.as_ref()?.number)).collect();
        self.close_visits(now, visits);
        self.log(log::HubStopped {});
        self.out.push_back(Output::Stopped);
    }

    pub(super) fn store_failed(&mut self, now: Time, failure: Failure) {
        self.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        self.stop(now, "the store failed".into());
    }
}
