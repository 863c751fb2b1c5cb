//! One parcel that is received, from the request to its final event.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::asks::Asked;
use super::planning::{Sender, plan, plan_listing};
use super::{Hands, of_hub};
use crate::core::handover::{Receiving, ReceivingStep, check_files, check_not_hidden};
use crate::core::session::pending::Pending;
use crate::core::session::{Output, ParcelOutput, PassesOn};
use crate::protocol::parcel::{Parcel, ParcelContent, Ticket};
use crate::protocol::wire::{Ask, Knock, Octets, Say};
use crate::protocol::{Code, Content, ErrorCode, Failure, PublicKey, event, request};

/// A parcel that is received.
pub(super) struct Receive {
    task: u64,
    pub(super) pending: Pending,
    request: request::ParcelReceive,
    code: Code,
    /// Its machine, once it is known what this machine has kept of the code.
    receiving: Option<Receiving>,
    found: Option<Found>,
}

/// What is received.
struct Found {
    parcel: Parcel,
    sender: PublicKey,
    /// Where the hub has seen the sender.
    seen_at: Option<IpAddr>,
    stage: Stage,
}

#[derive(Clone)]
enum Stage {
    /// Where its sender is is not known yet.
    Unplaced,
    /// The files are being listed. Where the sender is.
    Listing(SocketAddr),
    /// The files are being fetched, as the transfer of this number.
    Fetching(u64),
    /// Everything is here: where, unless it is a text.
    Here(Option<String>),
}

/// How it ends.
pub(super) enum End {
    Received(event::ParcelReceived),
    Failed(Failure),
}

impl Receive {
    pub(super) fn new(task: u64, pending: Pending, request: request::ParcelReceive, code: Code) -> Self {
        Self { task, pending, request, code, receiving: None, found: None }
    }

    pub(super) fn code(&self) -> &Code {
        &self.code
    }

    /// What this machine has kept of the code, if it was right before.
    pub(super) fn begin(&mut self, hands: &mut Hands<'_>, ticket: Option<Ticket>) {
        let code = self.code.clone();
        self.receiving.get_or_insert_with(|| Receiving::new(hands.now, hands.ours, code, ticket));
    }

    pub(super) fn receiving(&self) -> Option<&Receiving> {
        self.receiving.as_ref()
    }

    pub(super) fn receiving_mut(&mut self) -> Option<&mut Receiving> {
        self.receiving.as_mut()
    }

    /// The sender, once the code was right.
    pub(super) fn sender(&self) -> Option<PublicKey> {
        self.found.as_ref().map(|found| found.sender)
    }

    /// The transfer that fetches it.
    pub(super) fn transfer(&self) -> Option<u64> {
        match self.found.as_ref()?.stage {
            Stage::Fetching(transfer) => Some(transfer),
            Stage::Unplaced | Stage::Listing(_) | Stage::Here(_) => None,
        }
    }

    /// Does what the machine wants. Returns how it ends, if it does.
    pub(super) fn carry_out(&mut self, hands: &mut Hands<'_>) -> Option<End> {
        while let Some(step) = self.receiving.as_mut()?.poll() {
            match step {
                ReceivingStep::Knock(share) => {
                    let (knock, ask) = (self.code.nameplate(), hands.asks.ask(Asked::Knock(self.task)));
                    hands.tell_hub(Ask::Knock(Knock { knock, ask, share: share.map(Octets::from) }));
                }
                ReceivingStep::Say(say, message) => {
                    hands.tell_hub(Ask::Say(Say { say, message: Octets(message) }));
                }
                ReceivingStep::HangUp(conversation) => hands.hang_up(conversation, false),
                ReceivingStep::Keep(ticket) => hands.cx.output(Output::Parcel(ParcelOutput::KeepTicket(ticket))),
                ReceivingStep::Forget => hands.cx.output(Output::Parcel(ParcelOutput::DropTicket(self.code.clone()))),
                ReceivingStep::Found(parcel, key) => self.found(hands, *parcel, key),
                ReceivingStep::Again(parcel) => {
                    if let Err(failure) = self.told_again(hands, &parcel) {
                        return Some(End::Failed(failure));
                    }
                }
                ReceivingStep::Gone => return Some(End::Failed(ErrorCode::ParcelGone.into())),
                ReceivingStep::Told => return self.received(),
                ReceivingStep::Failed(failure) => return Some(End::Failed(of_hub(failure, &self.pending))),
            }
        }
        None
    }

    fn found(&mut self, hands: &mut Hands<'_>, parcel: Parcel, sender: PublicKey) {
        let Parcel { kind, ref name, files, size, .. } = parcel;
        let found = event::ParcelFound { kind, name: name.clone(), files, size, key: sender };
        hands.cx.tell_for(hands.now, self.pending.id.clone(), false, found);
        self.found.get_or_insert(Found { parcel, sender, seen_at: None, stage: Stage::Unplaced });
    }

    /// The sender has told the same parcel again: it may be served from another port by now.
    fn told_again(&mut self, hands: &mut Hands<'_>, parcel: &Parcel) -> Result<(), Failure> {
        let Some(found) = self.found.as_mut().filter(|found| found.parcel.content == parcel.content) else {
            return Ok(());
        };
        found.parcel.addresses.clone_from(&parcel.addresses);
        if std::mem::replace(&mut found.parcel.port, parcel.port) == parcel.port {
            return Ok(());
        }
        found.seen_at.map_or(Ok(()), |address| self.placed(hands, address))
    }

    /// The hub sees the sender at this address: fetches what it sends, or goes on there.
    pub(super) fn placed(&mut self, hands: &mut Hands<'_>, address: IpAddr) -> Result<(), Failure> {
        let Some(found) = &mut self.found else { return Ok(()) };
        found.seen_at = Some(address);
        // What is on the hub's own machine is where the hub is.
        let is_with_hub = address.is_loopback() || address.is_unspecified();
        let address = hands.cx.uplink.hub_address().filter(|_| is_with_hub).unwrap_or(address);
        let address = SocketAddr::new(address, found.parcel.port);
        match &mut found.stage {
            Stage::Unplaced => fits_output(hands.cx.config.downloads.passes_on, found.parcel.files)?,
            Stage::Listing(before) => {
                *before = address;
                hands.cx.output(Output::Whereabouts(vec![(found.sender, Some(address))]));
                return Ok(());
            }
            Stage::Fetching(transfer) => {
                hands.transfers.sender_is_at(hands.cx, *transfer, found.sender, address);
                return Ok(());
            }
            Stage::Here(_) => return Ok(()),
        }
        let sender = Sender { key: found.sender, nameplate: self.code.nameplate(), address };
        match found.parcel.content.clone() {
            ParcelContent::Text(_) => {
                self.here(hands, None);
                Ok(())
            }
            ParcelContent::Files(files) => self.fetch(hands, &files, address),
            ParcelContent::Listed(listing) => {
                found.stage = Stage::Listing(address);
                let plan = plan_listing(&listing, &sender)?;
                hands.cx.output(Output::Parcel(ParcelOutput::FetchListing(self.task, Arc::new(plan))));
                Ok(())
            }
        }
    }

    /// The listing has arrived: fetches the files in it.
    ///
    /// # Errors
    /// Why it could not be fetched, or `peer-broke` if it does not fit.
    pub(super) fn listed(
        &mut self,
        hands: &mut Hands<'_>,
        result: Result<Vec<Content>, Failure>,
    ) -> Result<(), Failure> {
        let Some(Found { parcel, stage: Stage::Listing(address), .. }) = &self.found else { return Ok(()) };
        let (files, address) = (result?, *address);
        check_files(parcel, &files)?;
        self.fetch(hands, &files, address)
    }

    fn fetch(&mut self, hands: &mut Hands<'_>, files: &[Content], address: SocketAddr) -> Result<(), Failure> {
        let Some(found) = &mut self.found else { return Ok(()) };
        let sender = Sender { key: found.sender, nameplate: self.code.nameplate(), address };
        let on_conflict = self.request.on_conflict.unwrap_or(hands.cx.config.downloads.on_conflict);
        let to = self.request.to.as_deref();
        let passes_on = hands.cx.config.downloads.passes_on;
        let plan = plan(&found.parcel, files, &sender, to, (on_conflict, passes_on))?;
        // What is passed on has no place.
        if to.is_none() && !plan.apart {
            check_not_hidden(&self.code, files)?;
        }
        let id = self.pending.id.clone();
        found.stage = Stage::Fetching(hands.transfers.fetch_parcel(hands.now, hands.cx, id, plan));
        Ok(())
    }

    /// Everything is here.
    pub(super) fn here(&mut self, hands: &mut Hands<'_>, path: Option<String>) {
        if let (Some(found), Some(receiving)) = (&mut self.found, &mut self.receiving) {
            found.stage = Stage::Here(path);
            receiving.complete(hands.now);
        }
    }

    /// What the user gets, once everything is here.
    fn received(&mut self) -> Option<End> {
        let Found { parcel, stage, .. } = self.found.take()?;
        let Parcel { kind, name, files, size, content, .. } = parcel;
        let path = match stage {
            Stage::Here(path) => path,
            Stage::Unplaced | Stage::Listing(_) | Stage::Fetching(_) => {
                return Some(End::Failed(ErrorCode::Internal.into()));
            }
        };
        let text = match content {
            ParcelContent::Text(text) => Some(text),
            ParcelContent::Files(_) | ParcelContent::Listed(_) => None,
        };
        Some(End::Received(event::ParcelReceived { kind, name, files, size, path, text }))
    }

    /// Why it could not be fetched, if its sender is not there any more, or does not show any more that it is: nobody is waited
    /// for in vain.
    pub(super) fn not_fetched(&self, failure: Failure, is_hub_lost: bool) -> Failure {
        let is_away = matches!(
            failure.code,
            ErrorCode::PeerUnreachable | ErrorCode::PeerBroke | ErrorCode::SourceGone | ErrorCode::SourceTooSlow
        );
        let is_alone = is_hub_lost || self.receiving.as_ref().is_some_and(Receiving::is_alone);
        match is_away {
            true if is_alone => {
                Failure::new(ErrorCode::ParcelGone, "The sender is gone before everything was here.").hint(SENT_AGAIN)
            }
            // The hub may find out late that it is gone.
            true => failure.hint(SENT_AGAIN),
            false => failure,
        }
    }

    /// The failure as it is told: what has arrived is kept, if anything could.
    pub(super) fn explained(&self, failure: Failure) -> Failure {
        match &self.found {
            Some(_) if failure.hint.is_none() && failure.code == ErrorCode::Exists => failure.hint(
                "The code is as good as before: with `--on-conflict rename`, `--on-conflict overwrite` or another name \
                 (`receive --output NAME`, `parcel-receive --to NAME`) it goes on.",
            ),
            Some(_) if failure.hint.is_none() && failure.code == ErrorCode::DiskFull => failure.hint(
                "Make room, or name a folder elsewhere by --downloads: the code is as good as before, while its sender \
                 waits.",
            ),
            Some(_) if failure.hint.is_none() && failure.code != ErrorCode::ParcelGone => {
                failure.hint("What has arrived is kept: `receive` with the same code goes on, while its sender waits.")
            }
            Some(_) | None => failure,
        }
    }

    /// Ends every conversation.
    pub(super) fn end(&mut self) {
        if let Some(receiving) = &mut self.receiving {
            receiving.end();
        }
    }
}

/// What can be done if the sender has perhaps ended.
const SENT_AGAIN: &str = "What has arrived is kept. While they wait, or when they send the same again (within a day, \
     `potluck send` goes on under the same code), `receive` with the same code goes on.";

/// Checks that standard output can take it, if all goes there: before anything is fetched, so that the code stays good.
fn fits_output(passes_on: PassesOn, files: u64) -> Result<(), Failure> {
    if passes_on != PassesOn::All || files <= 1 {
        return Ok(());
    }
    let message = format!("These are {files} files, which standard output cannot take.");
    let hint = "Receive them without `--output -`. Nothing was fetched, and the code is still yours.";
    Err(Failure::new(ErrorCode::TooMany, message).hint(hint))
}
