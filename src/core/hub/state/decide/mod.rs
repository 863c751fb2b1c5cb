//! Judges what clients and the hub's keeper propose, by the state as it is when their turn comes.
//!
//! Nothing is changed here: what comes of a proposal are records, which are applied and logged, and the answer. Limits,
//! the calendar and the tables of Unicode are looked at here and nowhere else in the state, so that a record means the
//! same in every version.

mod copies;
mod logins;
mod messages;
mod offers;
mod people;
mod presence;
mod pushes;
mod rooms;

pub(in crate::core::hub) use presence::Contest;
pub(in crate::core::hub) use pushes::{Holder, PushProposal, check_content, no_such_push};

pub(in crate::core::hub) use logins::{CheckedLogin, LoginRight};

use super::State;
use crate::protocol::limits::HubLimits;
use crate::protocol::line::pointer_at;
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::IdempotencyKey;
use crate::protocol::{ErrorCode, Event, Failure, Network, PublicKey, Record, Timestamp, event, request};

/// What a proposal is judged by beside the state: what only the hub that judges knows.
pub(in crate::core::hub) struct Terms<'a> {
    /// What the calendar says.
    pub(in crate::core::hub) today: Timestamp,
    pub(in crate::core::hub) limits: &'a HubLimits,
    /// Whether somebody is here under a name.
    pub(in crate::core::hub) is_here: &'a dyn Fn(&NameKey) -> bool,
}

/// Who proposes something.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct Author {
    /// The name as they write it.
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    /// The key that they have shown.
    pub(in crate::core::hub) key: PublicKey,
    /// Where they come from.
    pub(in crate::core::hub) network: Network,
    /// What tells this request from all others.
    pub(in crate::core::hub) idempotency_key: IdempotencyKey,
}

/// Something that somebody wants to be so.
#[derive(Debug)]
pub(in crate::core::hub) enum Proposal {
    Block(request::Block),
    Unblock(request::Unblock),
    RoomCreate(request::RoomCreate),
    RoomJoin(request::RoomJoin),
    RoomInvite(request::RoomInvite),
    RoomLeave(request::RoomLeave),
    Message(request::Message),
    Broadcast(String),
    Say(request::Say),
}

/// What comes of a proposal.
#[derive(Debug)]
pub(in crate::core::hub) struct Decision {
    /// What changes, in this order.
    pub(in crate::core::hub) records: Vec<Record>,
    pub(in crate::core::hub) outcome: Outcome,
}

/// What is told of a decision once its records are on disk.
#[derive(Debug)]
pub(in crate::core::hub) enum Outcome {
    /// The answer.
    Answer(Box<Event>),
    /// A room has changed.
    Room(Box<RoomChange>),
    /// Something was said: the answer depends on who has it by then.
    Said,
}

/// What is told of a change in a room.
#[derive(Debug)]
pub(in crate::core::hub) struct RoomChange {
    pub(in crate::core::hub) answer: Event,
    pub(in crate::core::hub) notice: Notice,
    pub(in crate::core::hub) log: LogEvent,
}

/// What others are told of a request that changes a room.
#[derive(Debug)]
pub(in crate::core::hub) enum Notice {
    /// Somebody joined by themselves, or left.
    Step { room: u64, joined: bool, name: String, name_key: NameKey },
    /// Somebody brought others in: these are told at once.
    Brought(event::RoomChanged, Vec<NameKey>),
}

impl State {
    /// Judges a proposal.
    ///
    /// # Errors
    /// Why it cannot be so, for whoever proposes it.
    pub(in crate::core::hub) fn decide(
        &self,
        terms: &Terms<'_>,
        author: &Author,
        proposal: Proposal,
    ) -> Result<Decision, Failure> {
        match proposal {
            Proposal::Block(block) => self.decide_block(author, &block.name),
            Proposal::Unblock(unblock) => self.decide_unblock(author, &unblock.name),
            Proposal::RoomCreate(create) => self.decide_room_create(terms, author, create),
            Proposal::RoomJoin(join) => self.decide_room_join(terms, author, &join),
            Proposal::RoomInvite(invite) => self.decide_room_invite(terms, author, &invite),
            Proposal::RoomLeave(leave) => self.decide_room_leave(author, &leave),
            Proposal::Message(message) => self.decide_message(terms, author, message),
            Proposal::Broadcast(text) => self.decide_broadcast(terms, author, text),
            Proposal::Say(say) => self.decide_say(terms, author, say),
        }
    }

    /// The key of somebody else who is known, named in a request at `at`.
    ///
    /// # Errors
    /// `yourself`, `no-such-person`
    pub(in crate::core::hub) fn other(&self, me: &NameKey, name: &str, at: &str) -> Result<NameKey, Failure> {
        let name_key = NameKey::of(name);
        let failure = if name_key == *me {
            ErrorCode::Yourself.into()
        } else if !self.names.is_taken(&name_key) {
            let shown: String = name.chars().take(40).collect();
            Failure::new(ErrorCode::NoSuchPerson, format!("Nobody called {shown} is known here."))
        } else {
            return Ok(name_key);
        };
        Err(failure.at(pointer_at(at)))
    }

    /// All names of whoever proposes something: those of their key, too.
    fn names_of_author<'a>(&'a self, author: &'a Author) -> impl Iterator<Item = &'a NameKey> {
        let others = self.names.names_of(&author.key).filter(|name| **name != author.name_key);
        others.chain([&author.name_key])
    }
}

impl Decision {
    fn answer(records: Vec<Record>, answer: impl Into<Event>) -> Self {
        Self { records, outcome: Outcome::Answer(Box::new(answer.into())) }
    }
}
