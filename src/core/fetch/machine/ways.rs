//! What is heard of the ways to the sources: where they are, that they have left, that a better way stands.

use std::net::SocketAddr;

use super::{Fetch, Stage};
use crate::core::fetch::content::Content;
use crate::core::fetch::renewal::Renewal;
use crate::core::fetch::words::Job;
use crate::protocol::{PublicKey, Route};

impl Fetch {
    /// A source is there now, and serves at this address; or it has left for good.
    pub(super) fn whereabouts(&mut self, key: &PublicKey, address: Option<SocketAddr>) {
        let Some(source) = self.sources.number(key) else { return };
        let Some(address) = address else { return self.left(source) };
        let moved = self.sources.is_at(source, address);
        if moved {
            self.renew(source, Renewal::Moved);
        }
        self.hurry(source);
    }

    /// A source has left for good. What still comes from it is taken; if it is lost, nobody waits for it.
    fn left(&mut self, source: u32) {
        self.sources.leaves(source);
        if let Some(failure) = self.stream.left(source, &mut self.lanes) {
            self.drop_from_stream(source, failure);
        }
        if let Stage::Fetching(content) = &mut self.stage {
            let event = content.left(source, &mut self.lanes);
            self.content_event(event);
        }
    }

    /// A better way to a source stands.
    pub(super) fn better(&mut self, key: &PublicKey, route: Route) {
        if let Some(source) = self.sources.number(key) {
            self.renew(source, Renewal::Better(route));
        }
    }

    /// Our own network has changed.
    pub(super) fn network_changed(&mut self) {
        for source in 0..self.sources.all().len() as u32 {
            self.renew(source, Renewal::Moved);
        }
        let mut away = self.stream.away();
        if let Stage::Fetching(content) = &self.stage {
            away.extend(content.away());
        }
        away.into_iter().for_each(|source| self.hurry(source));
    }

    fn renew(&mut self, source: u32, renewal: Renewal) {
        if self.fate.end.is_some() {
            return;
        }
        let (now, place) = (self.now, self.sources.place(source));
        if !self.stream.files.is_over() {
            self.lanes.renew(now, (Job::Files, source), renewal, place);
        }
        if let Some(job) = self.fetching().map(Content::job) {
            self.lanes.renew(now, (job, source), renewal, place);
        }
    }

    /// A source that is lost is dialled now.
    fn hurry(&mut self, source: u32) {
        self.stream.hurry(self.now, source);
        if let Stage::Fetching(content) = &mut self.stage {
            content.hurry(self.now, source);
        }
    }

    fn fetching(&self) -> Option<&Content> {
        match &self.stage {
            Stage::Fetching(content) => Some(content),
            Stage::None | Stage::Opening(_) | Stage::Ending(..) | Stage::Placing(..) => None,
        }
    }
}
