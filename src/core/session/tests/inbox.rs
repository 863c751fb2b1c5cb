//! Messages: told once, in order, confirmed when the user has them; held back while one room is heard.

use super::*;

/// A session that takes messages, and has been welcomed by a hub whose newest message is 10.
fn listening() -> Rig {
    let mut rig = Rig::begun(SessionConfig { inbox: true, ..config() });
    rig.answer("register", "welcome", r#","name":"anna","number":1,"revision":1,"clients":1,"offers":0,"newest":10"#);
    assert_eq!(rig.opened, ["anna"]);
    rig
}

fn caught_up(shown: &Received) -> Rig {
    let mut rig = listening();
    rig.handle(Input::InboxOpened("anna", shown));
    rig.hub(r#"{"event":"caught-up","number":10}"#);
    rig
}

impl Rig {
    fn message(&mut self, number: u64) {
        self.hub(&format!(
            r#"{{"event":"message","number":{number},"from":"ben","to":"anna","text":"{number}","sent":"2026-01-02T03:04:05.678Z"}}"#
        ));
    }

    fn room_message(&mut self, number: u64) {
        self.hub(&format!(
            r#"{{"event":"room-message","number":{number},"room":"kitchen","from":"ben","text":"{number}","sent":"2026-01-02T03:04:05.678Z"}}"#
        ));
    }

    /// The numbers of the messages that were told.
    fn heard(&self) -> Vec<u64> {
        self.told.iter().filter_map(|line| number_of(&line.event)).collect()
    }

    fn confirmations(&self) -> Vec<String> {
        let received = self.asked.iter().filter(|ask| ask.get("received").is_some());
        received.map(|ask| format!("{} {}", ask["received"], ask.get("except").unwrap_or(&Value::Null))).collect()
    }

    fn focus(&mut self) {
        self.handle(Input::Line(1, b"focus kitchen"));
        self.answer("focus", "focused", r#","room":"kitchen""#);
    }
}

fn up_to(received: u64, except: &[u64]) -> Received {
    Received { received, except: except.to_vec() }
}

#[test]
fn a_message_is_told_once_and_confirmed_when_it_is_written() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.message(11);
    rig.message(11);
    rig.message(13);
    assert_eq!(rig.heard(), [11, 13]);
    assert_eq!(rig.confirmations(), ["10 null"], "nothing is confirmed that is not written");
    rig.handle(Input::Written(&[13]));
    assert_eq!(rig.confirmations(), ["10 null"]);
    rig.handle(Input::Written(&[11]));
    assert_eq!(rig.confirmations(), ["10 null", "13 null"]);
    assert_eq!(rig.shown, [("anna".to_owned(), up_to(13, &[]))]);
}

#[test]
fn what_this_machine_has_shown_is_not_told_again() {
    let mut rig = listening();
    rig.handle(Input::InboxOpened("anna", &up_to(9, &[4])));
    for number in [3, 4, 9, 10] {
        rig.message(number);
    }
    assert_eq!(rig.heard(), [4, 10]);
}

#[test]
fn a_hub_that_counts_anew_is_heard_from_the_beginning() {
    let mut rig = listening();
    rig.handle(Input::InboxOpened("anna", &up_to(500, &[])));
    assert_eq!(rig.confirmations(), ["0 null"], "the numbers are another store's");
    rig.message(1);
    assert_eq!(rig.heard(), [1]);
}

#[test]
fn a_withheld_message_takes_the_same_way_as_any_other_and_is_never_seen() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.message(11);
    rig.hub(r#"{"event":"withheld","number":12}"#);
    assert_eq!(rig.confirmations(), ["10 null"]);
    rig.handle(Input::Written(&[11, 12]));
    assert_eq!(rig.confirmations().last().unwrap(), "12 null");
    rig.focus();
    rig.hub(r#"{"event":"withheld","number":13}"#);
    assert_eq!(rig.withheld, 1, "it is held back as any other");
    rig.handle(Input::Line(2, b"unfocus"));
    assert!(rig.told.iter().any(|line| matches!(&line.event, Event::Unfocused(e) if e.held == 0)));
    assert_eq!((rig.heard(), rig.withheld), (vec![11], 2));
}

#[test]
fn who_hears_one_room_hears_the_rest_later_in_order() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.focus();
    for number in 11..=14 {
        if number % 2 == 0 { rig.room_message(number) } else { rig.message(number) }
    }
    rig.handle(Input::Written(&[12, 14]));
    assert_eq!(rig.heard(), [12, 14]);
    assert_eq!(rig.confirmations().last().unwrap(), "14 [11,13]", "the hub knows what is missing");
    rig.message(13);
    rig.handle(Input::Line(2, b"unfocus"));
    assert_eq!(rig.heard(), [12, 14, 11, 13]);
    rig.handle(Input::Written(&[11, 13]));
    assert_eq!(rig.confirmations().last().unwrap(), "14 null");
}

#[test]
fn no_more_is_held_back_than_there_is_room_for() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.focus();
    let most = crate::protocol::limits::HELD_MESSAGES as u64;
    (11..=most + 11).for_each(|number| rig.message(number));
    assert_eq!(rig.heard().len() as u64, most + 1, "all of it is told");
    let ended = rig.told.iter().any(|line| matches!(&line.event, Event::Unfocused(e) if e.reason.is_some()));
    assert!(ended, "and why");
}

#[test]
fn the_end_waits_until_the_user_has_what_was_told_and_takes_no_more() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.focus();
    rig.message(11);
    rig.handle(Input::Line(2, b"quit"));
    assert_eq!(rig.heard(), [11], "what was held back is told before the end");
    rig.message(12);
    assert_eq!(rig.heard(), [11], "what comes now is kept for the next time");
    assert!(!rig.asked.iter().any(|ask| ask["request"] == "quit"));
    rig.handle(Input::Written(&[11]));
    assert_eq!(rig.confirmations().last().unwrap(), "11 null");
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.end, Some(0));
}

#[test]
fn the_end_of_input_waits_for_what_was_kept() {
    let mut rig = listening();
    rig.handle(Input::EndOfInput);
    rig.handle(Input::InboxOpened("anna", &up_to(10, &[])));
    assert!(!rig.asked.iter().any(|ask| ask["request"] == "quit"));
    rig.message(11);
    rig.handle(Input::Written(&[11]));
    rig.hub(r#"{"event":"caught-up","number":10}"#);
    assert!(rig.asked.iter().any(|ask| ask["request"] == "quit"));
}

#[test]
fn who_must_log_in_can_do_so() {
    let mut rig = Rig::begun(SessionConfig { inbox: true, ..config() });
    rig.refuse("register", "login-required");
    assert_eq!(rig.end, None);
    rig.handle(Input::Line(1, br#"{"id":1,"request":"login","name":"anna","password":"secret"}"#));
    rig.answer("login", "welcome", r#","name":"anna","number":1,"revision":1,"clients":1,"offers":0,"newest":0"#);
    assert_eq!(rig.opened, ["anna"]);
    let mut rig = Rig::begun(config());
    rig.refuse("register", "login-required");
    assert_eq!(rig.end, None, "the goodbye is said first");
    assert!(rig.asked.iter().any(|ask| ask["request"] == "quit"), "who only asks one thing cannot");
}

#[test]
fn what_comes_while_we_leave_is_not_confirmed_when_everything_has_been_sent() {
    let mut rig = listening();
    rig.handle(Input::InboxOpened("anna", &up_to(10, &[])));
    rig.handle(Input::Interrupt(130));
    rig.message(11);
    rig.hub(r#"{"event":"caught-up","number":11}"#);
    assert_eq!((rig.heard(), rig.confirmations()), (vec![], vec!["10 null".to_owned()]));
    assert_eq!(rig.shown, []);
}

#[test]
fn no_more_bytes_are_held_back_than_there_is_room_for() {
    let mut rig = caught_up(&up_to(10, &[]));
    rig.focus();
    let text = "x".repeat(crate::protocol::limits::MESSAGE_BYTES);
    let most = (crate::protocol::limits::HELD_BYTES / text.len()) as u64;
    let say = |rig: &mut Rig, number: u64| {
        rig.hub(&format!(
            r#"{{"event":"message","number":{number},"from":"ben","to":"anna","text":"{text}","sent":"2026-01-02T03:04:05.678Z"}}"#
        ));
    };
    (11..11 + most - 1).for_each(|number| say(&mut rig, number));
    assert_eq!(rig.heard(), [0; 0]);
    say(&mut rig, 10 + most);
    assert_eq!(rig.heard().len() as u64, most, "all of it is told");
    assert!(rig.told.iter().any(|line| matches!(&line.event, Event::Unfocused(e) if e.reason.is_some())));
}

#[test]
fn a_hub_that_does_not_wait_for_the_reader_is_left() {
    let mut rig = caught_up(&up_to(10, &[]));
    let most = 4 * crate::protocol::limits::FEED_MESSAGES as u64;
    (11..11 + most).for_each(|number| rig.message(number));
    let failed =
        |rig: &Rig| rig.told.iter().any(|l| matches!(&l.event, Event::Error(e) if e.code == ErrorCode::WrongProtocol));
    assert!(!failed(&rig) && rig.heard().len() as u64 == most);
    rig.message(11 + most);
    assert!(failed(&rig) && rig.heard().len() as u64 == most);
}
