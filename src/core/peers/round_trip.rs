//! Measures the direct round trip to another client: the time between a probe and its answer on the link.

use std::time::Duration;

use super::links::{LinkStage, PeerLink, unreachable};
use super::{PeerEvent, Peers, Person};
use crate::core::time::Time;
use crate::protocol::Failure;
use crate::protocol::name::NameKey;

/// How long a measurement may take while other frames keep arriving.
const MEASURE: Duration = Duration::from_secs(2);

impl PeerLink {
    /// A frame has arrived; `answers` says whether it answers a probe. Returns the results of measurements, and the
    /// failures of those that took too long.
    pub(super) fn measured(&mut self, now: Time, answers: bool) -> Vec<PeerEvent> {
        let over = |(_, since): &mut (u64, Time)| answers || now - *since > MEASURE;
        let over = std::iter::from_fn(|| self.measuring.pop_front_if(over));
        let busy = format!("The direct connection to {} is too busy to measure it.", self.person.name);
        let news = |(ticket, since): (u64, Time)| match answers {
            true => PeerEvent::RoundTrip { ticket, micros: now.0 - since.0 },
            false => PeerEvent::Failed { ticket, failure: unreachable(busy.clone()) },
        };
        over.map(news).collect()
    }
}

impl Peers {
    /// Measures the round trip to a person. If a link must be opened first, [`PeerEvent::Opened`] follows with the
    /// returned ticket, and the session must then call [`Peers::measure`].
    ///
    /// # Errors
    /// `too-many`.
    pub fn round_trip(&mut self, now: Time, person: Person) -> Result<u64, Failure> {
        let name = NameKey::of(&person.name);
        if !self.is_open(&name) {
            return self.open(now, person);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.measure(now, &name, ticket);
        Ok(ticket)
    }

    /// Measures the round trip on an open link. [`PeerEvent::RoundTrip`] or [`PeerEvent::Failed`] follows with this
    /// ticket.
    pub fn measure(&mut self, now: Time, name: &NameKey, ticket: u64) {
        let Some(PeerLink { stage: LinkStage::Open(carrier), measuring, .. }) = self.links.get_mut(name) else {
            let failure = unreachable("The direct connection is gone.".to_owned());
            return self.events.push_back(PeerEvent::Failed { ticket, failure });
        };
        carrier.probe(now);
        measuring.push_back((ticket, now));
        self.talking.insert(name.to_owned());
    }
}
