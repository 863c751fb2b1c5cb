//! The order in which requests take effect.

use super::*;
use crate::protocol::limits::{ANSWER_LARGE, ANSWER_SMALL, UNREAD_BYTES};

#[test]
fn nothing_is_asked_before_the_welcome() {
    let mut rig = Rig::begun(config());
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.line(r#"{"id":2,"request":"offer","files":["song"]}"#);
    assert_eq!((rig.asks(), rig.tasks.len()), (vec!["register"], 0));
    rig.welcome("anna");
    assert_eq!((rig.asks(), rig.tasks.len()), (vec!["list"], 0), "an offer waits for the answers before it");
    rig.answer("list", "synced", r#","revision":9"#);
    assert_eq!((rig.last(1), rig.tasks.len()), (Some("table"), 1));
    rig.line(r#"{"id":3,"request":"list"}"#);
    assert_eq!(rig.asks(), Vec::<&str>::new(), "what comes after an offer sees it");
    rig.hashed();
    assert_eq!(rig.asks(), ["publish", "list"]);
}

#[test]
fn hashing_a_huge_file_holds_up_only_what_changes_our_offers() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"offer","files":["song"]}"#);
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.line(r#"{"id":3,"request":"help"}"#);
    rig.pass_with_acks(999);
    assert_eq!((rig.asks(), rig.last(3)), (vec![], None), "what comes after a small offer sees it");
    rig.pass_with_acks(1);
    assert_eq!(rig.asks(), ["list"]);
    rig.answer("list", "synced", r#","revision":9"#);
    assert_eq!((rig.last(2), rig.last(3)), (Some("table"), Some("help")));
    rig.line(r#"{"id":4,"request":"get","file":"other"}"#);
    assert_eq!(rig.asks(), ["get"]);
    rig.locate();
    rig.line(r#"{"id":5,"request":"withdraw","files":["song"]}"#);
    rig.line(r#"{"id":6,"request":"setdir","dir":"other"}"#);
    rig.pass_with_acks(10_000);
    assert_eq!((rig.asks(), rig.tasks.len(), rig.last(1)), (vec![], 1, None));
    rig.hashed();
    assert_eq!(rig.asks(), ["publish", "withdraw"]);
    rig.ack_offer();
    rig.answer("withdraw", "withdrawn", r#","files":["song"],"revision":3"#);
    assert_eq!((rig.last(1), rig.last(5), rig.tasks.len()), (Some("offer-acked"), Some("withdrawn"), 1));
}

#[test]
fn with_fail_fast_nothing_goes_past_an_offer() {
    let mut rig = Rig::welcomed(SessionConfig { fail_fast: true, ..config() });
    rig.line(r#"{"id":1,"request":"offer","files":["song"]}"#);
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.pass_with_acks(5_000);
    assert_eq!(rig.asks(), Vec::<&str>::new());
}

#[test]
fn many_questions_are_on_their_way_at_once_but_not_too_many() {
    let mut rig = Rig::welcomed(config());
    let limit = crate::protocol::limits::REQUESTS_IN_FLIGHT;
    for _ in 0..limit + 10 {
        rig.line("unblock ben");
    }
    assert_eq!(rig.asked.len(), limit);
    rig.answer("unblock", "unblocked", r#","name":"ben""#);
    assert_eq!(rig.asked.len(), limit);
    assert!(rig.session.accepts_requests());
    for _ in 0..crate::protocol::limits::REQUESTS_WAITING {
        rig.line("unblock ben");
    }
    assert!(!rig.session.accepts_requests(), "more wait at their source");
}

#[test]
fn a_few_large_answers_are_awaited_at_once_and_large_requests_are_asked_one_by_one() {
    let mut rig = Rig::welcomed(config());
    (0..20).for_each(|_| rig.line("history"));
    let most = UNREAD_BYTES / ANSWER_LARGE;
    assert_eq!(rig.asked.len(), most);
    rig.answer("history", "history", r#","messages":[],"more":false"#);
    assert_eq!(rig.asked.len(), most);
    let mut rig = Rig::welcomed(config());
    let text = "x".repeat(16 << 10);
    (0..200).for_each(|_| rig.line(&format!("say kitchen {text}")));
    assert!((60..70).contains(&rig.asked.len()), "{} requests of 16 KiB", rig.asked.len());
    // What waits is bounded in bytes, too.
    let text = "x".repeat(1 << 19);
    let taken = (0..100).take_while(|_| {
        rig.line(&format!("say kitchen {text}"));
        rig.session.accepts_requests()
    });
    assert!(taken.count() < 20);
}

#[test]
fn nothing_is_begun_while_nobody_reads_and_everything_when_somebody_does() {
    let mut rig = Rig::welcomed(config());
    rig.handle_slowly(Input::Unread(UNREAD_BYTES - ANSWER_SMALL));
    // The answer to the first has room, and then there is none; what is answered here waits as well.
    for id in 1..=3 {
        rig.handle_slowly(Input::Line(id, format!(r#"{{"id":{id},"request":"unblock","name":"ben"}}"#).as_bytes()));
    }
    rig.handle_slowly(Input::Line(4, b"{\"id\":4,\"request\":\"transfers\"}"));
    rig.handle_slowly(Input::Line(5, b"nonsense"));
    assert_eq!((rig.asks(), rig.told.len()), (vec!["unblock"], 2), "ready, welcome, and nothing since");
    assert!(rig.session.waits_for_reader());
    rig.handle_slowly(Input::Unread(UNREAD_BYTES / 2));
    assert_eq!(rig.asks(), ["unblock"; 3]);
    assert!(!rig.session.waits_for_reader());
    (0..3).for_each(|_| rig.answer("unblock", "unblocked", r#","name":"ben""#));
    assert_eq!(rig.lasts(4), [Some("unblocked"), Some("unblocked"), Some("unblocked"), Some("transfers")]);
    let bad = rig.told.last().unwrap();
    assert!(matches!(&bad.event, Event::Error(error) if error.line == Some(5)), "{bad:?}");
    // Who wants to go need not be read.
    rig.handle_slowly(Input::Unread(2 * UNREAD_BYTES));
    rig.handle_slowly(Input::EndOfInput);
    assert_eq!(rig.asks(), ["quit"]);
}

#[test]
fn what_waits_for_the_store_holds_nothing_up_here() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"history"}"#);
    rig.line(r#"{"id":2,"request":"transfers"}"#);
    rig.line(r#"{"id":3,"request":"get","file":"../x"}"#);
    rig.line(r#"{"id":4,"request":"unblock","name":"ben"}"#);
    rig.line(r#"{"id":5,"request":"transfers"}"#);
    rig.line(r#"{"id":6,"request":"wait"}"#);
    assert_eq!(rig.lasts(6), [None, Some("transfers"), Some("bad-name"), None, None, None]);
    rig.answer("unblock", "unblocked", r#","name":"ben""#);
    assert_eq!(rig.lasts(6)[3..], [Some("unblocked"), Some("transfers"), None]);
    rig.answer("history", "history", r#","messages":[],"more":false"#);
    assert_eq!(rig.last(6), Some("waited"));
}

#[test]
fn who_we_are_is_settled_before_the_next_request() {
    let mut rig = Rig::welcomed(config());
    for line in [
        r#"{"id":1,"request":"dereg"}"#,
        r#"{"id":2,"request":"rereg"}"#,
        r#"{"id":3,"request":"get","file":"song"}"#,
        r#"{"id":4,"request":"register","name":"cleo"}"#,
    ] {
        rig.line(line);
    }
    assert_eq!(rig.asks(), ["dereg"]);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":0"#);
    assert_eq!(rig.asks(), ["register"], "the hub may take a while: nothing overtakes a registration");
    rig.welcome("anna");
    assert_eq!(rig.asks(), ["get"]);
    rig.locate();
    rig.refuse("register", "already-registered");
    assert_eq!(rig.lasts(4), [Some("deregistered"), Some("welcome"), None, Some("already-registered")]);
}

#[test]
fn wait_blocks_until_transfers_are_final_and_what_follows_waits_too() {
    let mut rig = Rig::welcomed(config());
    for line in
        [r#"{"id":1,"request":"get","file":"song"}"#, r#"{"id":2,"request":"wait"}"#, r#"{"id":3,"request":"list"}"#]
    {
        rig.line(line);
    }
    rig.locate();
    assert_eq!((rig.fetches.clone(), rig.lasts(3)), (vec![1], vec![None; 3]));
    rig.complete(1);
    assert_eq!(rig.lasts(2), [Some("transfer-completed"), Some("waited")]);
    assert_eq!(rig.asks(), ["list"]);
}

#[test]
fn wait_does_not_wait_for_what_others_fetch() {
    let mut rig = Rig::welcomed(config());
    let hash = ContentHash([0; 32]);
    rig.handle(Input::Upload(
        1,
        UploadNote::Started { peer: "ben".into(), file: "song".into(), size: 5, hash, route: Route::Direct },
    ));
    rig.line(r#"{"id":1,"request":"wait"}"#);
    assert_eq!(rig.last(1), Some("waited"));
}

#[test]
fn cancel_and_transfers_overtake_wait() {
    let mut rig = Rig::welcomed(config());
    for line in [
        r#"{"id":1,"request":"get","file":"song"}"#,
        r#"{"id":2,"request":"setdir","dir":"x"}"#,
        r#"{"id":3,"request":"wait"}"#,
        r#"{"id":4,"request":"transfers"}"#,
        r#"{"id":5,"request":"cancel","transfer":1}"#,
    ] {
        rig.line(line);
    }
    rig.locate();
    let task = rig.tasks.pop().unwrap();
    rig.handle(Input::DirChecked(task, Ok("x".into())));
    assert_eq!(rig.lasts(5), [None, Some("dir-set"), None, Some("transfers"), Some("cancelled")]);
    assert_eq!(rig.cancelled, [1]);
    rig.transfer(1, TransferNote::Failed(ErrorCode::Interrupted.into()));
    assert_eq!((rig.last(1), rig.last(3)), (Some("interrupted"), Some("waited")));
}

#[test]
fn a_transfer_can_be_cancelled_while_the_hub_is_lost() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"get","file":"song"}"#);
    rig.locate();
    rig.lose();
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.line(r#"{"id":3,"request":"cancel","transfer":1}"#);
    assert_eq!(rig.last(3), Some("cancelled"));
    assert_eq!(rig.last(2), None);
}

#[test]
fn a_request_has_one_final_event_and_it_is_the_last() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"get","file":"song"}"#);
    rig.locate();
    rig.complete(1);
    // What the driver says too late is not told.
    rig.transfer(1, TransferNote::Progress(4));
    rig.transfer(1, TransferNote::Failed(ErrorCode::PeerBroke.into()));
    assert_eq!(rig.last(1), Some("transfer-completed"));
    assert_eq!(rig.told.iter().filter(|line| line.id == Some(Id::Number(1))).count(), 2);
}

#[test]
fn bad_lines_are_answered_with_their_number_and_end_nothing() {
    let mut rig = Rig::welcomed(config());
    rig.handle(Input::Line(7, b"{"));
    rig.handle(Input::LineTooLong(8));
    rig.handle(Input::Line(9, br#"{"id":3,"request":"list","x":1}"#));
    let places: Vec<_> = rig
        .told
        .iter()
        .filter_map(|line| match &line.event {
            Event::Error(error) => Some((error.code.name(), error.at.clone())),
            _ => None,
        })
        .collect();
    let at = |pointer: &str| Some(At::Pointer(pointer.into()));
    let expected = [("bad-json", Some(At::Line(7))), ("line-too-long", Some(At::Line(8))), ("bad-request", at("/x"))];
    assert_eq!(places, expected);
    assert_eq!((rig.last(3), rig.end), (Some("bad-request"), None));
}

#[test]
fn a_refused_offer_is_not_served() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"offer","files":["song"]}"#);
    rig.hashed();
    rig.refuse("publish", "too-many-offers");
    assert_eq!((rig.last(1), rig.unserved.clone()), (Some("too-many-offers"), vec!["song".to_owned()]));
    rig.offered();
    rig.line(r#"{"id":2,"request":"offer","files":["song"]}"#);
    rig.hashed();
    rig.refuse("publish", "too-many-offers");
    assert_eq!(rig.unserved.len(), 1, "what is offered from before stays served");
}

#[test]
fn the_hub_tells_of_its_table_and_roster_and_of_nothing_else() {
    let mut rig = Rig::welcomed(config());
    rig.hub(r#"{"event":"bye","reason":"forged","code":0}"#);
    rig.hub(r#"{"event":"transfer-completed","transfer":1,"direction":"down","file":"a","peer":"b","size":1,"hash":"0000000000000000000000000000000000000000000000000000000000000000","elapsed":1}"#);
    rig.hub(r#"{"event":"news-of-a-later-version","more":1}"#);
    rig.hub(r#"{"event":"table-updated","revision":3,"added":[],"removed":[],"total":0}"#);
    assert_eq!(rig.words(), ["ready", "welcome", "table-updated"]);
}
