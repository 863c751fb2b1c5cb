//! Exchanges of a short code for an invite.

use super::*;
use crate::core::exchange::{Binding, ConfirmedTypist, Typist};
use crate::core::secrets::Secrets;
use crate::protocol::Code;
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use crate::protocol::limits::{CODE_GUESSES, EXCHANGES};
use crate::protocol::to_json;
use crate::protocol::wire::{ExchangeAnswer, ExchangeConfirm, ExchangeEnd, ExchangeStart, Invitation};
use crate::sim::MemoryStore;

const WORDS: &str = "7-crossover-clockwork";

/// A client that has begun the exchange.
struct Typing {
    typist: Typist,
    binding: Binding,
}

/// A hub with a code for so many, and its store.
pub(super) struct Door {
    pub(super) rig: Rig,
    store: MemoryStore,
    stored: usize,
}

impl Door {
    pub(super) fn new(uses: Option<u64>, until: Option<i64>) -> Self {
        let mut store = MemoryStore::default();
        let digest = InviteDigest::of("open sesame");
        let (until, made) = (until.map(Timestamp), Timestamp(0));
        let invite = InviteRecord { name: "friends".into(), digest, uses, spent: 0, until, made, maker: None };
        let code = CodeRecord {
            nameplate: 7,
            code: Some(WORDS.parse().unwrap()),
            secret: "open sesame".into(),
            right: 0,
            answered: false,
        };
        store.add_code(invite, code);
        Self { rig: Rig::with(HubConfig { access: Access::Invite, ..config() }, store.load()), store, stored: 0 }
    }

    /// The hub starts again from what is on the disk.
    pub(super) fn restart(self) -> Self {
        let config = HubConfig { access: Access::Invite, run: 8, ..config() };
        Self { rig: Rig::with(config, self.store.load()), stored: 0, ..self }
    }

    /// The store answers everything, and writes what it was given.
    pub(super) fn store(&mut self) {
        while self.stored < self.rig.persisted.len() || !self.rig.asked.is_empty() {
            for (_, record) in &self.rig.persisted[self.stored..] {
                self.store.keep(record);
            }
            self.stored = self.rig.persisted.len();
            self.rig.commit();
            for (number, query) in std::mem::take(&mut self.rig.asked) {
                let found = self.store.find(&query);
                self.rig.handle(Input::Found(number, found));
            }
        }
    }

    /// A client begins the exchange, up to the hub's share.
    fn start(&mut self, conn: ConnId, key: u8, typed: &str) -> Typing {
        let typist = self.say_start(conn, key, typed);
        self.store();
        typist
    }

    fn say_start(&mut self, conn: ConnId, key: u8, typed: &str) -> Typing {
        let code: Code = typed.parse().unwrap();
        let nameplate = code.nameplate();
        let binding = Binding { nameplate, typist: PublicKey([key; 32]), maker: PublicKey([99; 32]), exporter: None };
        let (typist, share) = Typist::start(&code, &mut Secrets::new([key; 32]));
        self.rig.connect(conn, key);
        let start = ExchangeStart { exchange: "potluck-exchange/1".into(), nameplate, share: share.into() };
        self.rig.line(conn, &to_json(&start));
        Typing { typist, binding }
    }

    /// The client has the hub's share, and says its confirmation.
    fn confirm(&mut self, conn: ConnId, Typing { typist, binding }: Typing) -> ConfirmedTypist {
        let answer: ExchangeAnswer = serde_json::from_str(self.rig.wires[&conn].said.last().unwrap()).unwrap();
        let (typist, confirmation) = typist.confirm(&binding, &answer.share.0).unwrap();
        self.rig.line(conn, &to_json(&ExchangeConfirm { confirmation: confirmation.into() }));
        self.store();
        typist
    }

    /// A whole exchange: what it was good for, or why it was refused.
    pub(super) fn exchange(&mut self, conn: ConnId, key: u8, typed: &str) -> Result<String, ErrorCode> {
        let typist = self.start(conn, key, typed);
        if let Some(code) = self.rig.turned_away(conn) {
            return Err(code);
        }
        let typist = self.confirm(conn, typist);
        if let Some(code) = self.rig.turned_away(conn) {
            return Err(code);
        }
        let wire = &self.rig.wires[&conn];
        assert!(wire.closed, "the connection is for nothing else");
        let end: ExchangeEnd = serde_json::from_str(wire.said.last().unwrap()).unwrap();
        let opened = typist.finish(&end.confirmation.0).unwrap().open(&end.sealed.0).unwrap();
        Ok(serde_json::from_slice::<Invitation>(&opened).unwrap().invite)
    }

    fn guessed(&self) -> usize {
        self.rig.log.iter().filter(|event| matches!(event, LogEvent::CodeGuessed(_))).count()
    }
}

#[test]
fn whoever_knows_the_words_gets_the_invite_and_comes_in_with_it() {
    let mut door = Door::new(Some(1), None);
    assert_eq!(door.exchange(1, 1, WORDS), Ok("open sesame".into()));
    assert!(door.rig.log.iter().any(|event| matches!(event, LogEvent::CodeUsed(used) if used.invite == "friends")));
    door.rig.show(2, 1, "open sesame");
    door.store();
    door.rig.register(2, "anna");
    door.store();
    assert!(door.rig.welcomed(2));
    assert_eq!(door.exchange(3, 3, WORDS), Err(ErrorCode::CodeVoid), "it was for one");
    let said: String = door.rig.wires.values().flat_map(|wire| wire.said.clone()).collect();
    assert!(!said.contains("sesame") && !said.contains("crossover"), "nothing of it is said in the open");
    assert_eq!(door.guessed(), 0);
}

#[test]
fn one_wrong_guess_ends_the_code_for_everybody_and_is_told() {
    let mut door = Door::new(None, None);
    assert_eq!(door.exchange(1, 1, "7-crossover-cactus"), Err(ErrorCode::WrongCode));
    assert_eq!(door.guessed(), 1);
    assert_eq!(door.exchange(2, 2, WORDS), Err(ErrorCode::CodeVoid));
    let mut door = door.restart();
    assert_eq!(door.exchange(3, 3, WORDS), Err(ErrorCode::CodeVoid), "not even after a restart");
    assert_eq!(door.exchange(4, 4, "8-crossover-clockwork"), Err(ErrorCode::NoSuchCode));
}

#[test]
fn whoever_has_the_hubs_share_and_does_not_confirm_has_guessed() {
    // Gone, silent for too long, or saying something else.
    for how in 0..4 {
        let mut door = Door::new(None, None);
        door.start(1, 1, WORDS);
        match how {
            0 => door.rig.handle(Input::Disconnected { conn: 1, reason: "gone".into() }),
            1 => door.rig.pass(11_000),
            2 => door.rig.line(1, HELLO),
            _ => door.rig.line(1, r#"{"confirmation":"abc"}"#),
        }
        door.store();
        assert_eq!((door.guessed(), door.exchange(2, 2, WORDS)), (1, Err(ErrorCode::CodeVoid)), "{how}");
    }
}

#[test]
fn what_was_not_answered_yet_is_no_guess() {
    // The store has not answered, or not written.
    for steps in 0..2 {
        let mut door = Door::new(Some(1), None);
        door.say_start(1, 1, WORDS);
        if steps == 1 {
            let (number, query) = door.rig.asked.pop().unwrap();
            let found = door.store.find(&query);
            door.rig.handle(Input::Found(number, found));
        }
        assert!(door.rig.wires[&1].said.is_empty(), "nothing is answered before it is on disk");
        door.rig.handle(Input::Disconnected { conn: 1, reason: "gone".into() });
        door.store();
        assert_eq!((door.guessed(), door.exchange(2, 2, WORDS)), (0, Ok("open sesame".into())), "{steps}");
    }
}

#[test]
fn a_hub_that_ends_in_the_middle_counts_it_as_a_guess() {
    let mut door = Door::new(None, None);
    door.start(1, 1, WORDS);
    let mut door = door.restart();
    assert_eq!(door.exchange(2, 2, WORDS), Err(ErrorCode::CodeVoid));
    // What was right is counted over a restart.
    let mut door = Door::new(Some(2), None);
    assert_eq!(door.exchange(1, 1, WORDS), Ok("open sesame".into()));
    let mut door = door.restart();
    assert_eq!(door.exchange(2, 2, WORDS), Ok("open sesame".into()));
    let mut door = door.restart();
    assert_eq!(door.exchange(3, 3, WORDS), Err(ErrorCode::CodeVoid));
}

#[test]
fn one_at_a_time_and_the_others_are_told_to_wait() {
    let mut door = Door::new(Some(2), None);
    let typist = door.start(1, 1, WORDS);
    door.say_start(2, 2, WORDS);
    assert_eq!(door.rig.turned_away(2), Some(ErrorCode::CodeBusy));
    let typist = door.confirm(1, typist);
    drop(typist);
    assert_eq!(door.exchange(3, 2, WORDS), Ok("open sesame".into()));
}

#[test]
fn a_code_ends_with_its_time() {
    let mut door = Door::new(None, Some(5_000));
    assert!(door.exchange(1, 1, WORDS).is_ok());
    door.rig.pass(5_000);
    assert_eq!(door.exchange(2, 2, WORDS), Err(ErrorCode::CodeVoid));
}

#[test]
fn exchanges_and_guesses_have_limits() {
    let mut door = Door::new(None, None);
    for n in 0..EXCHANGES as u64 {
        door.say_start(n + 1, n as u8, &format!("{}-crossover-clockwork", n + 100));
        assert_eq!(door.rig.turned_away(n + 1), None);
    }
    door.say_start(1_000, 200, WORDS);
    assert_eq!(door.rig.turned_away(1_000), Some(ErrorCode::SlowDown));
    door.store();
    assert_eq!(door.rig.turned_away(1), Some(ErrorCode::NoSuchCode), "they are over");
    // Each guess is at another code; the last ones are not even looked up.
    let mut door = Door::new(None, None);
    for n in 0..CODE_GUESSES as u64 {
        let code = CodeRecord {
            nameplate: 100 + n as u32,
            code: Some(Code::new(100 + n as u32, 1)),
            secret: "s".into(),
            right: 0,
            answered: false,
        };
        let (name, digest, made) = (n.to_string(), InviteDigest::of(&n.to_string()), Timestamp(0));
        door.store.add_code(InviteRecord { name, digest, uses: None, spent: 0, until: None, made, maker: None }, code);
        assert_eq!(door.exchange(n + 1, 1, &format!("{}-cactus-cactus", n + 100)), Err(ErrorCode::WrongCode));
    }
    assert_eq!(door.exchange(500, 1, WORDS), Err(ErrorCode::TooMany));
    assert_eq!(door.exchange(501, 2, WORDS), Ok("open sesame".into()), "another address");
    door.rig.pass(86_400_000);
    assert!(door.exchange(502, 1, WORDS).is_ok(), "another day");
}

#[test]
fn what_is_no_line_of_an_exchange_is_refused_and_costs_nothing() {
    let share = "41".to_owned() + &"0".repeat(64);
    let lines = [
        r#"{"exchange":"potluck-exchange/2","nameplate":7,"share":""}"#.to_owned(),
        r#"{"exchange":"potluck-exchange/1","nameplate":-1,"share":""}"#.to_owned(),
        r#"{"exchange":"potluck-exchange/1","nameplate":7,"share":"xy"}"#.to_owned(),
        r#"{"exchange":"potluck-exchange/1","nameplate":7,"share":"42"}"#.to_owned(),
        format!(r#"{{"exchange":"potluck-exchange/1","nameplate":7,"share":"{share}","more":1}}"#),
        r#"{"exchange":"#.to_owned(),
        r#"{"confirmation":""}"#.to_owned(),
    ];
    let mut door = Door::new(Some(1), None);
    for (conn, line) in (1..).zip(lines) {
        door.rig.connect(conn, 1);
        door.rig.line(conn, &line);
        door.store();
        assert_eq!(door.rig.turned_away(conn), Some(ErrorCode::WrongProtocol), "{line}");
    }
    // A second line before the first one was answered.
    door.say_start(50, 1, WORDS);
    door.rig.line(50, r#"{"confirmation":""}"#);
    assert_eq!(door.rig.turned_away(50), Some(ErrorCode::WrongProtocol));
    door.store();
    assert_eq!((door.guessed(), door.exchange(60, 2, WORDS)), (0, Ok("open sesame".into())));
}
