//! Access that is taken back: by another program, while the hub runs.

use super::*;

fn record(name: &str, keys: &[u8], credential: Option<u64>) -> NameRecord {
    NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: keys.iter().map(|key| PublicKey([*key; 32])).collect(),
        credential,
        since: 0,
        received: 0,
        unread: 0,
    }
}

/// Anna's account, entered with key 1, and Ben's, entered with key 2.
fn rig() -> Rig {
    let names = vec![record("anna", &[1], Some(1)), record("ben", &[2], Some(2))];
    let mut rig = Rig::with_names(HubConfig { access: Access::Accounts, ..config() }, names);
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    assert!(rig.welcomed(1) && rig.welcomed(2));
    rig
}

fn reload(rig: &mut Rig, names: Vec<NameRecord>) {
    rig.handle(Input::Names(names));
    rig.ack_all();
}

fn login(rig: &mut Rig, conn: ConnId, id: i64, name: &str) -> u64 {
    rig.ask(conn, &format!(r#"{{"id":{id},"request":"login","name":"{name}","password":"secret"}}"#));
    rig.logins.pop().unwrap().0
}

fn verified(rig: &mut Rig, attempt: u64, name: &str, credential: u64) {
    let verified = Verified { name: name.into(), name_key: NameKey::of(name), credential };
    rig.handle(Input::Verified(attempt, Some(verified)));
    rig.ack_all();
}

/// The keys that were written down for a name, with the password that they knew.
fn claimed(rig: &Rig, of: &str) -> BTreeSet<(u8, Option<u64>)> {
    let claims = rig.persisted.iter().filter_map(|(_, record)| match record {
        Record::Name { name_key, key, credential, .. } if name_key.as_str() == of => Some((key.0[0], *credential)),
        _ => None,
    });
    claims.collect()
}

const REVOKED: Option<ErrorCode> = Some(ErrorCode::AccessRevoked);

#[test]
fn who_is_removed_is_out_at_once_and_does_not_come_back() {
    let mut rig = rig();
    rig.offer(1, 2, &["song".into()]);
    reload(&mut rig, vec![record("ben", &[2], Some(2))]);
    assert_eq!(rig.turned_away(1), REVOKED);
    assert_eq!(rig.turned_away(2), None, "others stay");
    assert!(rig.state("anna").is_none() && rig.offers().is_empty());
    // Not by the session, and not by the key.
    rig.resume(3, 1, 1);
    assert_eq!(rig.turned_away(3), REVOKED);
    rig.hello(4, 1);
    rig.register(4, "anna");
    assert_eq!(rig.refusal(4, 1), Some(ErrorCode::LoginRequired));
    rig.ask(4, r#"{"id":2,"request":"who"}"#);
    assert_eq!(rig.refusal(4, 2), Some(ErrorCode::LoginRequired), "it does not look on either");
}

#[test]
fn another_password_ends_what_was_let_in_with_the_one_before() {
    let mut rig = rig();
    // A session of the same key that only looks on.
    rig.hello(3, 1);
    rig.ask(3, r#"{"id":1,"request":"status"}"#);
    assert!(matches!(rig.answer(3, 1), Some(Event::Status(_))));
    reload(&mut rig, vec![record("anna", &[], Some(3)), record("ben", &[2], Some(2))]);
    assert_eq!([1, 3].map(|conn| rig.turned_away(conn)), [REVOKED, REVOKED]);
    rig.hello(4, 1);
    rig.register(4, "anna");
    assert_eq!(rig.refusal(4, 1), Some(ErrorCode::LoginRequired));
    let attempt = login(&mut rig, 4, 2, "anna");
    verified(&mut rig, attempt, "anna", 3);
    rig.commit();
    assert!(rig.welcomed(4));
    assert_eq!(claimed(&rig, "anna"), BTreeSet::from([(1, Some(3))]));
    assert_eq!(rig.turned_away(2), None);
}

#[test]
fn keys_that_are_not_theirs_any_more_end_and_others_stay() {
    let mut rig = rig();
    reload(&mut rig, vec![record("anna", &[7], Some(1)), record("ben", &[2, 8], Some(2))]);
    assert_eq!([1, 2].map(|conn| rig.turned_away(conn)), [REVOKED, None]);
    rig.hello(3, 7);
    rig.register(3, "anna");
    assert!(rig.welcomed(3), "the other key is let in");
}

#[test]
fn who_is_away_is_told_when_they_come_back() {
    let mut rig = rig();
    rig.handle(Input::Disconnected { conn: 1, reason: "the line broke".into() });
    assert_eq!(rig.state("anna"), Some(Presence::Away));
    reload(&mut rig, vec![record("ben", &[2], Some(2))]);
    assert_eq!(rig.state("anna"), None);
    rig.resume(3, 1, 1);
    assert_eq!(rig.turned_away(3), REVOKED);
}

#[test]
fn a_login_that_was_being_checked_when_the_password_changed_adds_no_key() {
    // The hub hears of the change before the check is done.
    let mut first = rig();
    first.hello(3, 9);
    let attempt = login(&mut first, 3, 1, "anna");
    reload(&mut first, vec![record("anna", &[], Some(3)), record("ben", &[2], Some(2))]);
    verified(&mut first, attempt, "anna", 1);
    first.commit();
    assert_eq!(first.refusal(3, 1), Some(ErrorCode::BadLogin));
    assert_eq!(claimed(&first, "anna"), BTreeSet::new());

    // After it: the session ends, and the record says which password it was, so that the store does not keep it.
    let mut second = rig();
    second.ask(1, r#"{"id":2,"request":"dereg"}"#);
    second.hello(3, 9);
    let attempt = login(&mut second, 3, 1, "anna");
    verified(&mut second, attempt, "anna", 1);
    reload(&mut second, vec![record("anna", &[], Some(3)), record("ben", &[2], Some(2))]);
    second.commit();
    assert_eq!(second.turned_away(3), REVOKED);
    assert_eq!(claimed(&second, "anna"), BTreeSet::from([(9, Some(1))]));
    assert!(!second.welcomed(3));
    assert_eq!(second.hub.roster().len(), 1);

    // The account is gone.
    let mut third = rig();
    third.hello(3, 9);
    let attempt = login(&mut third, 3, 1, "anna");
    reload(&mut third, vec![record("ben", &[2], Some(2))]);
    verified(&mut third, attempt, "anna", 1);
    third.commit();
    assert_eq!(third.refusal(3, 1), Some(ErrorCode::BadLogin));
}

#[test]
fn a_login_with_the_new_password_ends_the_others_before_the_hub_hears_of_it() {
    let mut rig = rig();
    rig.hello(3, 9);
    let attempt = login(&mut rig, 3, 1, "anna");
    verified(&mut rig, attempt, "anna", 3);
    assert_eq!(rig.turned_away(1), REVOKED);
    rig.commit();
    assert!(rig.welcomed(3));
    // What the store had told before the change changes nothing; what it tells then neither.
    reload(&mut rig, vec![record("anna", &[1], Some(1)), record("ben", &[2], Some(2))]);
    reload(&mut rig, vec![record("anna", &[9], Some(3)), record("ben", &[2], Some(2))]);
    assert_eq!(rig.turned_away(3), None);
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

#[test]
fn names_on_their_way_to_the_disk_are_not_taken_for_removed() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    reload(&mut rig, Vec::new());
    rig.commit();
    assert!(rig.welcomed(1));
    rig.pass(100);
    // Now it is on disk, and gone from there.
    reload(&mut rig, Vec::new());
    assert_eq!(rig.turned_away(1), REVOKED);
    // Whoever takes the name next is somebody else.
    rig.enter(2, 2, "anna");
    assert!(rig.welcomed(2));
}

#[test]
fn a_name_that_becomes_an_account_while_it_is_registered_is_not_the_keys() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    reload(&mut rig, vec![record("anna", &[], Some(1))]);
    rig.commit();
    assert!(!rig.welcomed(1));
    assert_eq!(rig.turned_away(1), REVOKED);
    rig.hello(2, 2);
    let attempt = login(&mut rig, 2, 1, "anna");
    verified(&mut rig, attempt, "anna", 1);
    rig.commit();
    assert!(rig.welcomed(2));
    assert_eq!(rig.hub.roster().len(), 1);
}

#[test]
fn an_account_is_known_by_so_many_keys_and_a_further_one_takes_the_place_of_an_old_one() {
    use crate::protocol::limits::KEYS_OF_ACCOUNT;
    let keys: Vec<u8> = (1..=KEYS_OF_ACCOUNT as u8).collect();
    let names = vec![record("anna", &keys, Some(1))];
    let mut rig = Rig::with_names(HubConfig { access: Access::Accounts, ..config() }, names);
    // The first one is in use.
    rig.enter(1, 1, "anna");
    rig.hello(2, 200);
    let attempt = login(&mut rig, 2, 2, "anna");
    verified(&mut rig, attempt, "anna", 1);
    rig.commit();
    let forgotten = rig.persisted.iter().filter_map(|(_, record)| match record {
        Record::KeyForgotten { name_key, key } => Some((name_key.as_str(), key.0[0])),
        _ => None,
    });
    assert_eq!(forgotten.collect::<Vec<_>>(), [("anna", 2)]);
    assert_eq!(claimed(&rig, "anna"), BTreeSet::from([(200, Some(1))]));
    rig.hello(3, 2);
    rig.register(3, "anna");
    assert_eq!(rig.refusal(3, 1), Some(ErrorCode::LoginRequired), "the password lets it in again");
    rig.hello(4, 3);
    rig.ask(4, r#"{"id":2,"request":"who"}"#);
    assert_eq!(rig.refusal(4, 2), None);
}
