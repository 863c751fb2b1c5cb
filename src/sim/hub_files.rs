//! The files that the simulated hub serves: its own, and the copies that it keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::content::content_of;
use super::{EPOCH, Happening, Sim};
use crate::core::hub::{CopyPlan, HubFiles, Input};
use crate::protocol::{Content, ContentHash, ErrorCode, PublicKey};

/// The public key of the hub.
pub(super) const HUB_KEY: PublicKey = PublicKey([0xb0; 32]);

/// The hub's address.
pub(super) const HUB_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 0));

/// The port on which the hub serves files.
const PORT: u16 = 47_000;

/// How long the hub takes to fetch a copy.
const COPYING: Duration = Duration::from_millis(30);

/// The contents that the hub serves. They survive a crash of the hub.
#[derive(Default)]
pub(super) struct ServedFiles {
    own: BTreeMap<String, Content>,
    copies: BTreeSet<(ContentHash, u64)>,
}

impl ServedFiles {
    pub(super) fn serves(&self, hash: &ContentHash) -> bool {
        self.copies.iter().any(|(copy, _)| copy == hash) || self.own.values().any(|content| content.hash == *hash)
    }

    pub(super) fn discard(&mut self, hash: &ContentHash) {
        self.copies.retain(|(copy, _)| copy != hash);
    }
}

impl Sim {
    /// The hub's settings for files, for its start.
    pub(super) fn hub_files(&self) -> Option<HubFiles> {
        let address = Ipv4Addr::UNSPECIFIED.into();
        self.config.files.map(|room| HubFiles { key: HUB_KEY, address, port: PORT, room })
    }

    /// Reports the existing files to a hub that has just started.
    pub(super) fn find_files(&mut self) {
        if self.config.files.is_some() {
            self.tell_hub(Input::HubFilesChanged(self.served.own.values().cloned().collect(), Vec::new()));
            for (hash, size) in self.served.copies.clone() {
                self.tell_hub(Input::CopyFound(hash, size));
            }
        }
    }

    /// Adds a file to the hub's own files.
    pub fn give_hub(&mut self, file: &str, text: &[u8]) {
        let content = content_of(file, text, EPOCH);
        self.served.own.insert(file.into(), content.clone());
        self.tell_hub(Input::HubFilesChanged(vec![content], Vec::new()));
    }

    /// Fetches a copy for the hub.
    pub(super) fn copy(&mut self, plan: CopyPlan) {
        let at = self.now + COPYING;
        self.later(at, Happening::Copied(self.host.runs, plan));
    }

    pub(super) fn copied(&mut self, CopyPlan { copy, source }: CopyPlan) {
        let hash = source.offer.hash;
        let there = self.actors.iter().any(|actor| {
            actor.key == source.key && actor.ended.is_none() && actor.disk.serves(&hash, crate::protocol::name::HUB)
        });
        let result = if there { Ok(()) } else { Err(ErrorCode::PeerUnreachable.into()) };
        if there {
            self.served.copies.insert((hash, source.offer.size));
        }
        self.tell_hub(Input::Copied(copy, result));
    }
}
