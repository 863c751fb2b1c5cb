//! What a test can observe of the simulation.

use std::collections::BTreeMap;

use super::{ClientId, Sim};
use crate::core::hub::Hub;
use crate::core::session::Session;
use crate::core::time::Time;
use crate::protocol::{EventLine, LogLine};

impl Sim {
    /// Everything that a client has told its user, with `seq` and `time`.
    pub fn told(&self, client: ClientId) -> &[EventLine] {
        &self.actors[client.0].output.told
    }

    /// The part of it that the client's user has read.
    pub fn read(&self, client: ClientId) -> &[EventLine] {
        let actor = &self.actors[client.0];
        &actor.output.told[..actor.output.read]
    }

    /// Makes a client's user stop or resume reading.
    pub fn set_reading(&mut self, client: ClientId, reads: bool) {
        self.actors[client.0].output.reads = reads;
        if self.actors[client.0].ended.is_none() {
            self.drain_client(client.0);
        }
    }

    /// Everything that all clients have told their users.
    pub fn all_told(&self) -> impl Iterator<Item = &EventLine> {
        self.actors.iter().flat_map(|actor| &actor.output.told)
    }

    /// The exit code of a client that has ended.
    pub fn ended(&self, client: ClientId) -> Option<u8> {
        self.actors[client.0].ended
    }

    /// The session of a client.
    pub fn session(&self, client: ClientId) -> &Session {
        &self.actors[client.0].session
    }

    /// The files that a client has fetched: names and hashes.
    pub fn downloads(&self, client: ClientId) -> &BTreeMap<String, crate::protocol::ContentHash> {
        &self.actors[client.0].downloads
    }

    /// The hub, if it is running.
    pub fn hub(&self) -> Option<&Hub> {
        self.host.hub.as_ref()
    }

    /// Everything that the hub has logged.
    pub fn log(&self) -> &[LogLine] {
        &self.log
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }
}
