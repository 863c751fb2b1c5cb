//! The asks that the hub has not answered, and why each was made. An ask is a request of the user or of the client
//! itself.

use std::collections::BTreeMap;

use super::paged_answer::PagedAnswer;
use super::pending::Pending;
use super::pending_offer::PendingOffer;
use crate::core::time::Time;
use crate::protocol::limits::ANSWER_LARGE;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Ask;
use crate::protocol::{Id, Request, RequestLine};

/// Why an ask is on its way to the hub.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// The first registration.
    Enter,
    /// The registration with a restarted hub.
    Return,
    /// Our offers, told again to a restarted hub.
    OfferAgain,
    /// A request of the user.
    User(Box<Pending>),
    /// A further page of an answer to the user.
    Page(Box<PagedAnswer>),
    /// A piece of what the user offers.
    Offer(Box<PendingOffer>),
    /// Changes on disk of what we offer.
    Change,
    /// A push, by the number of its transfer.
    Push(u64),
    /// Where somebody is by now whom we could not reach where they were.
    Seek(NameKey),
    /// Something whose answer is ignored.
    Forgotten,
    /// Our deregistration at the end of the session.
    Goodbye,
}

impl Origin {
    /// Whether a restarted hub is asked again.
    fn outlives_the_hub(&self) -> bool {
        match self {
            Self::User(_) | Self::Page(_) | Self::Offer(_) | Self::Change | Self::Push(_) => true,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => false,
            Self::Seek(_) | Self::Forgotten => false,
        }
    }

    /// The user's request that waits for this answer. A push keeps its own request.
    pub(super) fn pending(&self) -> Option<&Pending> {
        match self {
            Self::User(pending) => Some(pending),
            Self::Page(so_far) => Some(&so_far.pending),
            Self::Offer(publishing) => Some(&publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Seek(_) | Self::Forgotten => None,
        }
    }

    /// The user's request, to be changed.
    pub(super) fn pending_mut(&mut self) -> Option<&mut Pending> {
        match self {
            Self::User(pending) => Some(pending),
            Self::Page(so_far) => Some(&mut so_far.pending),
            Self::Offer(publishing) => Some(&mut publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Seek(_) | Self::Forgotten => None,
        }
    }

    /// Takes out the user's request.
    pub(super) fn into_pending(self) -> Option<Pending> {
        match self {
            Self::User(pending) => Some(*pending),
            Self::Page(so_far) => Some(so_far.pending),
            Self::Offer(publishing) => Some(publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Seek(_) | Self::Forgotten => None,
        }
    }

    /// Whether a request of the user waits for this answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.pending().is_some() || self.push().is_some()
    }

    /// The push, by the number of its transfer.
    pub(super) fn push(&self) -> Option<u64> {
        if let Self::Push(transfer) = self { Some(*transfer) } else { None }
    }

    /// The user's request, if this is its first ask.
    pub(super) fn user(&self) -> Option<&Pending> {
        if let Self::User(pending) = self { Some(pending) } else { None }
    }

    /// Whether this is the user's `focus`.
    pub(super) fn is_focus(&self) -> bool {
        self.user().is_some_and(|pending| matches!(pending.request, Request::Focus(_)))
    }

    /// Whether this asks for the key of somebody whom the user verifies.
    pub(super) fn is_verify(&self) -> bool {
        self.user().is_some_and(|pending| matches!(pending.request, Request::Verify(_)))
    }

    /// Whether this is a registration that the user has asked for.
    pub(super) fn is_registration(&self) -> bool {
        let registers =
            |request: &Request| matches!(request, Request::Register(_) | Request::Login(_) | Request::Rereg(_));
        self.user().is_some_and(|pending| registers(&pending.request))
    }

    /// Whether the hub has been asked for this person's address, for a direct connection.
    pub(super) fn asks_for(&self, to: &NameKey) -> bool {
        self.user().and_then(|pending| pending.request.peer()).is_some_and(|peer| NameKey::of(peer) == *to)
    }

    /// Whether later requests may be answered first, because they do not depend on it.
    fn may_be_passed(&self) -> bool {
        match self {
            Self::User(pending) => pending.may_be_passed(),
            Self::Page(so_far) => so_far.pending.may_be_passed(),
            Self::Seek(_) => true,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => false,
            Self::Offer(_) | Self::Change | Self::Push(_) | Self::Forgotten => false,
        }
    }

    /// How many bytes the answer may need.
    fn answer_room(&self) -> usize {
        match self {
            Self::User(pending) => pending.answer_room(),
            Self::Page(so_far) => so_far.pending.answer_room(),
            Self::Offer(_) => ANSWER_LARGE,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Change => 0,
            Self::Push(_) | Self::Seek(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }

    /// The size of the user's request as it was written.
    fn bytes(&self) -> usize {
        match self {
            Self::User(pending) => pending.bytes,
            Self::Page(so_far) => so_far.pending.bytes,
            Self::Offer(_) | Self::Enter | Self::Return | Self::OfferAgain => 0,
            Self::Change | Self::Push(_) | Self::Seek(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }
}

/// What the hub has been asked and has not answered, by our numbers for it. They count from 1.
#[derive(Default)]
pub(super) struct Asks {
    open: BTreeMap<i64, (Ask, Origin)>,
    /// The number that was given last.
    last: i64,
    /// The number of the oldest open ask, and when it became the oldest.
    oldest: Option<(i64, Time)>,
}

impl Asks {
    /// The number that was given last.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Adds an ask, which `ask` makes of its number.
    pub(super) fn open(&mut self, ask: impl FnOnce(i64) -> Ask, origin: Origin) -> &Ask {
        self.last += 1;
        &self.open.entry(self.last).insert_entry((ask(self.last), origin)).into_mut().0
    }

    /// Takes out the ask with this number; none if it was given up or never asked.
    pub(super) fn take(&mut self, id: i64) -> Option<(Ask, Origin)> {
        self.open.remove(&id)
    }

    /// Takes out those for which `are` is true.
    pub(super) fn take_those(&mut self, are: impl Fn(&Origin) -> bool) -> Vec<Origin> {
        self.open.extract_if(.., |_, (_, origin)| are(origin)).map(|(_, (_, origin))| origin).collect()
    }

    /// Whether nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The origin of each, the oldest first.
    pub(super) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.open.values().map(|(_, origin)| origin)
    }

    /// The same, to be changed.
    pub(super) fn origins_mut(&mut self) -> impl Iterator<Item = &mut Origin> {
        self.open.values_mut().map(|(_, origin)| origin)
    }

    /// Each ask and its origin, the oldest first, for changing.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Ask, &mut Origin)> {
        self.open.values_mut().map(|(ask, origin)| (ask, origin))
    }

    /// Each ask, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Ask> {
        self.open.values().map(|(ask, _)| ask)
    }

    /// The size of the user's requests as they were written.
    pub(super) fn bytes(&self) -> usize {
        self.origins().map(Origin::bytes).sum()
    }

    /// How many bytes the open answers may need.
    pub(super) fn answer_room(&self) -> usize {
        self.origins().map(Origin::answer_room).sum()
    }

    /// Whether later requests may be answered before all of these.
    pub(super) fn may_be_passed(&self) -> bool {
        self.origins().all(Origin::may_be_passed)
    }

    /// Notes which is the oldest, and since when.
    pub(super) fn watch_oldest(&mut self, now: Time) {
        let oldest = self.open.first_key_value().map(|(id, _)| *id);
        if oldest != self.oldest.map(|(id, _)| id) {
            self.oldest = oldest.map(|id| (id, now));
        }
    }

    /// Since when the oldest has been the oldest.
    pub(super) fn oldest_since(&self) -> Option<Time> {
        self.oldest.map(|(_, since)| since)
    }

    /// The hub was restarted: drops what it need not be asked again, and begins answers in pages anew, since their
    /// revisions mean nothing to it.
    pub(super) fn begin_anew(&mut self) {
        self.open.retain(|_, (_, origin)| origin.outlives_the_hub());
        for (id, (ask, origin)) in &mut self.open {
            if let Origin::Page(so_far) = origin {
                let pending = so_far.pending.clone();
                let request = pending.request.clone();
                *ask = Ask::Request(RequestLine { id: Some(Id::Number(*id)), request });
                *origin = Origin::User(Box::new(pending));
            }
        }
    }
}
