//! Invites, beside a hub that has the store open.

use super::*;
use crate::protocol::invite::{InviteDigest, InviteRecord};
use crate::protocol::record::{Found, Query};

fn invite(name: &str) -> InviteRecord {
    let (digest, made) = (InviteDigest::of(name), Timestamp(5));
    InviteRecord { name: name.into(), digest, uses: Some(2), spent: 0, until: Some(Timestamp(9)), made, maker: None }
}

fn shown(store: &Store, secret: &str, key: u8) -> Option<(InviteRecord, bool)> {
    let query = Query::Invite { digest: InviteDigest::of(secret), key: PublicKey([key; 32]) };
    match store.find(&query).unwrap() {
        Found::Invite(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_invite_is_there_at_once_and_gone_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut book = InviteBook::open(dir.path()).unwrap();
    book.add(&invite("friends")).unwrap();
    assert_eq!(book.add(&invite("friends")).unwrap_err().code, ErrorCode::NameTaken);
    assert_eq!(shown(&store, "friends", 1), Some((invite("friends"), false)));
    let spent = Record::InviteSpent { digest: InviteDigest::of("friends"), key: PublicKey([1; 32]) };
    for _ in 0..2 {
        store.keep([&spent]).unwrap();
        assert_eq!(shown(&store, "friends", 1), Some((InviteRecord { spent: 1, ..invite("friends") }, true)));
        assert!(!shown(&store, "friends", 2).unwrap().1);
    }
    assert_eq!(book.list().unwrap(), [InviteRecord { spent: 1, ..invite("friends") }]);
    book.revoke("friends").unwrap();
    assert_eq!(shown(&store, "friends", 1), None);
    store.keep([&spent]).unwrap();
    assert_eq!(book.revoke("friends").unwrap_err().code, ErrorCode::NoSuchInvite);
    // One that is made anew under the name has not been spent.
    book.add(&invite("friends")).unwrap();
    assert_eq!(book.list().unwrap(), [invite("friends")]);
}

#[test]
fn the_first_invite_is_made_once_even_if_it_was_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    assert!(store.first_invite(&invite("first")).unwrap());
    InviteBook::open(dir.path()).unwrap().revoke("first").unwrap();
    assert!(!store.first_invite(&invite("first")).unwrap());
}

#[test]
fn a_link_is_made_where_the_hub_listened_last() {
    let dir = tempfile::tempdir().unwrap();
    let book = InviteBook::open(dir.path()).unwrap();
    assert_eq!(book.hub().unwrap().0, None);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    for address in ["hub.example:1", "hub.example:2"] {
        store.remember_address(address).unwrap();
    }
    assert_eq!(book.hub().unwrap(), (Some("hub.example:2".into()), store.identity().unwrap().key));
}
