//! The hub is killed at each step of what somebody asks, and is asked again when it is back: there is one answer, and
//! what was asked is done once.

use super::*;
use crate::sim::MemoryStore;

/// What is asked, and what anna and ben have asked before: connection and request.
const WORDS: [(&str, &[(ConnId, &str)]); 12] = [
    (r#""message","to":"ben","text":"soup""#, &[]),
    (r#""broadcast","text":"soup""#, &[]),
    (r#""say","room":"lobby","text":"soup""#, &[]),
    (r#""say","room":"kitchen","text":"soup""#, &[(1, r#""room-create","room":"kitchen","members":["ben"]"#)]),
    (r#""block","name":"ben""#, &[]),
    (r#""unblock","name":"ben""#, &[(1, r#""block","name":"ben""#)]),
    (r#""room-create","room":"kitchen","members":["ben"]"#, &[]),
    (r#""room-create","room":"+","members":["ben"]"#, &[]),
    (r#""room-join","room":"hall""#, &[(2, r#""room-create","room":"hall""#)]),
    (r#""room-invite","room":"kitchen","members":["ben"]"#, &[(1, r#""room-create","room":"kitchen""#)]),
    (r#""room-leave","room":"kitchen""#, &[(1, r#""room-create","room":"kitchen","members":["ben"]"#)]),
    (r#""room-leave","room":"kitchen""#, &[(1, r#""room-create","room":"kitchen""#)]),
];

/// When the hub is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Killed {
    BeforeItIsAsked,
    /// When so many of the commits of what is asked are on disk, of which it has not heard.
    Writing(usize),
    /// When it has answered, and the answer has not arrived.
    Answering,
}

/// A hub and what is on its disk.
struct Machine {
    rig: Rig,
    disk: MemoryStore,
    kept: usize,
}

impl Machine {
    fn start(run: u64, disk: MemoryStore) -> Self {
        Self { rig: Rig::with(HubConfig { run, ..config() }, disk.load()), disk, kept: 0 }
    }

    /// What is to be written up to this commit is on disk; the hub has not heard of it.
    fn write(&mut self, commit: u64) {
        while let Some((_, record)) = self.rig.persisted.get(self.kept).filter(|(number, _)| *number <= commit) {
            self.disk.keep(record);
            self.kept += 1;
        }
    }

    /// Everything is written and answered.
    fn settle(&mut self) {
        loop {
            self.write(u64::MAX);
            self.rig.commit();
            let Some((question, query)) = self.rig.asked.pop() else { return };
            let found = self.disk.find(&query);
            self.rig.handle(Input::Found(question, found));
            self.rig.ack_all();
        }
    }

    fn ask(&mut self, conn: ConnId, id: i64, request: &str) {
        self.rig.ask(conn, &format!(r#"{{"id":{id},"request":{request}}}"#));
    }

    /// Somebody comes; to a later run of the hub, with the session of the first and what they have asked there.
    fn come(&mut self, conn: ConnId, name: &str, hello: &str) {
        self.rig.connect(conn, conn as u8);
        self.rig.line(conn, hello);
        self.rig.register(conn, name);
        self.settle();
        self.rig.received(conn, 0, &[]);
        self.settle();
    }
}

/// The commits of what was persisted from here on.
fn commits(rig: &Rig, from: usize) -> Vec<u64> {
    let mut commits: Vec<u64> = rig.persisted.iter().skip(from).map(|(commit, _)| *commit).collect();
    commits.dedup();
    commits
}

/// What came of a request whose hub was killed: the answers of both runs, how many commits it took, and what is on disk.
struct Outcome {
    first: Option<Event>,
    again: Event,
    commits: usize,
    disk: MemoryStore,
    heard: Vec<u64>,
}

fn play((request, before): (&str, &[(ConnId, &str)]), killed: Killed) -> Outcome {
    let mut hub = Machine::start(7, MemoryStore::default());
    hub.come(1, "anna", HELLO);
    hub.come(2, "ben", HELLO);
    for (id, (conn, request)) in (2..).zip(before) {
        hub.ask(*conn, id, request);
        hub.settle();
    }
    let (patience, persisted) = (hub.rig.hub.base.config.link.ack_timeout.as_millis() as u64, hub.rig.persisted.len());
    let mut count = 0;
    if killed != Killed::BeforeItIsAsked {
        hub.ask(1, 10, request);
        assert_eq!(hub.rig.answer(1, 10), None, "{request}: nothing is on disk yet");
        let commits = commits(&hub.rig, persisted);
        count = commits.len();
        match killed {
            Killed::BeforeItIsAsked | Killed::Writing(0) => {}
            Killed::Writing(written) => hub.write(commits[written - 1]),
            Killed::Answering => {
                hub.settle();
                hub.rig.pass(patience);
                hub.write(u64::MAX);
            }
        }
    }
    let first = hub.rig.answer(1, 10).cloned();
    let mut hub = Machine::start(8, hub.disk);
    for (conn, name) in [(2, "ben"), (1, "anna")] {
        let hello = format!(
            r#"{{"hello":"potluck-link/1","session":"0000000000000007-{conn}","received":9,"port":40001,"link_port":45001,"instance":"0123456789abcdef","asked":10}}"#
        );
        hub.come(conn, name, &hello);
    }
    hub.ask(1, 10, request);
    hub.settle();
    hub.rig.pass(patience);
    hub.settle();
    let again = hub.rig.answer(1, 10).cloned().unwrap_or_else(|| panic!("{request}, {killed:?}: no answer"));
    let mut heard = hub.rig.heard(2);
    heard.sort_unstable();
    Outcome { first, again, commits: count, heard, disk: hub.disk }
}

/// What an answer says that must be the same: how many have a message by now may not be.
fn essence(event: &Event) -> String {
    match event {
        Event::MessageAcked(acked) => {
            format!("{} {:?} {:?} {:?} {}", acked.number, acked.sent, acked.to, acked.room, acked.stored)
        }
        other => format!("{other:?}"),
    }
}

/// What is there in the end, without when it came.
fn effects(disk: &MemoryStore) -> String {
    let loaded = disk.load();
    let names: Vec<_> = loaded.names.iter().map(|name| (&name.name, &name.keys)).collect();
    format!("{names:?} {:?} {:?} {} {}", loaded.blocks, loaded.rooms, loaded.last_message, loaded.last_room)
}

#[test]
fn whenever_the_hub_is_killed_what_is_asked_again_has_one_answer_and_is_done_once() {
    for word in WORDS {
        let whole = play(word, Killed::Answering);
        let first = whole.first.unwrap();
        assert!(!matches!(first, Event::Error(_)), "{word:?}: {first:?}");
        assert_eq!(essence(&whole.again), essence(&first), "{word:?}");
        let writing = (0..=whole.commits).map(Killed::Writing);
        for killed in [Killed::BeforeItIsAsked].into_iter().chain(writing) {
            let outcome = play(word, killed);
            assert!(!matches!(outcome.again, Event::Error(_)), "{word:?}, {killed:?}: {:?}", outcome.again);
            if killed == Killed::Writing(whole.commits) {
                assert_eq!(essence(&outcome.again), essence(&first), "{word:?}: it was on disk");
            }
            assert_eq!(effects(&outcome.disk), effects(&whole.disk), "{word:?}, {killed:?}");
            assert_eq!(outcome.heard, whole.heard, "{word:?}, {killed:?}: ben is told once");
        }
    }
}

#[test]
fn who_registers_with_a_hub_that_is_killed_has_the_name_afterwards_and_once() {
    for written in [false, true] {
        let mut hub = Machine::start(7, MemoryStore::default());
        hub.rig.hello(1, 1);
        hub.rig.register(1, "anna");
        assert!(!hub.rig.welcomed(1), "the name is not on disk yet");
        if written {
            hub.write(u64::MAX);
        }
        let mut hub = Machine::start(8, hub.disk);
        hub.come(1, "anna", HELLO);
        assert!(hub.rig.welcomed(1));
        let names = hub.disk.load().names;
        assert_eq!(names.iter().map(|name| (name.name.as_str(), name.keys.len())).collect::<Vec<_>>(), [("anna", 1)]);
    }
}
