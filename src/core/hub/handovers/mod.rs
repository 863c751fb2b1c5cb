//! Parcels that are handed over by a short code, as the hub sees them: numbers, and conversations that begin at them. See
//! [`wire::OpenCode`] for the words, and who says what when.
//!
//! The hub carries what the two sides say in order, and understands nothing of it. All of it is in memory only, and ends
//! with the sessions of the two: a number with the one that has opened it, a conversation with either.
//!
//! What ends badly is counted. Whoever knocks with a share and breaks off when the sender has answered has guessed at the
//! code, and so has whoever the sender says has. Those of one network are counted together with wrong guesses at the codes
//! of invites ([`Codes`](super::entrance::codes::Codes)), and are in the log for the hub's keeper.
//!
//! Other parts of the hub must know some of it; [`Handovers::take_news`] says what has changed.

mod conversation;
mod numbers;
mod opening;
mod seeks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::PeerId;
use super::cx::Cx;
use crate::core::time::Time;
use crate::protocol::code::Nameplate;
use crate::protocol::limits::{CODE_ADMITTED, KNOCK_TIME, LINK_STATE_BYTES, RECEIVER_BYTES};
use crate::protocol::log::RequestRefused;
use crate::protocol::wire::{Admit, HangUp, Knock, Say};
use crate::protocol::{ErrorCode, Failure, Network, PublicKey, event, log};
use conversation::{Conversation, End, Side};
use numbers::Numbers;
use seeks::Seeks;

#[cfg(doc)]
use crate::protocol::wire;

/// Conversations that one client has begun.
const KNOCKS_EACH: usize = 16;

/// Price of a knock, in simple requests: another client is told of it.
const KNOCK: u32 = 20;

/// Milliseconds after which a client may knock again at a number where somebody else is.
const ASK_AGAIN: u64 = 500;

/// The numbers of codes, and the conversations of those who have knocked at them.
pub(super) struct Handovers {
    numbers: Numbers,
    open: BTreeMap<u64, Conversation>,
    /// The number of the newest conversation.
    last: u64,
    /// The conversations in which nobody is admitted yet, in the order of their deadlines.
    waiting: BTreeSet<u64>,
    /// The conversations of each session, on either side.
    of: BTreeMap<PeerId, BTreeSet<u64>>,
    seeks: Seeks,
    news: Vec<News>,
}

/// What other parts of the hub must know.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// Whether this session [holds its place](Handovers::holds_place) may have changed.
    Place(PeerId),
    /// The receiver of an admitted conversation may meet the sender no more: these two.
    Parted([PeerId; 2]),
    /// Somebody in this network has guessed at a code.
    Guess(Network),
}

/// The other side of an admitted conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partner {
    /// Its session.
    pub(super) id: PeerId,
    /// The session of the one that has opened the code: one of the two.
    pub(super) sender: PeerId,
}

impl Handovers {
    /// No numbers yet. Those that are drawn follow from the seed; they are no secret.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            numbers: Numbers::new(seed),
            open: BTreeMap::new(),
            last: 0,
            waiting: BTreeSet::new(),
            of: BTreeMap::new(),
            seeks: Seeks::default(),
            news: Vec::new(),
        }
    }

    /// Handles `knock`: brings the client together with whoever has opened the number, or says why not. `may_guess` is what
    /// is known of wrong guesses from its network.
    pub(super) fn knock(&mut self, cx: &mut Cx<'_>, id: PeerId, knock: Knock, may_guess: Result<(), Failure>) {
        let ask = knock.ask;
        if let Err(failure) = self.begin(cx, id, knock, may_guess) {
            let (code, message, wait) = refused(cx, id, "parcel-receive", failure);
            cx.tell(id, event::KnockRefused { ask, code, message, wait });
        }
    }

    /// Begins a conversation.
    ///
    /// # Errors
    /// `slow-down`, and those of [`Handovers::may_knock`].
    fn begin(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        Knock { knock: nameplate, ask, share }: Knock,
        may_guess: Result<(), Failure>,
    ) -> Result<(), Failure> {
        cx.spend(id, KNOCK)?;
        let said = share.as_ref().map(|share| share.0.len());
        let [sender, receiver] = self.may_knock(cx, id, nameplate, said, may_guess)?;
        let at = |side: Side| cx.sessions.get(side.id).map(|peer| peer.at.address.ip());
        let (from, address) = at(sender).zip(at(receiver)).ok_or(ErrorCode::NoSuchCode)?;
        if said.is_none() {
            self.comes_anew(cx, nameplate, sender.id, receiver.key);
        }
        self.last += 1;
        let conversation = self.last;
        if let Some(number) = self.numbers.get_mut(nameplate).filter(|_| said.is_some()) {
            number.exchange = Some(conversation);
        }
        let begun = Conversation::new(cx.now, nameplate, [sender, receiver], address, said);
        self.open.insert(conversation, begun);
        self.waiting.insert(conversation);
        for side in [sender, receiver] {
            self.of.entry(side.id).or_default().insert(conversation);
        }
        cx.tell(sender.id, event::Knocked { conversation, nameplate, key: receiver.key, share });
        cx.tell(id, event::KnockAnswered { ask, conversation, key: sender.key, address: from });
        Ok(())
    }

    /// Checks whether a client may knock at a number, with a share of so many bytes or without one. Returns the sender, and
    /// the client.
    ///
    /// # Errors
    /// `no-such-code`; `code-void` if the client comes without a share and was not admitted; `code-busy` while somebody
    /// exchanges the code, or the sender does not listen; `yourself`, `too-many`, `wrong-protocol`.
    fn may_knock(
        &self,
        cx: &Cx<'_>,
        id: PeerId,
        nameplate: Nameplate,
        share: Option<usize>,
        may_guess: Result<(), Failure>,
    ) -> Result<[Side; 2], Failure> {
        let number = self.numbers.get(nameplate).ok_or(ErrorCode::NoSuchCode)?;
        let (me, them) = cx.sessions.get(id).zip(cx.sessions.get(number.id)).ok_or(ErrorCode::NoSuchCode)?;
        if number.id == id {
            return Err(ErrorCode::Yourself.into());
        }
        match share {
            Some(_) => {
                may_guess?;
                if number.exchange.is_some() || number.admitted.len() >= CODE_ADMITTED {
                    return Err(Failure::from(ErrorCode::CodeBusy).wait(ASK_AGAIN));
                }
            }
            None if number.admitted.contains(&me.key) => {}
            None => {
                let message = "The hub does not know that the sender has let you in before.";
                return Err(Failure::new(ErrorCode::CodeVoid, message));
            }
        }
        if share.is_some_and(|bytes| bytes > RECEIVER_BYTES) {
            return Err(Failure::new(ErrorCode::WrongProtocol, "That is no share of a code."));
        }
        if them.link.unacked_bytes() >= LINK_STATE_BYTES {
            // Otherwise whoever knows a number could fill its link until it is thrown out.
            return Err(Failure::new(ErrorCode::CodeBusy, "The sender does not listen just now.").wait(ASK_AGAIN));
        }
        let begun = |number: &&u64| self.open.get(number).is_some_and(|open| open.receiver.id == id);
        if self.of.get(&id).into_iter().flatten().filter(begun).count() >= KNOCKS_EACH {
            return Err(Failure::new(ErrorCode::TooMany, "You receive as much as one may at once."));
        }
        Ok([Side { id: number.id, key: number.key }, Side { id, key: me.key }])
    }

    /// A receiver comes back: what it began before at this number is over, since it has lost that.
    fn comes_anew(&mut self, cx: &mut Cx<'_>, nameplate: Nameplate, sender: PeerId, key: PublicKey) {
        let same = |open: &Conversation| {
            open.nameplate == nameplate && open.receiver.key == key && (open.admitted || !open.exchanges)
        };
        let of = self.of.get(&sender).into_iter().flatten();
        let before = of.filter_map(|number| Some((*number, self.open.get(number).filter(|open| same(open))?)));
        let before: Vec<_> = before.map(|(number, open)| (number, open.receiver.id)).collect();
        for (number, receiver) in before {
            self.end(cx, number, End::Left(receiver));
        }
    }

    /// Handles `say`: passes it on. It costs nothing, since the knock has been paid for and what is said has a bound. What is too much ends the conversation; what is said in none of the client's is dropped.
    pub(super) fn say(&mut self, cx: &mut Cx<'_>, id: PeerId, Say { say, message }: Say) {
        let Some(open) = self.open.get_mut(&say) else { return };
        let Some(other) = open.other(id) else { return };
        if !open.count(id, message.0.len()) {
            return self.end(cx, say, End::Stopped);
        }
        open.can_guess |= open.exchanges && id == open.sender.id;
        cx.tell(other.id, event::Said { conversation: say, message });
    }

    /// Handles `admit`: from now on the two may meet.
    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, id: PeerId, Admit { admit }: Admit) {
        let Some(open) = self.open.get_mut(&admit).filter(|open| open.sender.id == id && !open.admitted) else {
            return;
        };
        open.admitted = true;
        let (code, receiver, address) = (open.nameplate, open.receiver, open.address.to_string());
        self.waiting.remove(&admit);
        if let Some(number) = self.numbers.get_mut(code).filter(|number| number.id == id) {
            number.exchange.take_if(|exchange| *exchange == admit);
            number.admitted.insert(receiver.key);
        }
        self.news.extend([id, receiver.id].map(News::Place));
        cx.log(log::ParcelAdmitted { code, name: known_as(cx, receiver.id), address });
    }

    /// Handles `hang_up`.
    pub(super) fn hang_up(&mut self, cx: &mut Cx<'_>, id: PeerId, hang_up: HangUp) {
        let number = hang_up.hang_up;
        let Some(open) = self.open.get(&number).filter(|open| open.other(id).is_some()) else { return };
        let is_sender = open.sender.id == id;
        let (code, address, key) = (open.nameplate, open.address, open.receiver.key);
        if is_sender && open.admitted {
            // It has what it came for, or gets no more.
            if let Some(number) = self.numbers.get_mut(code).filter(|number| number.id == id) {
                number.admitted.remove(&key);
            }
        }
        if is_sender && hang_up.guessed && open.exchanges && !open.admitted {
            self.guessed(cx, code, address);
        }
        self.end(cx, number, End::HungUp(id));
    }

    /// A session has ended: its numbers are free, and its conversations over.
    pub(super) fn left(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        for number in self.numbers.of(id) {
            self.numbers.close(cx.now, number);
        }
        for number in self.of.get(&id).into_iter().flatten().copied().collect::<Vec<_>>() {
            self.end(cx, number, End::Left(id));
        }
    }

    /// Ends a conversation, and tells whoever must know.
    fn end(&mut self, cx: &mut Cx<'_>, number: u64, end: End) {
        let Some(ended) = self.open.remove(&number) else { return };
        self.waiting.remove(&number);
        let pair = [ended.sender.id, ended.receiver.id];
        for id in pair {
            if let Some(of) = self.of.get_mut(&id) {
                of.remove(&number);
                if of.is_empty() {
                    self.of.remove(&id);
                }
            }
        }
        if let Some(open) = self.numbers.get_mut(ended.nameplate) {
            open.exchange.take_if(|exchange| *exchange == number);
        }
        for (id, gone) in ended.told_of(end) {
            cx.tell(id, event::HungUp { conversation: number, gone });
        }
        if ended.breaks_off(end) {
            self.guessed(cx, ended.nameplate, ended.address);
        }
        if ended.admitted {
            self.news.extend(pair.map(News::Place));
            if self.partner(pair[1], &ended.sender.key).is_none_or(|other| other.id != pair[0]) {
                self.news.push(News::Parted(pair));
            }
        }
    }

    fn guessed(&mut self, cx: &mut Cx<'_>, code: Nameplate, address: IpAddr) {
        self.news.push(News::Guess(Network::of(address)));
        cx.log(log::ParcelGuessed { code, address: address.to_string() });
    }

    /// The other side of an admitted conversation of this session, if it has this key.
    pub(super) fn partner(&self, id: PeerId, key: &PublicKey) -> Option<Partner> {
        let mut all = self.of.get(&id)?.iter().rev().filter_map(|number| self.open.get(number));
        all.find_map(|open| {
            let other = open.other(id).filter(|other| open.admitted && other.key == *key)?;
            Some(Partner { id: other.id, sender: open.sender.id })
        })
    }

    /// Whether a session keeps its place although it has no name: it has opened a number, or takes part in a conversation in
    /// which the receiver is admitted.
    pub(super) fn holds_place(&self, id: PeerId) -> bool {
        let admitted = |number| self.open.get(number).is_some_and(|open| open.admitted);
        self.numbers.has(id) || self.of.get(&id).is_some_and(|of| of.iter().any(admitted))
    }

    /// Whether anything is lost with a session.
    pub(super) fn has(&self, id: PeerId) -> bool {
        self.numbers.has(id) || self.of.contains_key(&id)
    }

    /// What has changed since this was asked last.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// When the oldest conversation without an admitted receiver is over.
    pub(super) fn due(&self) -> Option<Time> {
        let oldest = self.waiting.first().and_then(|number| self.open.get(number));
        oldest.map(|open| open.since + KNOCK_TIME)
    }

    /// Ends the conversations that have waited for too long.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>) {
        while let Some(&number) = self.waiting.first() {
            if self.due().is_some_and(|due| due > cx.now) {
                return;
            }
            self.waiting.remove(&number);
            self.end(cx, number, End::Stopped);
        }
    }

    /// The sizes of all collections, for `Hub::counts`.
    pub(super) fn counts(&self) -> [(&'static str, usize); 4] {
        [
            ("codes of parcels", self.numbers.len()),
            ("conversations", self.open.len()),
            ("conversations that wait", self.waiting.len()),
            ("conversations of sessions", self.of.len()),
        ]
    }
}

/// The name by which the keeper knows a session: its own, or else one that its key has; empty for a guest.
pub(super) fn known_as(cx: &Cx<'_>, id: PeerId) -> String {
    let Some(peer) = cx.sessions.get(id) else { return String::new() };
    let names = cx.journal.state.names();
    let owned = || names.names_of(&peer.key).next().map(|name| names.shown(name));
    peer.name.as_ref().map(|own| own.name.clone()).or_else(owned).unwrap_or_default()
}

/// Logs that something was refused; returns code, message and wait for whoever is told.
fn refused(cx: &mut Cx<'_>, id: PeerId, request: &str, failure: Failure) -> (ErrorCode, String, Option<u64>) {
    let (code, message) = (failure.code, failure.message.into_owned());
    let (name, request) = (known_as(cx, id), request.to_owned());
    cx.log_refusal(id, RequestRefused { name, request, code, message: message.clone(), more: None });
    (code, message, failure.wait)
}
