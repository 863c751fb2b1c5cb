//! Parcels by a code: what the hub tells the two sides, from the number to the end.

use super::*;
use crate::protocol::event;
use crate::protocol::record::NameRecord;
use crate::protocol::wire::HubHello;

/// For a new session of a guest, which would like to be told everything.
pub(super) const GUEST: &str = r#"{"hello":"potluck-link/1","received":0,"port":40001,"link_port":45001,"instance":"0123456789abcdef","guest":true}"#;

pub(super) const SHARE: &str = "41aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Anna has a name at a hub that asks for invites.
pub(super) fn anna() -> NameRecord {
    let (name, name_key) = ("Anna".to_owned(), NameKey::of("Anna"));
    NameRecord { name, name_key, keys: vec![PublicKey([1; 32])], credential: None, since: 5, received: 0, unread: 0 }
}

/// A hub that asks for invites, where Anna's key is known and connected without a name (1), and two guests are (2, 3).
pub(super) fn parcel_hub() -> Rig {
    let mut rig = Rig::with_names(HubConfig { access: Access::Invite, ..config() }, vec![anna()]);
    rig.hello(1, 1);
    (2..=3).for_each(|n| rig.guest(n.into(), n));
    rig
}

/// What a client was told that is no answer to a request: the last of it first.
pub(super) fn told<T>(rig: &Rig, conn: ConnId, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
    rig.wires[&conn].bodies.iter().rev().filter_map(|line| pick(&line.event)).collect()
}

impl Rig {
    pub(super) fn guest(&mut self, conn: ConnId, key: u8) {
        self.guest_from(conn, key, &format!("10.0.0.{key}:50000"));
    }

    pub(super) fn guest_from(&mut self, conn: ConnId, key: u8, address: &str) {
        self.connect_from(conn, key, address);
        self.line(conn, GUEST);
    }

    /// Opens a code: its number, or why there is none.
    pub(super) fn open(&mut self, conn: ConnId, more: &str) -> Result<u32, &'static str> {
        self.ask(conn, &format!(r#"{{"open_code":1{more}}}"#));
        let answers = told(self, conn, |event| match event {
            Event::CodeOpened(opened) => Some(Ok(opened.nameplate)),
            Event::CodeRefused(refused) => Some(Err(refused.code.name())),
            _ => None,
        });
        answers[0]
    }

    /// Knocks with a share: the conversation, or why there is none.
    pub(super) fn knock(&mut self, conn: ConnId, number: u32) -> Result<u64, &'static str> {
        self.knock_with(conn, number, &format!(r#","share":"{SHARE}""#))
    }

    pub(super) fn knock_with(&mut self, conn: ConnId, number: u32, share: &str) -> Result<u64, &'static str> {
        self.ask(conn, &format!(r#"{{"knock":{number},"ask":1{share}}}"#));
        self.knocked(conn)
    }

    /// The last answer to a knock.
    fn knocked(&self, conn: ConnId) -> Result<u64, &'static str> {
        let answers = told(self, conn, |event| match event {
            Event::KnockAnswered(answered) => Some(Ok(answered.conversation)),
            Event::KnockRefused(refused) => Some(Err(refused.code.name())),
            _ => None,
        });
        answers[0]
    }

    pub(super) fn says(&mut self, conn: ConnId, conversation: u64, message: &str) {
        self.ask(conn, &format!(r#"{{"say":{conversation},"message":"{message}"}}"#));
    }

    pub(super) fn admit_to(&mut self, conn: ConnId, conversation: u64) {
        self.ask(conn, &format!(r#"{{"admit":{conversation}}}"#));
    }

    pub(super) fn hang_up(&mut self, conn: ConnId, conversation: u64, more: &str) {
        self.ask(conn, &format!(r#"{{"hang_up":{conversation}{more}}}"#));
    }

    /// What a client was told by the other sides of its conversations, in hex, in order.
    pub(super) fn heard_of(&self, conn: ConnId) -> Vec<(u64, String)> {
        let mut all = told(self, conn, |event| match event {
            Event::Said(said) => Some((said.conversation, data_encoding::HEXLOWER.encode(&said.message.0))),
            _ => None,
        });
        all.reverse();
        all
    }

    /// The conversations that ended for a client, and whether the other side is gone.
    pub(super) fn hung_up(&self, conn: ConnId) -> Vec<(u64, bool)> {
        let mut all = told(self, conn, |event| match event {
            Event::HungUp(over) => Some((over.conversation, over.gone)),
            _ => None,
        });
        all.reverse();
        all
    }

    /// Asks for a meeting about a content: whether there is one, or why not.
    pub(super) fn meets(&mut self, conn: ConnId, key: u8) -> Result<event::Meeting, &'static str> {
        let (meet, content) = (PublicKey([key; 32]), ContentHash([7; 32]));
        self.ask(conn, &format!(r#"{{"meet":"{meet}","ask":1,"purpose":{{"content":"{content}"}}}}"#));
        let answers = told(self, conn, |event| match event {
            Event::Meeting(met) => Some(Ok(met.clone())),
            Event::MeetingRefused(refused) => Some(Err(refused.code.name())),
            _ => None,
        });
        answers.into_iter().next().unwrap()
    }

    pub(super) fn counted(&self, what: &str) -> usize {
        self.hub.counts().into_iter().find(|(name, _)| *name == what).unwrap().1
    }

    /// The keeper's log about parcels: which number, who, and what.
    fn parcels_log(&self) -> Vec<String> {
        let line = |event: &LogEvent| match event {
            LogEvent::ParcelOpened(line) => Some(format!("{} opened by {}", line.code, line.name)),
            LogEvent::ParcelAdmitted(line) => Some(format!("{} to {:?} at {}", line.code, line.name, line.address)),
            LogEvent::ParcelGuessed(line) => Some(format!("{} guessed from {}", line.code, line.address)),
            LogEvent::MeetingBegun(line) => Some(format!("{} meets {}", line.by, line.with)),
            _ => None,
        };
        self.log.iter().filter_map(line).collect()
    }
}

#[test]
fn a_parcel_goes_to_a_guest_from_the_number_to_the_end() {
    let mut rig = parcel_hub();
    assert_eq!(rig.open(1, ""), Ok(4));
    let talk = rig.knock(2, 4).unwrap();
    let knocked = told(&rig, 1, |event| match event {
        Event::Knocked(knocked) => Some(knocked.clone()),
        _ => None,
    });
    let [knocked] = &knocked[..] else { panic!("{knocked:?}") };
    assert_eq!((knocked.conversation, knocked.nameplate, knocked.key), (talk, 4, PublicKey([2; 32])));
    assert_eq!(knocked.share.as_ref().unwrap().0[..2], [0x41, 0xaa]);
    let answered = told(&rig, 2, |event| match event {
        Event::KnockAnswered(answered) => Some((answered.ask, answered.key)),
        _ => None,
    });
    assert_eq!(answered, [(1, PublicKey([1; 32]))]);
    let where_it_is = |rig: &Rig| {
        told(rig, 2, |event| match event {
            Event::Admitted(admitted) => Some((admitted.conversation, admitted.address.to_string())),
            _ => None,
        })
    };
    // What they say arrives in order, and says nothing to anybody else.
    for said in ["00", "01", "02"] {
        rig.says(1, talk, said);
        rig.says(2, talk, &format!("f{}", &said[1..]));
    }
    let of = |all: [&str; 3]| all.map(|said| (talk, said.to_owned())).to_vec();
    assert_eq!((rig.heard_of(2), rig.heard_of(1)), (of(["00", "01", "02"]), of(["f0", "f1", "f2"])));
    // Only whoever was admitted may meet, and the one who sends pays for it.
    assert_eq!((rig.meets(2, 1).err(), where_it_is(&rig)), (Some("not-registered"), Vec::new()));
    rig.admit_to(1, talk);
    assert_eq!(where_it_is(&rig), [(talk, "10.0.0.1".to_owned())]);
    let asker = rig.meets(2, 1).unwrap();
    let asked = told(&rig, 1, |event| match event {
        Event::Meeting(met) => Some(met.clone()),
        _ => None,
    });
    assert_eq!((asker.ask, asker.peer, asker.name.as_str()), (Some(1), PublicKey([1; 32]), "Anna"));
    assert_eq!((asked[0].ask, asked[0].peer, asked[0].name.as_str()), (None, PublicKey([2; 32]), "(guest)"));
    rig.handle(Input::Half { half: 10, token: &asker.token, address: "203.0.113.2:5000".parse().unwrap() });
    rig.handle(Input::Half { half: 11, token: &asked[0].token, address: "203.0.113.1:5000".parse().unwrap() });
    assert!(matches!(rig.relayed[..], [Output::Join { payer: 1, .. }]), "{:?}", rig.relayed);
    rig.handle(Input::Relayed { meeting: asker.meeting, bytes: 900_000 });
    // Hours later both are still there, although neither has a name.
    rig.pass(4 * 3_600_000);
    assert_eq!(
        (rig.turned_away(1), rig.turned_away(2), rig.turned_away(3)),
        (None, None, Some(ErrorCode::NoNameInTime))
    );
    rig.relayed.clear();
    rig.hang_up(1, talk, "");
    assert_eq!((rig.hung_up(2), rig.hung_up(1)), (vec![(talk, false)], vec![]));
    assert_eq!(rig.relayed, [Output::Cut(asker.meeting)], "a guest has nothing relayed once it has what it came for");
    assert_eq!(rig.meets(2, 1).err(), Some("not-registered"));
    rig.says(2, talk, "ff");
    assert_eq!(rig.heard_of(1).len(), 3, "it is over");
    rig.pass(301_000);
    assert_eq!((rig.turned_away(1), rig.turned_away(2)), (None, Some(ErrorCode::NoNameInTime)));
    rig.ask(1, r#"{"close_code":4}"#);
    rig.pass(301_000);
    assert_eq!(rig.turned_away(1), Some(ErrorCode::NoNameInTime));
    let log = ["4 opened by Anna", r#"4 to "" at 10.0.0.2"#, "(guest) meets Anna"];
    assert_eq!(rig.parcels_log(), log);
    rig.handle(Input::RelayEnded { meeting: asker.meeting, bytes: 900_000, why: "cut".into() });
    for what in ["codes of parcels", "conversations", "conversations of sessions", "meetings", "peers"] {
        assert_eq!(rig.counted(what), 0, "{what}");
    }
}

#[test]
fn members_hand_over_parcels_too_whoever_blocks_whom_and_the_sender_may_ask_for_the_meeting() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    // Anna's other program sends, under the same key and no name.
    rig.hello(3, 1);
    rig.ask(1, r#"{"id":5,"request":"block","name":"ben"}"#);
    rig.commit();
    assert_eq!(rig.open(3, ""), Ok(4));
    let talk = rig.knock(2, 4).unwrap();
    rig.admit_to(3, talk);
    let (met, other) = (rig.meets(2, 1).unwrap(), rig.meets(3, 2).unwrap());
    assert_eq!((met.name.as_str(), other.name.as_str()), ("anna", "ben"));
    let asked = |rig: &Rig, conn| {
        told(rig, conn, |event| matches!(event, Event::Meeting(met) if met.ask.is_none()).then_some(()))
    };
    assert_eq!((asked(&rig, 3).len(), asked(&rig, 1).len()), (1, 0), "the program that sends is met, and no other");
    // For anything else they are what they were.
    rig.ask(2, &format!(r#"{{"meet":"{}","ask":2,"purpose":"private"}}"#, PublicKey([1; 32])));
    assert_eq!(asked(&rig, 3).len() + asked(&rig, 1).len(), 1, "that one is hidden");
    // Sending to oneself between two programs is a try-out; within one it is a mistake.
    assert_eq!(rig.knock(3, 4), Err("yourself"));
    let talk = rig.knock(1, 4).unwrap();
    rig.admit_to(3, talk);
    assert_eq!(rig.meets(1, 1).unwrap().name, "anna");
}

#[test]
fn what_is_relayed_for_a_guest_is_counted_to_its_sender() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    for guest in [2, 3] {
        let talk = rig.knock(guest, 4).unwrap();
        rig.admit_to(1, talk);
        assert_eq!(rig.meets(guest, 1).unwrap().no_relay, None);
    }
    // The two of them have taken what one may have at once.
    let full = Some(ErrorCode::RelayFull);
    assert_eq!((rig.meets(2, 1).unwrap().no_relay, rig.meets(1, 2).unwrap().no_relay), (full, full));
}

#[test]
fn after_a_restart_of_the_hub_number_and_receivers_are_known_again() {
    let mut rig = parcel_hub();
    let admitted = format!(r#","nameplate":8,"admitted":["{}"]"#, PublicKey([2; 32]));
    assert_eq!(rig.open(1, &admitted), Ok(8));
    assert_eq!(rig.knock_with(3, 8, ""), Err("code-void"), "nobody has let that one in");
    let talk = rig.knock_with(2, 8, "").unwrap();
    let share =
        told(&rig, 1, |event| matches!(event, Event::Knocked(knocked) if knocked.share.is_none()).then_some(()));
    assert_eq!(share.len(), 1);
    rig.admit_to(1, talk);
    assert!(rig.meets(2, 1).is_ok());
    // It comes again, as another process that has lost the session: what it had before is over.
    rig.guest(4, 2);
    let again = rig.knock_with(4, 8, "").unwrap();
    assert_eq!((rig.hung_up(2), rig.hung_up(1)), (vec![], vec![(talk, true)]));
    rig.admit_to(1, again);
    assert_eq!((rig.meets(2, 1).err(), rig.meets(4, 1).is_ok()), (Some("not-registered"), true));
    // Once it has everything it has no more to come for.
    rig.hang_up(1, again, "");
    assert_eq!(rig.knock_with(4, 8, ""), Err("code-void"));
    // Anna's other process takes the number over; nobody else does.
    rig.hello(5, 1);
    assert_eq!(rig.open(5, r#","nameplate":8"#), Ok(8));
    rig.enter(6, 1, "anna");
    assert_eq!(
        rig.knock(3, 8).map(|_| told(&rig, 5, |event| matches!(event, Event::Knocked(_)).then_some(())).len()),
        Ok(1)
    );
    let mut rig = Rig::new(config());
    (1..=2).for_each(|n| rig.hello(n.into(), n));
    assert_eq!(
        (rig.open(1, ""), rig.open(2, r#","nameplate":4"#), rig.open(2, r#","nameplate":7"#)),
        (Ok(4), Err("code-void"), Err("code-void"))
    );
}

#[test]
fn who_loses_the_connection_may_come_back_and_who_leaves_is_told_of() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let talk = rig.knock(2, 4).unwrap();
    rig.handle(Input::Disconnected { conn: 1, reason: "broken".into() });
    rig.handle(Input::Disconnected { conn: 2, reason: "broken".into() });
    rig.pass(29_000);
    assert_eq!(rig.counted("conversations"), 1);
    rig.resume_guest(4, 2, 2);
    rig.says(4, talk, "0a");
    rig.resume(5, 1, 1);
    assert_eq!(rig.heard_of(5), [(talk, "0a".to_owned())], "what was said meanwhile arrives");
    // The receiver quits: the sender hears it at once.
    rig.ask(4, r#"{"id":9,"request":"quit"}"#);
    assert_eq!(rig.hung_up(5), [(talk, true)]);
    // The sender's grace ends: the receiver hears it, and the number is nobody's.
    rig.pass(1_000);
    rig.guest(6, 6);
    let talk = rig.knock(6, 4).unwrap();
    rig.handle(Input::Disconnected { conn: 5, reason: "broken".into() });
    rig.pass(31_000);
    assert_eq!((rig.hung_up(6), rig.knock(6, 4)), (vec![(talk, true)], Err("no-such-code")));
    assert_eq!(rig.counted("conversations of sessions"), 0);
}

#[test]
fn conversations_are_between_two_and_nobody_else_has_a_say_in_them() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let talk = rig.knock(2, 4).unwrap();
    rig.enter(4, 1, "anna");
    for stranger in [3, 4] {
        rig.says(stranger, talk, "66");
        rig.admit_to(stranger, talk);
        rig.hang_up(stranger, talk, r#","guessed":true"#);
        rig.ask(stranger, r#"{"close_code":4}"#);
    }
    rig.admit_to(2, talk);
    assert!(rig.heard_of(1).is_empty() && rig.heard_of(2).is_empty() && rig.hung_up(2).is_empty());
    assert_eq!(
        (rig.meets(2, 1).err(), rig.meets(3, 1).err(), rig.meets(3, 2).err()),
        (Some("not-registered"), Some("not-registered"), Some("not-registered"))
    );
    assert_eq!(rig.meets(4, 2).err(), Some("not-online"), "a guest is nobody whom a member could meet");
    rig.admit_to(1, talk);
    assert_eq!((rig.meets(2, 1).is_ok(), rig.meets(3, 1).is_err(), rig.meets(1, 3).is_err()), (true, true, true));
    assert!(!rig.parcels_log().iter().any(|line| line.contains("guessed")));
}

#[test]
fn a_session_of_a_guest_is_no_session_of_a_member() {
    let mut rig = parcel_hub();
    let sessions: Vec<HubHello> = [1, 2].map(|conn| rig.hub_hello(conn)).into();
    rig.connect(4, 2);
    rig.line(4, &HELLO.replace(r#""received""#, &format!(r#""session":"{}","received""#, sessions[1].session)));
    assert_eq!(rig.turned_away(4), Some(ErrorCode::AccessDenied), "it needs an invite like everybody");
    rig.connect(5, 1);
    rig.line(5, &GUEST.replace(r#""received""#, &format!(r#""session":"{}","received""#, sessions[0].session)));
    assert!(!rig.hub_hello(5).resumed);
    assert_eq!((rig.open(5, ""), rig.open(1, "")), (Err("access-denied"), Ok(4)));
}

impl Rig {
    /// A guest goes on with its session, over a new connection.
    fn resume_guest(&mut self, conn: ConnId, key: u8, before: ConnId) {
        self.resume_by(GUEST, conn, key, before);
        assert!(self.hub_hello(conn).resumed);
    }
}
