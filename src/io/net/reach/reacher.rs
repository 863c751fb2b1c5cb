//! The handle by which connections to peers are had.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::answering::answer;
use super::asking::race;
use super::switchboard::{Serve, Switchboard, Target, ToHub};
use super::{Proving, Reached};
use crate::core::reach::{Met, Places, Tokens};
use crate::core::session::MeetingNews;
use crate::protocol::wire::Purpose;
use crate::protocol::{Failure, PublicKey, event};

/// Gives connections to peers, over all transfers and talks of one client. Clones are the same.
#[derive(Clone)]
pub struct Reacher {
    runtime: Handle,
    switchboard: Arc<Switchboard>,
}

impl Reacher {
    /// One whose words for the hub come out of the receiver. Must be called inside a tokio runtime.
    pub fn new(seed: u64) -> (Self, mpsc::Receiver<ToHub>) {
        let (switchboard, said) = Switchboard::new(seed);
        (Self { runtime: Handle::current(), switchboard: Arc::new(switchboard) }, said)
    }

    /// Where the hub was reached now.
    pub fn set_hub(&self, address: SocketAddr) {
        self.switchboard.set_hub(address);
    }

    /// This machine stands elsewhere in the network than it did.
    pub fn network_changed(&self) {
        self.switchboard.forget_surroundings();
    }

    /// Where the hub is besides, as long as it is reached at this address. Of the other family of addresses one is used.
    pub fn hub_is_also_at(&self, address: SocketAddr, others: &[SocketAddr]) {
        if let Some(other) = others.iter().find(|other| other.is_ipv4() != address.is_ipv4()) {
            self.switchboard.hub_is_also_at(address, *other);
        }
    }

    /// The addresses of this machine at which others in its networks may find it, as seen from the hub.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        self.switchboard.surroundings().own_places(0).iter().map(SocketAddr::ip).collect()
    }

    /// Who is wanted: their own address is dialled only if it can be theirs, as seen from the hub.
    pub fn target(&self, peer: PublicKey, address: SocketAddr, purpose: Purpose) -> Target {
        let around = self.switchboard.surroundings();
        let may = around.may_dial_direct(&address);
        // Where the hub is on this machine, everybody can simply be dialled.
        let meets = around.hub.is_some_and(|hub| !hub.is_loopback());
        Target { peer, direct: Some(address).filter(|_| may), meets, purpose }
    }

    /// Begins a race. The receiver gets a stream, or why there is none, and later perhaps a better stream; if it is
    /// dropped, the race ends.
    pub fn reach<P: Proving>(&self, target: Target, proving: Arc<P>) -> mpsc::Receiver<Reached<P::Stream>> {
        let (out, reached) = mpsc::channel(2);
        self.runtime.spawn(race(self.switchboard.clone(), target, proving, out));
        reached
    }

    /// Passes on what the hub says of a meeting. If another client has asked for it, `serve` serves it, unless that is
    /// `None`.
    pub fn hear(&self, news: MeetingNews, serve: Option<Arc<Serve>>) {
        match news {
            MeetingNews::Met(met) => self.met(met, serve),
            MeetingNews::Places(event::MeetingPlaces { meeting, outer, inner }) => {
                self.switchboard.placed(meeting, Places { outer, inner });
            }
            MeetingNews::Refused(event::MeetingRefused { ask, code, message, .. }) => {
                self.switchboard.answered(ask, Err(Failure::new(code, message)));
            }
        }
    }

    fn met(&self, event: event::Meeting, serve: Option<Arc<Serve>>) {
        let tokens = Tokens { half: event.token, second: event.second_token };
        let (meeting, relays, no_relay) = (event.meeting, event.relays, event.no_relay);
        let met = Met { meeting, tokens, relays, no_relay };
        if let Some(ask) = event.ask {
            return self.switchboard.answered(ask, Ok(met));
        }
        let Some(serve) = serve else { return };
        let Some(from_hub) = self.switchboard.begin_answering(meeting, event.peer) else { return };
        let (switchboard, peer) = (self.switchboard.clone(), event.peer);
        self.runtime.spawn(async move {
            answer(&switchboard, met, peer, serve, from_hub).await;
            switchboard.end_answering(meeting);
        });
    }
}
