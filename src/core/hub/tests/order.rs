//! The disk is slow, now and then: everybody is answered in the order of their requests all the same, and nobody is told
//! of what is not on disk.

use std::collections::BTreeSet;

use super::*;
use crate::core::time::Rng;
use crate::protocol::wire::Ask;
use crate::sim::MemoryStore;

const NAMES: [&str; 4] = ["anna", "ben", "cleo", "dora"];
const ROOMS: [&str; 3] = ["kitchen", "hall", "music"];

/// What has ever been on disk.
#[derive(Default)]
struct Known {
    names: BTreeSet<String>,
    blocks: BTreeSet<(NameKey, NameKey)>,
    rooms: BTreeMap<u64, String>,
    members: BTreeSet<(String, NameKey)>,
    messages: BTreeSet<u64>,
}

impl Known {
    fn add(&mut self, record: &Record) {
        match record {
            Record::Name { name, .. } => self.names.extend([name.clone()]),
            Record::Block { by, whom } => self.blocks.extend([(by.clone(), whom.clone())]),
            Record::Room { room, name, .. } => self.rooms.extend([(*room, name.clone())]),
            Record::Member { room, name_key, .. } => {
                self.members.extend([(self.rooms[room].clone(), name_key.clone())])
            }
            Record::Message(message) => self.messages.extend([message.number]),
            _ => {}
        }
    }

    /// Whether all that an event tells somebody is on disk.
    fn has(&self, me: &str, event: &Event) -> bool {
        let is_in = |room: &str, who: &str| self.members.contains(&(room.to_owned(), NameKey::of(who)));
        let blocks = |whom: &str| self.blocks.contains(&(NameKey::of(me), NameKey::of(whom)));
        match event {
            Event::Message(message) => self.messages.contains(&message.number),
            Event::RoomMessage(message) => self.messages.contains(&message.number),
            Event::MessageAcked(acked) => self.messages.contains(&acked.number),
            Event::History(history) => history.messages.iter().all(|message| self.messages.contains(&message.number)),
            Event::Blocked(blocked) => blocks(&blocked.name),
            Event::Unblocked(unblocked) => blocks(&unblocked.name),
            Event::Blocks(list) => list.names.iter().all(|name| blocks(name)),
            Event::Rooms(list) => list.rooms.iter().all(|room| {
                self.rooms.values().any(|known| *known == room.room) && (!room.joined || is_in(&room.room, me))
            }),
            Event::Members(list) => {
                list.members.iter().all(|member| list.room == "lobby" || is_in(&list.room, &member.name))
            }
            Event::RoomCreated(created) => created.members.iter().all(|who| is_in(&created.room, who)),
            Event::RoomJoined(joined) => joined.members.iter().all(|who| is_in(&joined.room, who)),
            Event::RoomInvited(invited) => invited.members.iter().all(|who| is_in(&invited.room, who)),
            Event::RoomLeft(left) => is_in(&left.room, me),
            Event::RoomChanged(changed) => {
                changed.joined.iter().chain(&changed.left).all(|who| is_in(&changed.room, who))
            }
            Event::RosterUpdated(update) => update.clients.iter().all(|client| self.names.contains(&client.name)),
            Event::Roster(roster) => roster.clients.iter().all(|client| self.names.contains(&client.name)),
            Event::Welcome(welcome) => self.names.contains(&welcome.name),
            _ => true,
        }
    }
}

/// A hub with four clients, and a disk that takes its time.
struct Run {
    rig: Rig,
    rng: Rng,
    disk: MemoryStore,
    written: usize,
    known: Known,
    /// How much of what each client was told has been looked at, and what each has asked.
    looked_at: [usize; 4],
    asked: [Vec<(i64, String)>; 4],
}

impl Run {
    fn new(seed: u64) -> Self {
        let limits =
            HubLimits { request_rate: 1_000_000, message_rate: 1_000_000, mailbox: 100, ..HubLimits::default() };
        let rig = Rig::new(HubConfig { limits, ..config() });
        let (disk, known) = (MemoryStore::default(), Known::default());
        let mut run =
            Self { rig, rng: Rng(seed), disk, written: 0, known, looked_at: [0; 4], asked: [const { Vec::new() }; 4] };
        for (conn, name) in (1..).zip(NAMES) {
            run.rig.hello(conn, conn as u8);
            run.rig.register(conn, name);
        }
        run
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn ask(&mut self) {
        let (who, room, name) = (self.rng.below(4) as usize, self.pick(&ROOMS), self.pick(&NAMES));
        let words = [
            r#""blocks""#,
            r#""rooms""#,
            r#""list""#,
            r#""who""#,
            r#""status""#,
            r#""history""#,
            r#""search","text":"soup""#,
            r#""broadcast","text":"soup""#,
            r#""block","name":"NAME""#,
            r#""unblock","name":"NAME""#,
            r#""message","to":"NAME","text":"soup""#,
            r#""say","room":"ROOM","text":"soup""#,
            r#""members","room":"ROOM""#,
            r#""room-create","room":"ROOM","access":"open""#,
            r#""room-create","room":"ROOM","members":["NAME"]"#,
            r#""room-join","room":"ROOM""#,
            r#""room-invite","room":"ROOM","members":["NAME"]"#,
            r#""room-leave","room":"ROOM""#,
            r#""get","file":"soup.txt""#,
            r#""chunks","file":"soup.txt""#,
            r#""withdraw","files":["soup.txt"]"#,
            r#""accept","push":1"#,
            r#""decline","push":2"#,
            r#""ping","to":"NAME""#,
            r#""private-open","to":"NAME""#,
            r#""login","name":"NAME","password":"secret""#,
            // What only a client's program asks.
            r#"publish"#,
            r#"push"#,
        ];
        let word = self.pick(&words);
        let id = 10 + self.asked[who].len() as i64;
        let line = match word {
            "publish" => format!(r#"{{"id":{id},"publish":[{}]}}"#, super::gifts::content("soup.txt")),
            "push" => format!(r#"{{"id":{id},"push":{},"to":"{name}"}}"#, super::gifts::content("soup.txt")),
            word => format!(r#"{{"id":{id},"request":{}}}"#, word.replace("NAME", name).replace("ROOM", room)),
        };
        self.asked[who].push((id, line.clone()));
        self.rig.ask(who as ConnId + 1, &line);
    }

    /// So many more records are on disk, and those that belong together with the last of them.
    fn commit(&mut self, records: usize) {
        let Some((commit, _)) =
            self.rig.persisted.get(self.written..).and_then(|rest| rest.iter().take(records).next_back())
        else {
            return;
        };
        let commit = *commit;
        while let Some((_, record)) = self.rig.persisted.get(self.written).filter(|(number, _)| *number <= commit) {
            self.disk.keep(record);
            self.known.add(record);
            self.written += 1;
        }
        self.rig.handle(Input::Committed(commit));
        self.rig.ack_all();
    }

    fn answer_question(&mut self) {
        if self.rig.asked.is_empty() {
            return;
        }
        let at = self.rng.below(self.rig.asked.len() as u64) as usize;
        let (question, query) = self.rig.asked.remove(at);
        let found = self.disk.find(&query);
        self.rig.handle(Input::Found(question, found));
        self.rig.ack_all();
    }

    /// The oldest password is checked, and wrong.
    fn check_password(&mut self) {
        if !self.rig.logins.is_empty() {
            let (attempt, _) = self.rig.logins.remove(0);
            self.rig.handle(Input::Verified(attempt, None));
            self.rig.ack_all();
        }
    }

    fn step(&mut self) {
        match self.rng.below(12) {
            0..=6 => self.ask(),
            7 => {
                let most = 1 + self.rng.below(12) as usize;
                self.commit(most);
            }
            8 => {
                self.answer_question();
                self.check_password();
            }
            9 => {
                let conn = 1 + self.rng.below(4);
                let newest = self.rig.heard(conn).into_iter().max().unwrap_or(0);
                self.rig.received(conn, newest, &[]);
            }
            _ => {
                let span = self.rng.below(40);
                self.rig.pass(span);
            }
        }
        self.look();
    }

    /// Nobody is told of what is not on disk.
    fn look(&mut self) {
        for (index, me) in NAMES.iter().enumerate() {
            let bodies = &self.rig.wires[&(index as ConnId + 1)].bodies;
            for line in bodies.iter().skip(self.looked_at[index]) {
                assert!(self.known.has(me, &line.event), "{me} is told of what is not on disk: {:?}", line.event);
            }
            self.looked_at[index] = bodies.len();
        }
    }

    /// Each has all answers, each once and in their order, but for those that wait for something else.
    fn check(&self) {
        for (index, asked) in self.asked.iter().enumerate() {
            let conn = index as ConnId + 1;
            let unanswered: Vec<_> = asked.iter().filter(|(id, _)| self.rig.answer(conn, *id).is_none()).collect();
            assert!(unanswered.is_empty(), "everything is answered, also {unanswered:?}");
            let waits = |id: i64| {
                let line = asked.iter().find(|(of, _)| *of == id).map(|(_, line)| line);
                line.and_then(|line| Ask::parse(line).ok()?.turn()?.waits_for()).is_some()
            };
            let answered = self.rig.wires[&conn].bodies.iter().filter_map(|line| match line.id {
                Some(Id::Number(id)) if line.last && id >= 10 && !waits(id) => Some(id),
                _ => None,
            });
            let answered: Vec<i64> = answered.collect();
            assert!(answered.is_sorted(), "{}: {answered:?}", NAMES[index]);
            assert!(answered.len() > 20, "enough was asked");
        }
    }
}

#[test]
fn however_slow_the_disk_is_answers_keep_their_order_and_nobody_is_told_of_what_is_not_kept() {
    for seed in 0..30 {
        let mut run = Run::new(seed);
        (0..500).for_each(|_| run.step());
        while run.written < run.rig.persisted.len() || !run.rig.asked.is_empty() || !run.rig.logins.is_empty() {
            run.commit(3);
            run.look();
            run.answer_question();
            run.check_password();
            run.look();
        }
        let patience = run.rig.hub.base.config.link.ack_timeout.as_millis() as u64;
        run.rig.pass(patience + 1_000);
        run.commit(usize::MAX);
        run.look();
        run.check();
    }
}
