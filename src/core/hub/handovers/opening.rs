//! Numbers of codes are opened and given back.

use super::conversation::End;
use super::{Handovers, News, known_as, refused};
use crate::core::hub::cx::Cx;
use crate::core::hub::state::decide;
use crate::core::hub::{Access, PeerId};
use crate::protocol::code::Nameplate;
use crate::protocol::limits::{CODE_ADMITTED, CODES_EACH, CODES_OPEN};
use crate::protocol::wire::{CloseCode, OpenCode};
use crate::protocol::{ErrorCode, Failure, Network, PublicKey, event, log};

/// Codes of one network that are open. The hub's own machine has no limit for its network.
const CODES_OF_NETWORK: usize = 256;

/// Price of a code, in simple requests: each has a line in the hub's log.
const CODE: usize = 100;

/// Open codes that are gone through for the price of one simple request.
const FOR_ONE: usize = 100;

impl Handovers {
    /// Handles `open_code`: tells the client its number, or why it gets none.
    pub(in crate::core::hub) fn open_code(&mut self, cx: &mut Cx<'_>, id: PeerId, open: &OpenCode) {
        let ask = open.open_code;
        match self.begin_code(cx, id, open) {
            Ok(nameplate) => cx.tell(id, event::CodeOpened { ask, nameplate }),
            Err(failure) => {
                let (code, message, wait) = refused(cx, id, "parcel-send", failure);
                cx.tell(id, event::CodeRefused { ask, code, message, wait });
            }
        }
    }

    /// Gives a session a number.
    ///
    /// # Errors
    /// `access-denied`, `not-registered`, `login-required`: it may send nothing here; `slow-down`, `too-many`; `code-void`
    /// if the number that it had is somebody else's.
    fn begin_code(&mut self, cx: &mut Cx<'_>, id: PeerId, open: &OpenCode) -> Result<Nameplate, Failure> {
        cx.spend(id, u32::try_from(CODE + self.numbers.len() / FOR_ONE).unwrap_or(u32::MAX))?;
        may_send(cx, id)?;
        let Some(me) = cx.sessions.get(id) else { return Err(ErrorCode::Internal.into()) };
        let (key, address, drawn) = (me.key, me.at.address, matches!(cx.config.access, Access::Only(_)));
        if open.admitted.len() > CODE_ADMITTED {
            return Err(Failure::new(ErrorCode::TooMany, "Too many receivers are named at once."));
        }
        let nameplate = match open.nameplate {
            Some(nameplate) => {
                if self.numbers.get(nameplate).is_none_or(|known| known.key != key) {
                    self.has_room(cx, key, Network::of(address.ip()))?;
                }
                if let Some(before) = self.numbers.open_again(cx.now, id, key, (nameplate, drawn))? {
                    self.loses(cx, before, nameplate);
                }
                nameplate
            }
            None => {
                self.has_room(cx, key, Network::of(address.ip()))?;
                self.numbers.open(cx.now, id, key, drawn)?
            }
        };
        if let Some(number) = self.numbers.get_mut(nameplate) {
            number.admitted.extend(&open.admitted);
        }
        self.news.push(News::Place(id));
        cx.log(log::ParcelOpened { code: nameplate, name: known_as(cx, id), address: address.to_string() });
        Ok(nameplate)
    }

    /// Another session of the same key has taken a number: the conversations that began at it are over.
    fn loses(&mut self, cx: &mut Cx<'_>, before: PeerId, nameplate: Nameplate) {
        self.news.push(News::Place(before));
        let of = self.of.get(&before).into_iter().flatten().copied();
        let at = |number: &u64| self.open.get(number).is_some_and(|open| open.nameplate == nameplate);
        for number in of.filter(at).collect::<Vec<_>>() {
            self.end(cx, number, End::Left(before));
        }
    }

    /// Checks whether one more code may be open.
    ///
    /// # Errors
    /// `too-many`
    fn has_room(&self, cx: &Cx<'_>, key: PublicKey, network: Network) -> Result<(), Failure> {
        let most = |text: &'static str| Err(Failure::new(ErrorCode::TooMany, text));
        if self.numbers.all().filter(|number| number.key == key).count() >= CODES_EACH {
            return most("You have as many codes open as one may have.");
        }
        let there = |id| cx.sessions.get(id).is_some_and(|peer| Network::of(peer.at.address.ip()) == network);
        let full =
            !network.is_loopback() && self.numbers.all().filter(|number| there(number.id)).count() >= CODES_OF_NETWORK;
        if full {
            return most("From your address as many codes are open as may be.");
        }
        match self.numbers.len() >= CODES_OPEN {
            true => most("This hub has as many codes open as it can have."),
            false => Ok(()),
        }
    }

    /// Handles `close_code`. A number that is not the client's stays open.
    pub(in crate::core::hub) fn close_code(&mut self, cx: &mut Cx<'_>, id: PeerId, close: &CloseCode) {
        if self.numbers.get(close.close_code).is_some_and(|number| number.id == id) {
            self.numbers.close(cx.now, close.close_code);
            self.news.push(News::Place(id));
        }
    }
}

/// Checks whether a session may send parcels: it has a name, or its key suffices to enter under one.
///
/// # Errors
/// `access-denied` for a guest, `not-registered`, `login-required`
fn may_send(cx: &Cx<'_>, id: PeerId) -> Result<(), Failure> {
    let Some(me) = cx.sessions.get(id) else { return Err(ErrorCode::Internal.into()) };
    let names = cx.journal.state.names();
    match cx.config.access {
        _ if me.guest => Err(Failure::new(ErrorCode::AccessDenied, "A guest can receive here, and not send.")),
        _ if me.name.is_some() => Ok(()),
        // Nobody else gets a session.
        Access::Open | Access::Only(_) => Ok(()),
        Access::Invite if names.knows(&me.key) => Ok(()),
        Access::Invite => Err(ErrorCode::NotRegistered.into()),
        Access::Accounts if names.names_of(&me.key).any(|name| names.credential(name).is_some()) => Ok(()),
        Access::Accounts => Err(decide::login_required("This hub wants a login.")),
    }
}
