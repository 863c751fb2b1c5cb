//! A run of people who propose whatever they can, and what a state is asked to see whether it is the same as another.
//! The tests of the state use it, and those of the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::core::hub::LoginPolicy;
use crate::core::time::Rng;
use crate::protocol::invite::InviteDigest;
use crate::protocol::limits::HubLimits;
use crate::protocol::name::NameKey;
use crate::protocol::record::{CopyRecord, IdempotencyKey, VisitRecord};
use crate::protocol::types::Content;
use crate::protocol::{Client, ContentHash, Failure, Network, Presence, PublicKey, Timestamp, request, wire};

const NAMES: [&str; 8] = ["Anna", "ben", "Cleo", "Dora", "erin", "Fritz", "gil", "Hanna"];
const ROOMS: [&str; 5] = ["tea", "Kitchen", "music", "hall", "+"];

/// People who propose whatever they can, as long as it lasts.
pub(crate) struct Play {
    pub(crate) rng: Rng,
    pub(crate) live: State,
    pub(crate) records: Vec<Said>,
    asked: i64,
    visits: u64,
}

/// A record of either kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Kept(Record),
    OfSession(SessionRecord),
}

pub(crate) fn apply(state: &mut State, said: &Said) {
    match said {
        Said::Kept(record) => state.apply(record),
        Said::OfSession(record) => state.apply_of_session(record),
    }
}

impl Play {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng(seed), live: State::default(), records: Vec::new(), asked: 0, visits: 0 }
    }

    /// Goes on until there are so many records, or a few more.
    pub(crate) fn until(&mut self, records: usize) {
        while self.records.len() < records {
            self.step();
        }
    }

    /// The records that are kept on disk.
    pub(crate) fn kept(&self) -> Vec<Record> {
        let kept = self.records.iter().filter_map(|said| match said {
            Said::Kept(record) => Some(record.clone()),
            Said::OfSession(_) => None,
        });
        kept.collect()
    }

    /// So many messages were said, and so many rooms made.
    pub(crate) fn messages_and_rooms(&self) -> (u64, u64) {
        (self.live.mail().last(), self.live.rooms().last())
    }

    fn pick(&mut self, of: &[&str]) -> String {
        let at = self.rng.below(of.len() as u64) as usize;
        of.get(at).map(|name| (*name).to_owned()).unwrap_or_default()
    }

    fn take_of_session(&mut self, record: SessionRecord) {
        self.live.apply_of_session(&record);
        self.records.push(Said::OfSession(record));
    }

    fn take(&mut self, record: Record) {
        self.live.apply(&record);
        self.records.push(Said::Kept(record));
    }

    /// One step: most are proposals, some are what sessions and the keeper do.
    pub(crate) fn step(&mut self) {
        let name = self.pick(&NAMES);
        let (name_key, key) = (NameKey::of(&name), PublicKey([self.rng.below(4) as u8; 32]));
        let record = match self.rng.below(20) {
            0 => Record::Name { name, name_key, key, since: 0, credential: None },
            1 => {
                let number = self.live.mail().last().saturating_sub(self.rng.below(5));
                Record::Received { name_key, number }
            }
            2 => {
                let Some(reader) = self.live.mail().reader(&name_key) else { return };
                let (mut attendance, last) = (reader.attendance.clone(), self.live.mail().last());
                if self.rng.below(2) == 0 {
                    attendance.begins(last)
                } else {
                    attendance.ends(last)
                };
                Record::There { name_key, spans: attendance.spans().to_vec() }
            }
            4 | 5 => return self.session(name),
            6 => return self.login(name, key),
            7 => return self.copy(name),
            8 => self.visit(name, key),
            10 => return self.propose_of_session(name),
            3 if self.rng.below(40) == 0 => return self.remove(name_key),
            9 if self.rng.below(10) == 0 => {
                let below = self.live.mail().last().saturating_sub(self.rng.below(100));
                let Some(trim) = decide::trim(&self.live, below) else { return };
                trim
            }
            _ => return self.propose(name, name_key, key),
        };
        self.take(record);
    }

    /// Somebody comes or goes, offers something or not any more.
    fn session(&mut self, name: String) {
        let (number, at) = (self.rng.below(50), Timestamp(self.asked));
        let (file, owner): (Arc<str>, Arc<str>) = (format!("{}.txt", self.rng.below(40)).into(), name.as_str().into());
        let (last, session) = (self.live.pushes().last(), self.rng.below(9));
        let record = match self.rng.below(9) {
            0 | 1 => {
                let state = Presence::Online;
                let (key, address) = (PublicKey([1; 32]), [10, 0, 0, 1].into());
                let client = Client {
                    name,
                    number,
                    state,
                    since: at,
                    key,
                    address,
                    port: 1,
                    link_port: 2,
                    you: false,
                    verified: None,
                };
                SessionRecord::Here { client }
            }
            2 => SessionRecord::Left { name, closed: at },
            3 => {
                let hash = ContentHash([self.rng.below(9) as u8; 32]);
                let content = Content { file, size: number, hash, chunk_size: 1 << 20, chunks: 1, modified: None };
                SessionRecord::Listed { owner, server: Owner::Client(number), content: content.into() }
            }
            4 => {
                let hash = ContentHash([3; 32]);
                let content = Content { file, size: 1, hash, chunk_size: 1 << 20, chunks: 1, modified: None };
                let (giver, giver_key, to) = (name.clone(), NameKey::of(&name), NameKey::of("ben"));
                let push = Push { from: session, giver, giver_key, to, content: content.into(), taker: None };
                SessionRecord::Pushed { number: last + 1, push }
            }
            5 => SessionRecord::PushTaken { number: last, taker: Some(session).filter(|session| *session > 3) },
            6 => SessionRecord::PushGone { number: self.rng.below(last + 1), why: PushEnd::TakenBack },
            7 => {
                let name_key = NameKey::of(&name);
                match self.live.roster().holder(&name_key) {
                    Some(held) if self.rng.below(2) == 0 => match decide::free_name(&self.live, &name_key, held) {
                        Some(freed) => freed,
                        None => return,
                    },
                    _ => decide::hold_name(&self.live, &name_key, session),
                }
            }
            _ => SessionRecord::Unlisted { owner, file },
        };
        self.take_of_session(record);
    }

    /// Somebody proposes something that lasts as long as their session.
    fn propose_of_session(&mut self, name: String) {
        let by = Holder { session: self.rng.below(9), name_key: NameKey::of(&name), name };
        let (number, file) = (self.rng.below(self.live.pushes().last() + 2), format!("{}.txt", self.rng.below(40)));
        let hash = ContentHash([self.rng.below(9) as u8; 32]);
        let content =
            Content { file: file.as_str().into(), size: 1, hash, chunk_size: 1 << 20, chunks: 1, modified: None };
        let owner: Arc<str> = by.name.as_str().into();
        let proposal = match self.rng.below(8) {
            0 | 1 => PushProposal::Give(wire::Push { id: 1, push: content, to: self.pick(&NAMES) }),
            2 => PushProposal::Accept(number),
            3 => PushProposal::Decline(number),
            4 => PushProposal::NotTaken(number),
            5 => PushProposal::TakeBack(number),
            6 => {
                let offered = decide::offer(&self.live, &by, &[Arc::new(content)], 0, 20);
                for content in offered.into_iter().flatten() {
                    let (owner, server) = (owner.clone(), Owner::Client(by.session));
                    self.take_of_session(SessionRecord::Listed { owner, server, content });
                }
                return;
            }
            _ => {
                let files = decide::withdraw(&self.live, &by, request::Withdraw { files: vec![file] });
                for file in files.into_iter().flatten() {
                    let (owner, file) = (owner.clone(), file.as_str().into());
                    self.take_of_session(SessionRecord::Unlisted { owner, file });
                }
                return;
            }
        };
        if let Ok(Some(record)) = decide::push(&self.live, &by, proposal) {
            self.take_of_session(record);
        }
    }

    /// A login fails or is right, or somebody is let in by an invite.
    fn login(&mut self, name: String, key: PublicKey) {
        let (today, policy) = (Timestamp(self.asked * 500), LoginPolicy::default());
        let whom = format!("name:{}", NameKey::of(&name));
        let records: Vec<Record> = match self.rng.below(4) {
            0 => decide::login_right(&self.live, today, &whom).into_iter().collect(),
            1 => vec![Record::InviteSpent { digest: InviteDigest::of(&self.pick(&ROOMS)), key }],
            _ => {
                let address = format!("address:10.0.0.{}", self.rng.below(3));
                decide::login_failed(&self.live, today, &policy, &[(whom, 3), (address, 30)]).records().collect()
            }
        };
        records.into_iter().for_each(|record| self.take(record));
    }

    /// Somebody's visit begins, or their last one ends.
    fn visit(&mut self, name: String, key: PublicKey) -> Record {
        let (today, last) = (Timestamp(self.asked), self.live.visits().iter().find(|visit| visit.name == name));
        match last.filter(|visit| visit.closed.is_none()).cloned() {
            Some(visit) => Record::Visit(VisitRecord { closed: Some(today), messages: 3, ..visit }),
            None => {
                self.visits += 1;
                let (run, number, address) = (1 + self.visits / 300, self.visits % 300, "10.0.0.1:5".to_owned());
                Record::Visit(VisitRecord { run, number, name, key, address, opened: today, closed: None, messages: 0 })
            }
        }
    }

    /// Somebody wishes a copy; it is made, or lost.
    fn copy(&mut self, name: String) {
        let (name_key, file) = (NameKey::of(&name), format!("{}.txt", self.rng.below(9)));
        if !self.live.names().is_taken(&name_key) {
            return;
        }
        let hash = ContentHash([self.rng.below(5) as u8; 32]);
        let (size, modified) = (1 + self.rng.below(3), Some(Timestamp(self.asked)));
        let content = Content { file: file.as_str().into(), size, hash, chunk_size: 1 << 20, chunks: 1, modified };
        let (owner, key, number) = (name_key.clone(), (name_key.clone(), file.clone()), self.live.copies().last());
        match self.rng.below(5) {
            0 | 1 => {
                let wish = Wish { number: number + 1, session: self.rng.below(9), content: content.into() };
                self.take_of_session(SessionRecord::CopyWished { owner, wish });
            }
            2 => {
                // It was made for an older wish, or for this one.
                let Some(wish) = decide::copied(&self.live, number, &key) else { return };
                let content = (*wish.content).clone();
                self.take(Record::Copy(CopyRecord { name_key, owner: name, content }));
                self.take_of_session(SessionRecord::CopyUnwished { owner, file });
            }
            3 => self.take(Record::Copy(CopyRecord { name_key, owner: name, content })),
            _ => self.take(Record::CopyGone { name_key, file }),
        }
    }

    /// The keeper removes a name.
    fn remove(&mut self, name_key: NameKey) {
        for file in self.live.copies().below(&name_key, "") {
            self.take(Record::CopyGone { name_key: name_key.clone(), file });
        }
        let rooms: Vec<u64> = self.live.rooms().joined_by(&name_key).collect();
        for room in rooms.into_iter().filter(|room| self.live.rooms().size(*room) == 1).collect::<Vec<_>>() {
            self.take(Record::RoomGone { room });
        }
        self.take(Record::NameGone { name_key });
    }

    fn propose(&mut self, name: String, name_key: NameKey, key: PublicKey) {
        if !self.live.names().is_taken(&name_key) {
            return;
        }
        let address = std::net::IpAddr::from([10, 0, 0, self.rng.below(3) as u8]);
        self.asked += 1;
        let idempotency_key = IdempotencyKey { instance: "program".into(), ask: self.asked };
        let author = Author { name, name_key, key, network: Network::of(address), idempotency_key };
        let (other, room) = (self.pick(&NAMES), self.pick(&ROOMS));
        let text = "x".repeat(1 + self.rng.below(300) as usize);
        let again = false;
        let proposal = match self.rng.below(10) {
            0 => Proposal::Block(request::Block { name: other }),
            1 => Proposal::Unblock(request::Unblock { name: other }),
            2 => Proposal::RoomCreate(request::RoomCreate { room, access: None, members: vec![other] }),
            3 => Proposal::RoomJoin(request::RoomJoin { room, again }),
            4 => Proposal::RoomInvite(request::RoomInvite { room, members: vec![other] }),
            5 => Proposal::RoomLeave(request::RoomLeave { room }),
            6 => Proposal::Broadcast(text),
            7 => Proposal::Say(request::Say { room, text }),
            _ => Proposal::Message(request::Message { to: other, text }),
        };
        let limits = HubLimits { mailbox: 100, ..HubLimits::default() };
        let terms = Terms { today: Timestamp(self.asked), limits: &limits, is_here: &|_| true };
        let decided: Result<Decision, Failure> = self.live.decide(&terms, &author, proposal);
        for record in decided.into_iter().flat_map(|decision| decision.records) {
            self.take(record);
        }
    }
}

/// Questions whose answers must be the same, whatever the state was built from.
pub(crate) fn answers(state: &State) -> Vec<String> {
    let mut answers = Vec::new();
    let keys: Vec<NameKey> = NAMES.iter().map(|name| NameKey::of(name)).collect();
    for name in &keys {
        let reader = state.mail().reader(name);
        let rooms: Vec<(u64, usize)> =
            state.rooms().joined_by(name).map(|room| (room, state.rooms().size(room))).collect();
        let blocked: Vec<&NameKey> = state.blocks().blocked_by(name).collect();
        let keys: BTreeSet<&PublicKey> = state.names().keys_of(name).iter().collect();
        answers.push(format!("{name} {reader:?} {rooms:?} {blocked:?} {keys:?} {}", state.names().shown(name)));
    }
    let rooms = state.rooms().by_name().map(|(number, room)| format!("{number} {room:?}"));
    answers.extend(rooms);
    let roster = state.roster().lines().map(|client| format!("{client:?}"));
    answers.extend(roster);
    answers.extend(state.table().from(&key("", "")).map(|(key, offer)| format!("{key:?} {offer:?}")));
    answers.extend((0..=state.pushes().last()).filter_map(|n| state.pushes().get(n)).map(|push| format!("{push:?}")));
    answers.push(format!("{:?}", (0..9).map(|n| state.pushes().accepted_by(n)).collect::<Vec<_>>()));
    answers.push(format!("{:?}", state.roster().in_use()));
    answers.extend([format!("{:?}", state.failures.rows()), format!("{:?}", state.invites.rows())]);
    answers.extend([format!("{:?}", state.copies.rows()), format!("{:?}", state.visits.rows())]);
    answers.push(format!("{}", state.copies().used()));
    answers.extend([format!("{:?}", state.mail.rows()), format!("{:?}", state.rooms.rows())]);
    answers.push(format!("{}", state.mail().trimmed()));
    answers.push(format!("{} {} {}", state.rooms().last(), state.mail().last(), state.revision()));
    answers
}

pub(crate) fn assert_same(one: &State, other: &State, what: &str) {
    assert_eq!(answers(one), answers(other), "{what}");
    assert_eq!(one.digest(), other.digest(), "{what}");
}

/// As it is after the hub has begun anew.
pub(crate) fn restarted(state: &State) -> State {
    let mut state = State::restore(state.snapshot()).unwrap();
    state.begin_anew();
    state
}
