//! Judges requests about rooms: creating, joining and leaving them, and bringing others in.

use std::collections::BTreeSet;

use super::super::lookups::MADE_UP;
use super::super::share::share;
use super::{Author, Decision, Judge, Notice, Outcome, RoomChange};
use crate::protocol::limits::{
    HubLimits, PEOPLE_PER_REQUEST, ROOMS_ADDRESSES, ROOMS_BY_OTHERS, ROOMS_EACH, ROOMS_INVITERS,
};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_room};
use crate::protocol::record::Bringer;
use crate::protocol::types::RoomAccess;
use crate::protocol::{ErrorCode, Event, Failure, Record, event, log, request};

/// What a request gives as the name of a room that has none.
const NAMELESS: &str = "+";

impl Judge<'_> {
    /// Judges `room-create`. Members named in the request are brought in. A room is open if its request names neither
    /// members nor access.
    ///
    /// # Errors
    /// What is wrong with the name; `room-exists`, `yourself`, `no-such-person`, `not-online`, `too-many`
    pub(super) fn room_create(&self, mut create: request::RoomCreate) -> Result<Decision, Failure> {
        if create.room == NAMELESS {
            create.room = self.made_up_name();
        }
        let name_key = self.free_room_name(&create.room)?;
        let others = self.people_named(&self.author.name_key, &create.members)?;
        self.check_all_here(&others)?;
        self.check_no_twin(&self.author.name_key, &others)?;
        if self.state.rooms.len() >= self.terms.limits.rooms {
            return Err(Failure::new(ErrorCode::TooMany, format!("There can be {} rooms.", self.state.rooms.len())));
        }
        self.check_new_room()?;
        self.check_room_for(&self.author.name_key)?;
        for (i, who) in others.iter().enumerate() {
            self.check_brought(who).map_err(|failure| failure.at(pointer_at(&format!("/members/{i}"))))?;
        }
        check_members(self.terms.limits, others.len() + 1)?;
        let access = create.access.unwrap_or(if others.is_empty() { RoomAccess::Open } else { RoomAccess::Invite });
        let (room, name, owner) = (self.state.rooms.last() + 1, create.room, self.author.name_key.clone());
        let mut records = vec![Record::Room { room, name: name.clone(), name_key, access, owner }];
        records.push(self.member(room, self.author.name_key.clone(), None));
        records.extend(others.iter().map(|who| self.member(room, who.clone(), Some(self.author.as_bringer()))));
        let joined: Vec<String> = others.iter().map(|who| self.state.names.shown(who)).collect();
        let members: BTreeSet<&NameKey> = others.iter().chain([&self.author.name_key]).collect();
        let members: Vec<String> = members.into_iter().map(|who| self.state.names.shown(who)).collect();
        let count = members.len();
        let answer = event::RoomCreated { room: name.clone(), access, members };
        let notice = brought(self.author, &name, joined, others);
        Ok(room_decision(records, answer, notice, log_of(self.author, name, count)))
    }

    /// Judges `room-join`. Joining `again` is answered as if it were the first time.
    ///
    /// # Errors
    /// `no-such-room`, `already-a-member`, `room-closed`, `too-many`
    pub(super) fn room_join(&self, join: &request::RoomJoin) -> Result<Decision, Failure> {
        let at = |failure: Failure| failure.at(pointer_at("/room"));
        let room = self.state.room_named(&join.room)?;
        let name = self.state.room_name(room);
        if self.state.rooms.is_in(room, &self.author.name_key) {
            if join.again {
                return Ok(Decision::answer(
                    Vec::new(),
                    event::RoomJoined { room: name, members: self.state.member_names(room) },
                ));
            }
            return Err(at(Failure::new(ErrorCode::AlreadyAMember, format!("You are in {name} already."))));
        }
        if self.state.room_access(room) == RoomAccess::Invite {
            return Err(at(Failure::new(ErrorCode::RoomClosed, format!("{name} is not open to everybody."))));
        }
        self.check_room_for(&self.author.name_key)?;
        check_members(self.terms.limits, self.state.rooms.size(room) + 1)?;
        let me = &self.author.name_key;
        let members: BTreeSet<&NameKey> = self.state.rooms.members(room).map(|(who, _)| who).chain([me]).collect();
        let members: Vec<String> = members.into_iter().map(|who| self.state.names.shown(who)).collect();
        let records = vec![self.member(room, me.clone(), None)];
        let notice = Notice::Step { room, joined: true, name: self.author.name.clone(), name_key: me.clone() };
        let log = log_of(self.author, name.clone(), members.len());
        Ok(room_decision(records, event::RoomJoined { room: name, members }, notice, log))
    }

    /// Judges `room-invite`: brings people into a room at once.
    ///
    /// # Errors
    /// `no-such-room`, `not-a-member`, `bad-request`, `yourself`, `no-such-person`, `already-a-member`, `too-many`
    pub(super) fn room_invite(&self, invite: &request::RoomInvite) -> Result<Decision, Failure> {
        let room = self.state.own_room(&self.author.name_key, &invite.room)?;
        let name = self.state.room_name(room);
        let others = self.people_named(&self.author.name_key, &invite.members)?;
        if others.is_empty() {
            return Err(Failure::new(ErrorCode::BadRequest, "nobody is named").at(pointer_at("/members")));
        }
        for (i, who) in others.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/members/{i}")));
            if self.state.rooms.is_in(room, who) {
                let message = format!("{} is in {name} already.", self.state.names.shown(who));
                return Err(at(Failure::new(ErrorCode::AlreadyAMember, message)));
            }
            self.check_brought(who).map_err(at)?;
        }
        let count = self.state.rooms.size(room) + others.len();
        check_members(self.terms.limits, count)?;
        let joined: Vec<String> = others.iter().map(|who| self.state.names.shown(who)).collect();
        let records = others.iter().map(|who| self.member(room, who.clone(), Some(self.author.as_bringer()))).collect();
        let answer = event::RoomInvited { room: name.clone(), members: joined.clone() };
        let there = self.state.rooms.members(room).map(|(who, _)| who.clone());
        let told = there.chain(others).filter(|who| *who != self.author.name_key).collect();
        let notice = brought(self.author, &name, joined, told);
        Ok(room_decision(records, answer, notice, log_of(self.author, name, count)))
    }

    /// Judges `room-leave`.
    ///
    /// # Errors
    /// `no-such-room`, `not-a-member`
    pub(super) fn room_leave(&self, leave: &request::RoomLeave) -> Result<Decision, Failure> {
        let room = self.state.own_room(&self.author.name_key, &leave.room)?;
        let (name, me) = (self.state.room_name(room), &self.author.name_key);
        let left = self.state.rooms.size(room).saturating_sub(1);
        let mut records = vec![Record::MemberGone { room, name_key: me.clone() }];
        // A room without members is removed, and its name becomes free.
        records.extend((left == 0).then_some(Record::RoomGone { room }));
        let notice = Notice::Step { room, joined: false, name: self.author.name.clone(), name_key: me.clone() };
        let log = log_of(self.author, name.clone(), left);
        Ok(room_decision(records, event::RoomLeft { room: name }, notice, log))
    }

    fn member(&self, room: u64, name_key: NameKey, by: Option<Bringer>) -> Record {
        Record::Member { room, name_key, since: self.state.mail.last(), by }
    }

    /// A free name for a room whose maker gives none.
    fn made_up_name(&self) -> String {
        let names = (self.state.rooms.last() + 1..).map(|number| format!("{MADE_UP}{number}"));
        // Every taken name belongs to a room, and rooms are bounded, so one of these is free.
        names.into_iter().find(|name| self.state.rooms.named(&NameKey::of(name)).is_none()).unwrap_or_default()
    }

    /// Checks that a room may have this name.
    ///
    /// # Errors
    /// What is wrong with the name; `room-exists` if a room has it, or one that looks like it
    fn free_room_name(&self, name: &str) -> Result<NameKey, Failure> {
        check_room(name).map_err(|failure| failure.at(pointer_at("/room")))?;
        let name_key = NameKey::of(name);
        if let Some(room) = self.state.rooms.named(&name_key) {
            let message = format!("There is a room {} already.", self.state.room_name(room));
            return Err(Failure::new(ErrorCode::RoomExists, message).at(pointer_at("/room")));
        }
        if let Some(twin) = self.state.rooms.twin(name) {
            let twin = self.state.rooms.named(twin).map_or_else(|| twin.to_string(), |room| self.state.room_name(room));
            let message = format!("The name {name} looks like that of the room {twin}.");
            let failure = Failure::new(ErrorCode::RoomExists, message).hint("Choose another name.");
            return Err(failure.at(pointer_at("/room")));
        }
        Ok(name_key)
    }

    /// The people named in a request, each once; all must be known and others than `me`.
    fn people_named(&self, me: &NameKey, names: &[String]) -> Result<Vec<NameKey>, Failure> {
        if names.len() > PEOPLE_PER_REQUEST {
            let message = format!("One request names {PEOPLE_PER_REQUEST} people.");
            return Err(Failure::new(ErrorCode::TooMany, message).at(pointer_at("/members")));
        }
        let mut seen = BTreeSet::new();
        let keys = names.iter().enumerate().map(|(i, name)| self.state.other(me, name, &format!("/members/{i}")));
        let keys: Vec<NameKey> = keys.collect::<Result<_, _>>()?;
        Ok(keys.into_iter().filter(|key| seen.insert(key.clone())).collect())
    }

    /// Checks that all who are named for a new room are here.
    ///
    /// # Errors
    /// `not-online`
    fn check_all_here(&self, others: &[NameKey]) -> Result<(), Failure> {
        match others.iter().enumerate().find(|(_, who)| !(self.terms.is_here)(who)) {
            Some((at, who)) => {
                let message = format!("{} is not there.", self.state.names.shown(who));
                let hint = "Make the room without them; `room-invite` brings them in later.";
                let failure = Failure::new(ErrorCode::NotOnline, message).hint(hint);
                Err(failure.at(pointer_at(&format!("/members/{at}"))))
            }
            None => Ok(()),
        }
    }

    /// Checks that no room has exactly these members yet. Such a room would have `me` as a member, so only the rooms of
    /// `me` are looked at.
    ///
    /// # Errors
    /// `room-exists`
    fn check_no_twin(&self, me: &NameKey, others: &[NameKey]) -> Result<(), Failure> {
        let all_in = |room: u64| others.iter().all(|other| self.state.rooms.is_in(room, other));
        let same = |room: &u64| self.state.rooms.size(*room) == others.len() + 1 && all_in(*room);
        match self.state.rooms.joined_by(me).find(same).filter(|_| !others.is_empty()) {
            Some(twin) => {
                let name = self.state.room_name(twin);
                let failure = Failure::new(ErrorCode::RoomExists, format!("The room {name} has the same members."));
                Err(failure.hint(format!("`say {name} TEXT` reaches them.")).at(pointer_at("/members")))
            }
            None => Ok(()),
        }
    }

    /// Checks whether somebody may make one more room. The rooms of all names of their key count.
    fn check_new_room(&self) -> Result<(), Failure> {
        let most = self.terms.limits.rooms_per_key;
        if self.names_of_author().map(|name| self.state.rooms.made_by(name)).sum::<usize>() >= most {
            let message = format!("There are {most} rooms that you have made; that is the most.");
            let hint = "A room is gone when its last member has left it.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Checks whether somebody may be brought into a room: not by people whom they block, not beyond the share of their
    /// rooms that others may fill, and not beyond what one key or network may take of that share. The answer does not
    /// say which of these it is.
    fn check_brought(&self, who: &NameKey) -> Result<(), Failure> {
        let mine: BTreeSet<&NameKey> = self.names_of_author().collect();
        let bringer = self.author.as_bringer();
        let (all, most) = (self.state.rooms.bringers(who).count() as u64, ROOMS_BY_OTHERS as u64);
        let of_key = self.state.rooms.bringers(who).filter(|other| mine.contains(&other.by)).count() as u64;
        let of_network = self.state.rooms.bringers(who).filter(|other| other.network == bringer.network).count() as u64;
        let full = self.state.rooms.count_of(who) >= ROOMS_EACH
            || of_key >= share(most, all - of_key, ROOMS_INVITERS)
            || bringer.network.is_some() && of_network >= share(most, all - of_network, ROOMS_ADDRESSES);
        if full || self.state.blocks.has(who, &self.author.name_key) {
            let message = format!("{} cannot be brought into more rooms.", self.state.names.shown(who));
            let hint = "Leave them out; they can join an open room by themselves.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Checks whether somebody may be in one more room.
    fn check_room_for(&self, who: &NameKey) -> Result<(), Failure> {
        if self.state.rooms.count_of(who) >= ROOMS_EACH {
            let message = format!("{} is in {ROOMS_EACH} rooms; that is the most.", self.state.names.shown(who));
            return Err(Failure::new(ErrorCode::TooMany, message));
        }
        Ok(())
    }
}

impl Author {
    /// What a membership keeps of this person as the one who has brought others in. The hub's own machine counts as no
    /// network.
    fn as_bringer(&self) -> Bringer {
        Bringer { by: self.name_key.clone(), network: Some(self.network).filter(|network| !network.is_loopback()) }
    }
}

fn check_members(limits: &HubLimits, count: usize) -> Result<(), Failure> {
    if count > limits.members {
        return Err(Failure::new(ErrorCode::TooMany, format!("A room can have {} members.", limits.members)));
    }
    Ok(())
}

fn brought(author: &Author, room: &str, joined: Vec<String>, told: Vec<NameKey>) -> Notice {
    let (room, by) = (room.to_owned(), Some(author.name.clone()));
    Notice::Brought(event::RoomChanged { room, by, joined, left: Vec::new() }, told)
}

fn log_of(author: &Author, room: String, members: usize) -> log::RoomChanged {
    log::RoomChanged { room, by: author.name.clone(), members: members as u64 }
}

fn room_decision(records: Vec<Record>, answer: impl Into<Event>, notice: Notice, log: log::RoomChanged) -> Decision {
    let (answer, log) = (answer.into(), log.into());
    Decision { records, outcome: Outcome::Room(Box::new(RoomChange { answer, notice, log })) }
}
