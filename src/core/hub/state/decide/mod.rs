//! Judges what clients and the hub's keeper propose, by the state at the moment when their turn comes.
//!
//! Judging changes nothing. It results in records, which are then applied and logged, and in the answer. Limits, the
//! calendar and Unicode tables are used here and nowhere else in the state, so that a record means the same in every
//! version.

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

/// What a proposal is judged by besides the state: what only the judging hub knows.
pub(in crate::core::hub) struct Terms<'a> {
    /// The calendar time.
    pub(in crate::core::hub) today: Timestamp,
    pub(in crate::core::hub) limits: &'a HubLimits,
    /// Whether somebody is here under a name.
    pub(in crate::core::hub) is_here: &'a dyn Fn(&NameKey) -> bool,
}

/// The client that proposes something.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct Author {
    /// The name as they write it.
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    /// The key with which they have connected.
    pub(in crate::core::hub) key: PublicKey,
    /// The network from which they are connected.
    pub(in crate::core::hub) network: Network,
    /// What distinguishes this request from all others.
    pub(in crate::core::hub) idempotency_key: IdempotencyKey,
}

/// What a client asks to change.
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

/// The result of an accepted proposal.
#[derive(Debug)]
pub(in crate::core::hub) struct Decision {
    /// The changes, in this order.
    pub(in crate::core::hub) records: Vec<Record>,
    pub(in crate::core::hub) outcome: Outcome,
}

/// What is told of a decision when its records are on disk.
#[derive(Debug)]
pub(in crate::core::hub) enum Outcome {
    /// The answer to the request.
    Answer(Box<Event>),
    /// The answer, and what others are told of a change in a room.
    Room(Box<RoomChange>),
    /// A message was sent. The answer depends on who has received it by then.
    Said,
}

/// The answer to a request that changes a room, and what others and the log are told of it.
#[derive(Debug)]
pub(in crate::core::hub) struct RoomChange {
    pub(in crate::core::hub) answer: Event,
    pub(in crate::core::hub) notice: Notice,
    pub(in crate::core::hub) log: LogEvent,
}

/// What others are told of a change in a room.
#[derive(Debug)]
pub(in crate::core::hub) enum Notice {
    /// A person has joined by themselves, or has left. Told to the members, gathered with others.
    Step { room: u64, joined: bool, name: String, name_key: NameKey },
    /// A person has brought others in: the event, and the people who are told of it at once.
    Brought(event::RoomChanged, Vec<NameKey>),
}

impl State {
    /// Judges a proposal.
    ///
    /// # Errors
    /// Why it is refused, as the client is told.
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

    /// The key of another person's name in a request; `at` is the field that names them.
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

    /// All names of the proposing person: every name of their key.
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
