//! `verify`: what the hub learns of it, and in which order it is answered.

use super::*;
use crate::core::verify::{KnownKey, Person, judge};
use crate::protocol::request;

const OURS: PublicKey = PublicKey([7; 32]);

fn row(name: &str, key: u8) -> String {
    let key = PublicKey([key; 32]);
    format!(
        r#"{{"name":"{name}","number":2,"state":"online","since":"2026-01-01T00:00:00.000Z","key":"{key}","address":"10.0.0.2","port":1,"link_port":2,"verified":true}}"#
    )
}

impl Rig {
    fn shows(&mut self, request: &str, name: &str, key: u8) {
        let row = row(name, key);
        self.answer(request, "roster", &format!(r#","revision":1,"clients":[{row}]"#));
    }

    fn roster(&mut self, name: &str, key: u8) {
        let row = row(name, key);
        self.hub(&format!(r#"{{"event":"roster-updated","revision":2,"clients":[{row}],"total":2}}"#));
    }

    /// The driver judges the `verify`, which asked for this, with this key known.
    fn judged(&mut self, confirm: bool, shown: Option<u8>, known: Option<u8>) {
        let task = self.tasks.pop().unwrap();
        let asked = request::Verify { name: "erin".into(), confirm, ..request::Verify::default() };
        let key = |key| PublicKey([key; 32]);
        let known = known.map(|known| KnownKey::unverified(key(known)));
        let judged = judge(&OURS, Person { name: "erin", shown: shown.map(key), known }, &asked);
        self.handle(Input::Verified(task, judged));
    }

    fn alarms(&self) -> usize {
        self.told.iter().filter(|line| matches!(line.event, Event::KeyAlarm(_))).count()
    }
}

#[test]
fn the_hub_does_not_learn_who_is_verified_and_answers_keep_their_order() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"verify","name":"erin","confirm":true}"#);
    rig.line(r#"{"id":2,"request":"blocks"}"#);
    rig.line(r#"{"id":3,"request":"transfers"}"#);
    assert_eq!(rig.asks(), ["whois"], "the others wait for their turn");
    assert!(!rig.asked[0].to_string().contains("confirm"));
    rig.shows("whois", "erin", 2);
    assert_eq!(rig.asks(), [""; 0]);
    rig.judged(true, Some(2), Some(2));
    assert_eq!((rig.last(1), rig.asks()), (Some("safety-number"), vec!["blocks"]));
    rig.answer("blocks", "blocks", r#","names":[]"#);
    assert_eq!(rig.lasts(3), [Some("safety-number"), Some("blocks"), Some("transfers")]);
    // From now on another key is an alarm, once.
    rig.roster("erin", 2);
    assert_eq!(rig.alarms(), 0);
    rig.roster("erin", 3);
    rig.roster("erin", 3);
    assert_eq!(rig.alarms(), 1);
    rig.line(r#"{"id":4,"request":"message","to":"ERIN","text":"psst"}"#);
    rig.line(r#"{"id":5,"request":"message","to":"ben","text":"psst"}"#);
    assert_eq!((rig.last(4), rig.asks()), (Some("verified-key-changed"), vec!["message"]));
}

#[test]
fn whoever_the_hub_does_not_know_may_be_known_here_and_nobody_is_taken_for_another() {
    let mut rig = Rig::welcomed(config());
    for (id, code) in [(1, "not-online"), (2, "no-such-person")] {
        rig.line(&format!(r#"{{"id":{id},"request":"verify","name":"erin"}}"#));
        rig.refuse("whois", code);
        rig.judged(false, None, (id == 1).then_some(2));
    }
    assert_eq!(rig.lasts(2), [Some("safety-number"), Some("no-such-person")]);
    rig.line(r#"{"id":3,"request":"verify","name":"erin","confirm":true}"#);
    rig.shows("whois", "mallory", 3);
    assert_eq!((rig.last(3), rig.tasks.len()), (Some("wrong-protocol"), 0));
    rig.line(r#"{"id":4,"request":"verify","name":"erin"}"#);
    rig.refuse("whois", "slow-down");
    rig.line(r#"{"id":5,"request":"verify","name":"Anna"}"#);
    rig.line(r#"{"id":6,"request":"verify","name":"hub"}"#);
    assert_eq!([rig.last(4), rig.last(5), rig.last(6)], [Some("slow-down"), Some("yourself"), Some("no-such-person")]);
}

#[test]
fn a_session_that_ends_waits_for_the_answer_or_gives_it_up() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"verify","name":"erin"}"#);
    rig.shows("whois", "erin", 2);
    rig.handle(Input::EndOfInput);
    assert!(!rig.asks().contains(&"quit"), "it is not left before the answer");
    rig.judged(false, Some(2), None);
    assert_eq!((rig.last(1), rig.asks()), (Some("safety-number"), vec!["quit"]));
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"verify","name":"erin"}"#);
    rig.shows("whois", "erin", 2);
    rig.handle(Input::Interrupt(130));
    assert_eq!(rig.last(1), Some("interrupted"));
    // What comes too late is nobody's.
    rig.judged(true, Some(2), None);
    assert_eq!(rig.last(1), Some("interrupted"));
    assert_eq!(rig.told.iter().filter(|line| matches!(line.event, Event::SafetyNumber(_))).count(), 0);
}
