//! Who is let in by an invite, and how often.

use super::*;
use crate::protocol::invite::{InviteDigest, InviteRecord};
use crate::protocol::record::Found;

const SECRET: &str = "open sesame";

fn invited() -> Rig {
    Rig::new(HubConfig { access: Access::Invite, epoch: Timestamp(1_000), ..config() })
}

fn invite(uses: Option<u64>, until: Option<i64>) -> InviteRecord {
    InviteRecord {
        name: "friends".into(),
        digest: InviteDigest::of(SECRET),
        uses,
        spent: 0,
        until: until.map(Timestamp),
        made: Timestamp(0),
        maker: None,
    }
}

impl Rig {
    /// Says hello with an invite.
    pub(super) fn show(&mut self, conn: ConnId, key: u8, secret: &str) {
        self.connect(conn, key);
        let hello = format!(
            r#"{{"hello":"potluck-link/1","received":0,"port":1,"link_port":2,"instance":"0123456789abcdef","invite":"{secret}"}}"#
        );
        self.line(conn, &hello);
    }

    /// The store answers the question that was asked last.
    fn invite_is(&mut self, found: Option<(InviteRecord, bool)>) {
        let (number, query) = self.asked.pop().expect("the store is asked");
        assert!(matches!(query, Query::Invite { .. }), "{query:?}");
        self.handle(Input::Found(number, Found::Invite(found)));
        self.ack_all();
    }

    fn spent(&self) -> usize {
        self.persisted.iter().filter(|(_, record)| matches!(record, Record::InviteSpent { .. })).count()
    }
}

#[test]
fn an_invite_is_needed_once() {
    let mut rig = invited();
    rig.hello(1, 1);
    assert_eq!(rig.turned_away(1), Some(ErrorCode::AccessDenied), "who shows none is not let in");
    for (conn, wrong) in [(2, String::new()), (3, "x".repeat(65))] {
        rig.show(conn, 1, &wrong);
        assert_eq!(rig.turned_away(conn), Some(ErrorCode::AccessDenied));
    }
    assert!(rig.asked.is_empty(), "what cannot be an invite is not looked up");
    rig.show(4, 1, "open sesamy");
    rig.invite_is(None);
    assert_eq!(rig.turned_away(4), Some(ErrorCode::AccessDenied));
    rig.show(5, 1, SECRET);
    assert!(rig.wires[&5].said.is_empty(), "the hello waits for the store");
    rig.invite_is(Some((invite(Some(1), None), false)));
    rig.register(5, "anna");
    rig.commit();
    assert!(rig.welcomed(5) && rig.spent() == 1);
    rig.ask(5, r#"{"id":2,"request":"quit"}"#);
    rig.hello(6, 1);
    assert_eq!(rig.turned_away(6), None, "a key that has been here needs no invite");
    rig.register(6, "berta");
    rig.commit();
    assert!(rig.welcomed(6) && rig.spent() == 1, "nor for another name");
}

#[test]
fn an_invite_for_one_lets_in_one_even_of_two_that_come_at_once() {
    let mut rig = invited();
    for (conn, key) in [(1, 1), (2, 2)] {
        rig.show(conn, key, SECRET);
        rig.invite_is(Some((invite(Some(1), None), false)));
    }
    rig.register(1, "anna");
    rig.register(2, "ben");
    assert_eq!(rig.code(2, 1), Some("access-denied"));
    rig.commit();
    assert!(rig.welcomed(1) && !rig.welcomed(2));
    // What the store says may be older than what the hub knows.
    rig.show(3, 3, SECRET);
    rig.invite_is(Some((invite(Some(1), None), false)));
    assert_eq!(rig.turned_away(3), Some(ErrorCode::AccessDenied));
    assert_eq!(rig.spent(), 1);
}

#[test]
fn a_name_that_is_refused_spends_nothing() {
    let mut rig = invited();
    for (conn, key, name) in [(1, 1, "anna"), (2, 2, "anna")] {
        rig.show(conn, key, SECRET);
        rig.invite_is(Some((invite(Some(2), None), false)));
        rig.register(conn, name);
        rig.commit();
    }
    assert_eq!((rig.code(2, 1), rig.spent()), (Some("name-taken"), 1));
    rig.ask(2, r#"{"id":2,"request":"register","name":"ben"}"#);
    rig.commit();
    assert!(rig.welcomed(2) && rig.spent() == 2);
}

#[test]
fn what_a_crash_left_half_done_is_finished_with_the_same_invite() {
    let mut rig = invited();
    let spent = InviteRecord { spent: 1, ..invite(Some(1), None) };
    // The store has counted this key, but its name was lost.
    rig.show(1, 1, SECRET);
    rig.invite_is(Some((spent.clone(), true)));
    rig.register(1, "anna");
    rig.commit();
    assert!(rig.welcomed(1));
    rig.show(2, 2, SECRET);
    rig.invite_is(Some((spent, false)));
    assert_eq!(rig.turned_away(2), Some(ErrorCode::AccessDenied));
}

#[test]
fn an_invite_expires_also_between_hello_and_registration() {
    let mut rig = invited();
    rig.show(1, 1, SECRET);
    rig.invite_is(Some((invite(None, Some(1_000)), false)));
    assert_eq!(rig.turned_away(1), Some(ErrorCode::AccessDenied));
    rig.show(2, 2, SECRET);
    rig.invite_is(Some((invite(None, Some(3_000)), false)));
    rig.pass(2_000);
    rig.register(2, "ben");
    assert_eq!(rig.code(2, 1), Some("access-denied"));
}

#[test]
fn who_says_more_before_the_store_has_answered_is_turned_away() {
    let mut rig = invited();
    rig.show(1, 1, SECRET);
    rig.line(1, r#"{"ack":0}"#);
    assert_eq!(rig.turned_away(1), Some(ErrorCode::WrongProtocol));
    rig.invite_is(Some((invite(None, None), false)));
    // One that left meanwhile is nobody any more.
    rig.show(2, 2, SECRET);
    rig.handle(Input::Disconnected { conn: 2, reason: "closed".into() });
    rig.invite_is(Some((invite(None, None), false)));
    assert_eq!(rig.hub.roster().len(), 0);
}
