//! Parcels at a simulated client: what it gives to whoever knew a code, and what it keeps of the codes that it has used.

use std::collections::{BTreeMap, BTreeSet};

use super::content::content_of;
use super::done::Done;
use super::run::TASK;
use super::{EPOCH, Happening, Sim};
use crate::core::fetch::FetchPlan;
use crate::core::session::ParcelOutput;
use crate::protocol::limits::PARCEL_INLINE;
use crate::protocol::parcel::{Listing, Parcel, ParcelContent, ParcelKind, Ticket, name_of, stream_name};
use crate::protocol::{Code, Content, ContentHash, ErrorCode, Failure, PublicKey, to_json};

/// The parcels of a client.
#[derive(Default)]
pub(super) struct Parcels {
    /// What is in each, by its number.
    contents: BTreeMap<u64, BTreeSet<ContentHash>>,
    /// Who may fetch which, and what they are called.
    receivers: BTreeMap<PublicKey, (String, BTreeSet<u64>)>,
    listings: BTreeMap<ContentHash, Vec<Content>>,
    tickets: BTreeMap<String, Ticket>,
}

impl Parcels {
    /// The name of somebody who may fetch a parcel.
    pub(super) fn receiver(&self, key: &PublicKey) -> Option<&str> {
        self.receivers.get(key).map(|(name, _)| name.as_str())
    }

    /// Whether the holder of this key may fetch a content.
    pub(super) fn gives(&self, key: &PublicKey, hash: &ContentHash) -> bool {
        let parcels = self.receivers.get(key).into_iter().flat_map(|(_, parcels)| parcels);
        parcels.filter_map(|parcel| self.contents.get(parcel)).any(|contents| contents.contains(hash))
    }

    fn admit(&mut self, parcel: u64, key: PublicKey, name: String) {
        self.receivers.entry(key).or_insert_with(|| (name, BTreeSet::new())).1.insert(parcel);
    }

    fn drop(&mut self, parcel: u64) {
        self.contents.remove(&parcel);
        self.receivers.retain(|_, (_, parcels)| {
            parcels.remove(&parcel);
            !parcels.is_empty()
        });
    }

    fn ticket(&self, code: &Code) -> Option<Box<Ticket>> {
        self.tickets.get(&code.to_string()).cloned().map(Box::new)
    }

    fn keep(&mut self, ticket: Ticket) {
        self.tickets.insert(ticket.code.to_string(), ticket);
    }

    fn forget(&mut self, code: &Code) {
        self.tickets.remove(&code.to_string());
    }

    /// What another client on the same machine has kept.
    pub(super) fn take_tickets_of(&mut self, other: &Self) {
        self.tickets.clone_from(&other.tickets);
    }

    /// Puts files into a parcel.
    fn pack(&mut self, parcel: u64, mut files: Vec<Content>, stream: bool) -> Parcel {
        if stream {
            files.iter_mut().for_each(|file| file.file = stream_name(&file.hash).into());
        }
        let name = name_of(files.iter().map(|file| &*file.file));
        let kind = if stream { ParcelKind::Stream } else { ParcelKind::Files };
        let (count, size) = (files.len() as u64, files.iter().map(|file| file.size).sum());
        let mut hashes: BTreeSet<ContentHash> = files.iter().map(|file| file.hash).collect();
        let content = if files.len() <= PARCEL_INLINE {
            ParcelContent::Files(files)
        } else {
            let listing = content_of("listing", to_json(&Listing { files: files.clone() }).as_bytes(), EPOCH);
            hashes.insert(listing.hash);
            self.listings.insert(listing.hash, files);
            ParcelContent::Listed(listing)
        };
        self.contents.insert(parcel, hashes);
        Parcel { kind, name, files: count, size, content, addresses: Vec::new(), port: 50_000 }
    }
}

impl Sim {
    pub(super) fn do_for_parcel(&mut self, client: usize, output: ParcelOutput) {
        let parcels = &mut self.actors[client].disk.parcels;
        match output {
            ParcelOutput::Prepare { parcel, paths, stream } => self.prepare_parcel(client, parcel, &paths, stream),
            ParcelOutput::Serve(parcel, key, name) => parcels.admit(parcel, key, name),
            ParcelOutput::Drop(parcel) => parcels.drop(parcel),
            // No simulated sender is killed.
            ParcelOutput::KeepCode(..) => {}
            ParcelOutput::FetchListing(task, plan) => self.fetch_listing(client, task, &plan),
            ParcelOutput::FindTicket(task, code) => {
                let ticket = parcels.ticket(&code);
                self.later(self.now + TASK, Happening::Local(client, Done::TicketFound(task, ticket)));
            }
            ParcelOutput::KeepTicket(ticket) => parcels.keep(*ticket),
            ParcelOutput::DropTicket(code) => parcels.forget(&code),
        }
    }

    fn prepare_parcel(&mut self, client: usize, parcel: u64, paths: &[String], stream: bool) {
        let disk = &mut self.actors[client].disk;
        let gathered = disk.gather(paths);
        let prepared = gathered.map(|files| disk.parcels.pack(parcel, files, stream));
        self.later(self.now + TASK, Happening::Local(client, Done::ParcelPrepared(parcel, prepared.map(Box::new))));
    }

    /// Gets the listing of a parcel from whoever has it, if they give it.
    fn fetch_listing(&mut self, client: usize, task: u64, plan: &FetchPlan) {
        let ours = self.actors[client].key;
        let source = plan.sources.first().map(|source| source.key);
        let mut owners = self.actors.iter().filter(|actor| Some(actor.key) == source && actor.ended.is_none());
        let given = owners.find_map(|actor| {
            let parcels = &actor.disk.parcels;
            parcels.listings.get(&plan.hash).filter(|_| parcels.gives(&ours, &plan.hash)).cloned()
        });
        let listed = given.ok_or_else(|| Failure::from(ErrorCode::PeerUnreachable));
        self.later(self.now + TASK, Happening::Local(client, Done::Listed(task, listed)));
    }
}
