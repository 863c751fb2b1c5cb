//! Invites that members make by requests.

use super::codes::Door;
use super::*;
use crate::protocol::event;
use crate::protocol::invite::InviteState;
use crate::protocol::limits::{INVITE_TIMES, INVITES};

/// Anna, who may make invites, and ben, who may not, are here.
fn anna_and_ben() -> Door {
    let mut door = Door::new(None, None);
    for (conn, key, name) in [(1, 1, "anna"), (2, 2, "ben")] {
        door.rig.show(conn, key, "open sesame");
        door.store();
        door.rig.register(conn, name);
        door.store();
    }
    door
}

impl Door {
    /// Anna makes an invite.
    fn make(&mut self, id: i64, fields: &str) -> event::InviteAdded {
        self.rig.ask(1, &format!(r#"{{"id":{id},"request":"invite-add"{fields}}}"#));
        assert!(self.rig.answer(1, id).is_none(), "not before it is on disk");
        self.store();
        match self.rig.answer(1, id) {
            Some(Event::InviteAdded(added)) => added.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn list(&mut self, conn: ConnId, id: i64) -> Vec<(String, InviteState)> {
        self.rig.ask(conn, &format!(r#"{{"id":{id},"request":"invite-list"}}"#));
        self.store();
        match self.rig.answer(conn, id) {
            Some(Event::Invites(list)) => list.invites.iter().map(|i| (i.invite.clone(), i.state)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn revoke(&mut self, conn: ConnId, id: i64, name: &str) -> Option<&'static str> {
        self.rig.ask(conn, &format!(r#"{{"id":{id},"request":"invite-revoke","invite":"{name}"}}"#));
        self.store();
        self.rig.code(conn, id)
    }
}

#[test]
fn who_may_makes_invites_that_let_in_and_who_may_not_makes_none() {
    let mut door = anna_and_ben();
    door.rig.ask(2, r#"{"id":2,"request":"invite-add","code":true}"#);
    assert_eq!(door.rig.code(2, 2), Some("not-allowed"));
    let code = door.make(2, r#","code":true"#);
    assert_eq!((code.link, code.times, code.hub.as_str()), (None, 1, "h:1"));
    assert_eq!(door.exchange(5, 5, code.code.as_ref().unwrap()).map(|secret| secret.len()), Ok(26));
    let link = door.make(3, r#","times":2,"until":"1h""#);
    assert_eq!((link.code.is_none(), link.until), (true, Timestamp(3_600_000)));
    let secret = link.link.unwrap().rsplit('.').next().unwrap().to_owned();
    door.rig.show(6, 6, &secret);
    door.store();
    door.rig.register(6, "carl");
    door.store();
    assert!(door.rig.welcomed(6));
    assert_eq!(door.list(1, 4), [(code.invite, InviteState::Spent), (link.invite, InviteState::Good)]);
    assert_eq!(door.list(2, 4), [], "others have made none");
}

#[test]
fn a_guess_is_told_to_whoever_made_the_code() {
    let mut door = anna_and_ben();
    let made = door.make(2, r#","code":true,"times":3"#);
    let code = made.code.unwrap();
    let wrong =
        code.rsplit_once('-').unwrap().0.to_owned() + if code.ends_with("cactus") { "-tiger" } else { "-cactus" };
    assert_eq!(door.exchange(5, 5, &wrong), Err(ErrorCode::WrongCode));
    let told = |conn: ConnId| {
        let heard = door.rig.wires[&conn].bodies.iter();
        heard.filter(|line| matches!(&line.event, Event::InviteGuessed(told) if told.invite == made.invite)).count()
    };
    assert_eq!((told(1), told(2)), (1, 0));
    assert_eq!(door.list(1, 3), [(made.invite, InviteState::Guessed)]);
}

#[test]
fn one_revokes_ones_own_and_nobody_elses() {
    let mut door = anna_and_ben();
    let made = door.make(2, r#","code":true"#);
    assert_eq!(door.revoke(2, 3, &made.invite), Some("no-such-invite"));
    assert_eq!(door.revoke(1, 3, "friends"), Some("no-such-invite"), "that is the keeper's");
    assert_eq!(door.revoke(1, 4, &made.invite), None);
    assert_eq!((door.list(1, 5), door.revoke(1, 6, &made.invite)), (vec![], Some("no-such-invite")));
    assert_eq!(door.exchange(5, 5, made.code.as_ref().unwrap()), Err(ErrorCode::NoSuchCode));
}

#[test]
fn numbers_of_codes_are_never_used_again_and_never_the_keepers() {
    let mut door = anna_and_ben();
    let number =
        |added: &event::InviteAdded| added.code.as_ref().unwrap().parse::<crate::protocol::Code>().unwrap().nameplate();
    let first = door.make(2, r#","code":true"#);
    assert_eq!(number(&first), 10, "the keeper's command gives odd ones, and parcels have the multiples of four");
    door.revoke(1, 3, &first.invite);
    assert_eq!(number(&door.make(4, r#","code":true"#)), 14);
    let mut door = door.restart();
    door.rig.hello(1, 1);
    door.rig.register(1, "anna");
    door.store();
    assert_eq!(number(&door.make(2, r#","code":true"#)), 18);
}

#[test]
fn what_is_asked_for_has_bounds() {
    let mut door = anna_and_ben();
    for (id, (fields, code)) in (2..).zip([
        (r#","times":0"#.to_owned(), "too-many"),
        (format!(r#","times":{}"#, INVITE_TIMES + 1), "too-many"),
        (r#","until":"0s""#.to_owned(), "bad-time"),
        (r#","until":"tomorrow""#.to_owned(), "bad-time"),
        (r#","until":"9999d""#.to_owned(), "bad-time"),
    ]) {
        door.rig.ask(1, &format!(r#"{{"id":{id},"request":"invite-add"{fields}}}"#));
        assert_eq!(door.rig.code(1, id), Some(code), "{fields}");
    }
    for n in 0..INVITES as i64 {
        door.make(100 + n, "");
    }
    door.rig.ask(1, r#"{"id":99,"request":"invite-add"}"#);
    assert_eq!(door.rig.code(1, 99), Some("too-many"));
    door.rig.pass(86_400_000);
    door.make(98, "");
}
