//! Judges what clients and the hub's keeper propose, by the state at the moment when their turn comes.
//!
//! Judging changes nothing. It results in records, which are then applied and logged, and in the answer. Limits, the
//! calendar and Unicode tables are used here and nowhere else in the state, so that a record means the same in every
//! version.
//!
//! What a client asks to change goes through [`State::decide`], which has a `Judge` for each proposal. What comes from
//! sessions, files, logins and the keeper has a function for each kind of proposal.

mod copies;
mod entering;
mod logins;
mod messages;
mod offers;
mod people;
mod presence;
mod pushes;
mod rooms;

pub(in crate::core::hub) use copies::copied;
pub(in crate::core::hub) use entering::{Entrant, enter, login_required, may_connect, name_taken, wants_invite};
pub(in crate::core::hub) use logins::{
    CheckedLogin, LoginRight, beginning, check_invite, checked_login, login_failed, login_right,
};
pub(in crate::core::hub) use messages::trim;
pub(in crate::core::hub) use offers::{TakenOff, files_gone, offer, taken_off, withdraw};
pub(in crate::core::hub) use people::reload;
pub(in crate::core::hub) use presence::{Contest, contest, free_name, hold_name, leave, show};
pub(in crate::core::hub) use pushes::{
    Holder, PushProposal, check_content, no_such_push, push, pushes_left, pushes_to_nobody,
};

use super::State;
use crate::protocol::limits::HubLimits;
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::IdempotencyKey;
use crate::protocol::{Event, Failure, Network, PublicKey, Record, Timestamp, event, request};

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
        let judge = Judge { state: self, terms, author };
        match proposal {
            Proposal::Block(block) => judge.block(&block.name),
            Proposal::Unblock(unblock) => judge.unblock(&unblock.name),
            Proposal::RoomCreate(create) => judge.room_create(create),
            Proposal::RoomJoin(join) => judge.room_join(&join),
            Proposal::RoomInvite(invite) => judge.room_invite(&invite),
            Proposal::RoomLeave(leave) => judge.room_leave(&leave),
            Proposal::Message(message) => judge.message(message),
            Proposal::Broadcast(text) => judge.broadcast(text),
            Proposal::Say(say) => judge.say(say),
        }
    }
}

/// Judges one proposal of a client, by the state, and on the terms of the judging hub.
struct Judge<'a> {
    state: &'a State,
    terms: &'a Terms<'a>,
    author: &'a Author,
}

impl<'a> Judge<'a> {
    /// All names of the proposing person: every name of their key.
    fn names_of_author(&self) -> impl Iterator<Item = &'a NameKey> + use<'a> {
        let author = self.author;
        let others = self.state.names.names_of(&author.key).filter(|name| **name != author.name_key);
        others.chain([&author.name_key])
    }
}

impl Decision {
    fn answer(records: Vec<Record>, answer: impl Into<Event>) -> Self {
        Self { records, outcome: Outcome::Answer(Box::new(answer.into())) }
    }
}
