//! What the hub is asked, and why.

use std::collections::BTreeMap;

use super::pages::Collecting;
use super::pending::Pending;
use super::publishing::Publishing;
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
    /// The registration with a hub that has forgotten us.
    Return,
    /// Our offers, again.
    OfferAgain,
    /// A request of the user.
    User(Box<Pending>),
    /// A further page of an answer to the user.
    Page(Box<Collecting>),
    /// A piece of what the user offers.
    Offer(Box<Publishing>),
    /// What we offer has changed on disk.
    Change,
    /// A file for one person, by the number of its transfer.
    Push(u64),
    /// The answer is of no interest.
    Forgotten,
    /// Leaving.
    Goodbye,
}

impl Origin {
    /// Whether a hub that has forgotten it is asked again.
    fn outlives_the_hub(&self) -> bool {
        match self {
            Self::User(_) | Self::Page(_) | Self::Offer(_) | Self::Change | Self::Push(_) => true,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye | Self::Forgotten => false,
        }
    }

    /// The request of the user for which this is asked; a push has its own.
    pub(super) fn pending(&self) -> Option<&Pending> {
        match self {
            Self::User(pending) => Some(pending),
            Self::Page(so_far) => Some(&so_far.pending),
            Self::Offer(publishing) => Some(&publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Forgotten => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn pending_mut(&mut self) -> Option<&mut Pending> {
        match self {
            Self::User(pending) => Some(pending),
            Self::Page(so_far) => Some(&mut so_far.pending),
            Self::Offer(publishing) => Some(&mut publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Forgotten => None,
        }
    }

    /// The same, if nothing else is wanted of this any more.
    pub(super) fn into_pending(self) -> Option<Pending> {
        match self {
            Self::User(pending) => Some(*pending),
            Self::Page(so_far) => Some(so_far.pending),
            Self::Offer(publishing) => Some(publishing.pending),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => None,
            Self::Change | Self::Push(_) | Self::Forgotten => None,
        }
    }

    /// Whether the user waits for this.
    pub(super) fn is_awaited(&self) -> bool {
        self.pending().is_some() || self.push().is_some()
    }

    /// The transfer of the push that is asked.
    pub(super) fn push(&self) -> Option<u64> {
        match self {
            Self::Push(transfer) => Some(*transfer),
            _ => None,
        }
    }

    /// The request of the user, if it was passed on as it is.
    pub(super) fn user(&self) -> Option<&Pending> {
        match self {
            Self::User(pending) => Some(pending),
            _ => None,
        }
    }

    /// Whether the user wants to hear one room.
    pub(super) fn is_focus(&self) -> bool {
        self.user().is_some_and(|pending| matches!(pending.request, Request::Focus(_)))
    }

    /// Whether it is the user's request to be registered.
    pub(super) fn is_registration(&self) -> bool {
        let registers =
            |request: &Request| matches!(request, Request::Register(_) | Request::Login(_) | Request::Rereg(_));
        self.user().is_some_and(|pending| registers(&pending.request))
    }

    /// Whether the hub is asked where this person is, to be spoken to directly.
    pub(super) fn asks_for(&self, to: &NameKey) -> bool {
        self.user().and_then(|pending| pending.request.peer()).is_some_and(|peer| NameKey::of(peer) == *to)
    }

    /// Whether what is asked later may be answered before this, and does not depend on it.
    fn may_be_passed(&self) -> bool {
        match self {
            Self::User(pending) => pending.may_be_passed(),
            Self::Page(so_far) => so_far.pending.may_be_passed(),
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye => false,
            Self::Offer(_) | Self::Change | Self::Push(_) | Self::Forgotten => false,
        }
    }

    /// How much room the answer may need.
    fn answer_room(&self) -> usize {
        match self {
            Self::User(pending) => pending.answer_room(),
            Self::Page(so_far) => so_far.pending.answer_room(),
            Self::Offer(_) => ANSWER_LARGE,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Change => 0,
            Self::Push(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }

    /// How large the request was, as it was written.
    fn bytes(&self) -> usize {
        match self {
            Self::User(pending) => pending.bytes,
            Self::Page(so_far) => so_far.pending.bytes,
            Self::Offer(_) | Self::Enter | Self::Return | Self::OfferAgain => 0,
            Self::Change | Self::Push(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }
}

/// What the hub has been asked and has not answered, by our numbers for it. They count from 1.
#[derive(Default)]
pub(super) struct Asks {
    open: BTreeMap<i64, (Ask, Origin)>,
    /// The number that was given last.
    last: i64,
    /// The oldest that is open, and since when it is the oldest.
    oldest: Option<(i64, Time)>,
}

impl Asks {
    /// The number that was given last.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Takes an ask that is made of its number.
    pub(super) fn open(&mut self, ask: impl FnOnce(i64) -> Ask, origin: Origin) -> &Ask {
        self.last += 1;
        &self.open.entry(self.last).insert_entry((ask(self.last), origin)).into_mut().0
    }

    /// The hub has answered one. Nothing if it was given up meanwhile, or was never asked.
    pub(super) fn take(&mut self, id: i64) -> Option<(Ask, Origin)> {
        self.open.remove(&id)
    }

    /// Takes those out that are of this kind.
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

    /// Why each is asked, the oldest first.
    pub(super) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.open.values().map(|(_, origin)| origin)
    }

    /// The same, to be changed.
    pub(super) fn origins_mut(&mut self) -> impl Iterator<Item = &mut Origin> {
        self.open.values_mut().map(|(_, origin)| origin)
    }

    /// What is asked, the oldest first, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Ask, &mut Origin)> {
        self.open.values_mut().map(|(ask, origin)| (ask, origin))
    }

    /// What is asked, as it is sent, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Ask> {
        self.open.values().map(|(ask, _)| ask)
    }

    /// How large the requests were, as they were written.
    pub(super) fn bytes(&self) -> usize {
        self.origins().map(Origin::bytes).sum()
    }

    /// How much room the answers may need that are still to come.
    pub(super) fn answer_room(&self) -> usize {
        self.origins().map(Origin::answer_room).sum()
    }

    /// Whether what is asked later may be answered before all of these.
    pub(super) fn may_be_passed(&self) -> bool {
        self.origins().all(Origin::may_be_passed)
    }

    /// Keeps account of which is the oldest, and since when. Gives that.
    pub(super) fn watch_oldest(&mut self, now: Time) {
        let oldest = self.open.first_key_value().map(|(id, _)| *id);
        if oldest != self.oldest.map(|(id, _)| id) {
            self.oldest = oldest.map(|id| (id, now));
        }
    }

    /// Since when the oldest has been that.
    pub(super) fn oldest_since(&self) -> Option<Time> {
        self.oldest.map(|(_, since)| since)
    }

    /// A hub that has forgotten us is asked again for what is still wanted. It counts its revisions anew: answers of
    /// which some pages are there are begun anew, too.
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
