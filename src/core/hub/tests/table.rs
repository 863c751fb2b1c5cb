//! What is told of the table.

use super::*;
use crate::protocol::limits::{DELTA_BYTES, LINK_FRAMES};

fn files(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("file-{i:05}")).collect()
}

#[test]
fn a_burst_costs_each_client_one_update() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.forget(2);
    for (i, file) in files(50).into_iter().enumerate() {
        rig.offer(1, 10 + i as u64, &[file]);
    }
    rig.pass(20);
    assert_eq!(rig.updates(2), [(50, 0, 50)]);
}

#[test]
fn what_came_and_went_in_between_is_only_told_as_gone() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.forget(2);
    rig.offer(1, 10, &files(2));
    rig.ask(1, r#"{"id":11,"request":"withdraw","files":["file-00000"]}"#);
    rig.pass(100);
    assert_eq!(rig.updates(2), [(1, 1, 1)]);
}

#[test]
fn a_client_that_takes_no_state_gets_the_newest_later_in_one_piece() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.silence(2);
    // More than a link takes before state waits.
    for round in 0..8 {
        rig.offer(
            1,
            100 + round,
            &(0..200).map(|i| format!("big-{round}-{i:03}-{}", "x".repeat(100))).collect::<Vec<_>>(),
        );
        rig.pass(30);
    }
    let before = rig.updates(2).len();
    for round in 0..20 {
        rig.offer(1, 200 + round, &["flips".into()]);
        rig.pass(21);
        rig.ask(1, &format!(r#"{{"id":{},"request":"withdraw","files":["flips"]}}"#, 300 + round));
        rig.pass(21);
    }
    assert_eq!(rig.updates(2).len(), before, "it is not told while it cannot take more");
    rig.wires.get_mut(&2).unwrap().acks = true;
    rig.ack_all();
    rig.pass(100);
    let news = &rig.updates(2)[before..];
    assert!(news.len() <= 5, "forty changes of one offer cost nothing: {news:?}");
    let named: usize = rig.updates(2).iter().map(|(added, ..)| added).sum();
    assert_eq!((named, rig.updates(2).last().unwrap().2), (1_600, 1_600));
}

#[test]
fn a_big_table_comes_in_pieces_and_whole() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.offer(1, 10, &files(5_000));
    rig.hello(2, 2);
    rig.register(2, "ben");
    rig.commit();
    rig.pass(100);
    let mut replica = std::collections::BTreeSet::new();
    let (mut pieces, mut revision) = (0, 0);
    for line in &rig.wires[&2].bodies {
        let Event::TableUpdated(update) = &line.event else { continue };
        assert_eq!(update.full, pieces == 0, "only the first piece begins anew");
        assert!(update.revision >= revision && update.total == 5_000);
        (pieces, revision) = (pieces + 1, update.revision);
        replica.extend(update.added.iter().map(|offer| offer.file.clone()));
        assert!(crate::protocol::to_json(line).len() < 2 * DELTA_BYTES);
    }
    assert!(pieces > 10, "{pieces}");
    assert_eq!(replica.into_iter().collect::<Vec<_>>(), files(5_000));
}

#[test]
fn a_client_that_reads_nothing_is_too_slow_and_harms_nobody() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.silence(1);
    for id in 0..=LINK_FRAMES {
        rig.ask(1, &format!(r#"{{"id":{},"request":"withdraw","files":["none"]}}"#, 10 + id));
        if rig.wires[&1].closed {
            break;
        }
    }
    assert_eq!(rig.turned_away(1), Some(ErrorCode::TooSlow));
    rig.pass(100);
    assert_eq!((rig.state("anna"), rig.state("ben")), (None, Some(Presence::Online)));
}

#[test]
fn questions_that_cannot_be_answered_yet_do_not_pile_up() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.silence(2);
    for round in 0..8 {
        rig.offer(
            1,
            100 + round,
            &(0..200).map(|i| format!("big-{round}-{i:03}-{}", "x".repeat(100))).collect::<Vec<_>>(),
        );
        rig.pass(30);
    }
    for id in 0..=LINK_FRAMES {
        rig.ask(2, &format!(r#"{{"id":{},"request":"list"}}"#, 1_000 + id));
        if rig.wires[&2].closed {
            break;
        }
    }
    assert_eq!(rig.turned_away(2), Some(ErrorCode::TooSlow));
}

#[test]
fn an_offer_is_taken_whole_or_not_at_all() {
    let limits = HubLimits { offers: 3, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.offer(1, 10, &["good".into(), "../bad".into()]);
    assert_eq!(rig.refusal(1, 10), Some(ErrorCode::BadName));
    rig.offer(1, 11, &files(4));
    assert_eq!(rig.refusal(1, 11), Some(ErrorCode::TooManyOffers));
    assert_eq!(rig.hub.offers(), []);
    rig.offer(1, 12, &files(3));
    rig.offer(1, 13, &files(2));
    assert!(
        matches!(rig.answer(1, 13), Some(Event::OfferAcked(acked)) if acked.offers.len() == 2),
        "the same again is fine"
    );
    assert_eq!(rig.hub.offers().len(), 3);
}

#[test]
fn who_asks_for_the_table_gets_the_newest_before_the_answer() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.offer(1, 10, &files(1));
    rig.forget(2);
    rig.ask(2, r#"{"id":5,"request":"list"}"#);
    let words: Vec<&str> = rig.wires[&2].bodies.iter().map(|line| line.event.name()).collect();
    assert_eq!(words, ["table-updated", "synced"]);
}

#[test]
fn a_client_at_a_new_address_is_shown_there_to_everybody() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.offer(1, 10, &files(1));
    // It has noticed before the hub that its network changed, so it was never away.
    let session = rig.hub_hello(1).session;
    let address = SocketAddr::from(([10, 9, 9, 9], 50_000));
    rig.wires.insert(2, Wire { acks: true, ..Wire::default() });
    rig.handle(Input::Connected { conn: 2, key: PublicKey([1; 32]), address, transport: "tcp", exporter: None });
    rig.line(2, &format!(r#"{{"hello":"potluck-link/1","session":"{session}","received":0,"port":40001,"link_port":45001,"instance":"0123456789abcdef"}}"#));
    assert_eq!(rig.hub.offers()[0].address, address.ip());
    assert_eq!(rig.hub.roster()[0].address, address.ip());
    assert_eq!(rig.hub.roster()[0].state, Presence::Online);
}

#[test]
fn who_leaves_with_very_many_offers_is_taken_out_bit_by_bit_and_may_come_back_meanwhile() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    let many = files(5_000);
    for (i, some) in many.chunks(1_000).enumerate() {
        rig.offer(1, 10 + i as u64, some);
        rig.pass(60_000);
    }
    assert_eq!(rig.hub.offers().len(), many.len());
    rig.ask(1, r#"{"id":20,"request":"dereg"}"#);
    let left = rig.hub.offers().len();
    assert!((1..many.len()).contains(&left), "some have gone, and others were answered before the rest: {left}");
    rig.register(1, "anna");
    rig.commit();
    rig.offer(1, 30, &many[..1]);
    rig.offer(2, 40, &many[1..2]);
    rig.pass(1_000);
    assert_eq!(rig.offers(), ["file-00000 of anna", "file-00001 of ben"]);
    assert_eq!(rig.updates(2).last().map(|(_, _, total)| *total), Some(2));
    assert!(rig.hub.counts().contains(&("chores", 0)));
}

#[test]
fn very_many_offers_of_who_has_moved_are_told_at_the_new_address() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    let many = files(3_000);
    for (i, some) in many.chunks(1_000).enumerate() {
        rig.offer(1, 10 + i as u64, some);
        rig.pass(60_000);
    }
    let before = rig.hub.revision();
    let session = rig.hub_hello(1).session;
    let address = SocketAddr::from(([10, 9, 9, 9], 50_000));
    rig.wires.insert(2, Wire { acks: true, ..Wire::default() });
    rig.handle(Input::Connected { conn: 2, key: PublicKey([1; 32]), address, transport: "tcp", exporter: None });
    rig.line(2, &format!(r#"{{"hello":"potluck-link/1","session":"{session}","received":0,"port":40001,"link_port":45001,"instance":"0123456789abcdef"}}"#));
    rig.pass(100);
    assert!(rig.hub.offers().iter().all(|offer| offer.address == address.ip()));
    assert!(
        rig.hub.revision() >= before + many.len() as u64,
        "each has a revision of its own, so that all are told anew"
    );
}
