//! Files given to others and taken from them.

use super::files::content;
use super::*;
use crate::protocol::types::Stage;

impl Rig {
    /// A push of `plan` to ben, which the hub has under this number.
    fn push(&mut self, id: i64, number: u64) {
        self.line(&format!(r#"{{"id":{id},"request":"push","file":"papers/plan","to":"Ben"}}"#));
        let task = self.tasks.pop().unwrap();
        self.handle(Input::Granted(task, Ok(content("plan"))));
        let body = format!(r#","push":{number},"transfer":0,"file":"plan","to":"ben","online":true"#);
        self.answer("push", "push-asked", &body);
    }
}

#[test]
fn a_push_is_final_when_they_have_it() {
    let mut rig = Rig::welcomed(config());
    rig.push(1, 7);
    rig.line(r#"{"id":2,"request":"wait"}"#);
    rig.line(r#"{"id":3,"request":"transfers"}"#);
    assert_eq!((rig.last(1), rig.last(2), rig.last(3)), (None, None, Some("transfers")));
    rig.hub(r#"{"event":"push-answered","push":7,"answer":"accepted"}"#);
    // Somebody else who fetches the same content is not whom it is for.
    rig.upload(1, "cleo");
    rig.upload(2, "ben");
    rig.handle(Input::Upload(1, UploadNote::Completed(5)));
    assert_eq!(rig.last(1), None);
    rig.handle(Input::Upload(2, UploadNote::Completed(5)));
    assert_eq!((rig.last(1), rig.last(2)), (Some("transfer-completed"), Some("waited")));
}

/// Without a patience of its own, the end waits for it until the time of the whole session is over.
#[test]
fn the_end_waits_for_a_push_as_long_as_it_is_told_to() {
    let end = |patience: Option<u64>, pass: u64| {
        let mut rig = Rig::welcomed(with(|config| {
            config.patience.pushes = patience.map(Duration::from_secs);
            config.patience.timeout = Some(Duration::from_secs(60));
        }));
        rig.push(1, 7);
        rig.handle(Input::EndOfInput);
        rig.pass(pass);
        rig
    };
    assert_eq!(end(Some(5), 4_999).last(1), None);
    assert_eq!(end(Some(5), 5_000).last(1), Some("not-taken"));
    assert_eq!(end(None, 59_999).last(1), None);
    assert_eq!(end(None, 60_000).last(1), Some("not-taken"));
}

#[test]
fn of_two_pushes_of_one_content_the_accepted_one_is_given() {
    let accepted = r#"{"event":"push-answered","push":8,"answer":"accepted"}"#;
    // Who fetches may be quicker than the hub that says which they have accepted.
    for fetched in [0, 1, 2] {
        let mut rig = Rig::welcomed(config());
        rig.push(1, 7);
        rig.push(2, 8);
        if fetched == 0 {
            rig.hub(accepted);
        }
        rig.upload(1, "ben");
        if fetched == 1 {
            rig.hub(accepted);
        }
        rig.handle(Input::Upload(1, UploadNote::Completed(5)));
        let given = if fetched == 0 { 2 } else { 1 };
        assert_eq!(rig.last(given), Some("transfer-completed"));
        if fetched == 2 {
            rig.hub(accepted);
            // The first one had been taken back: it is asked anew, and the accepted one is over.
            let body = r#","push":9,"transfer":0,"file":"plan","to":"ben","online":true"#;
            rig.answer("push", "push-asked", body);
        }
        let over: Vec<_> = rig.asked.iter().filter_map(|ask| ask["take_back"].as_u64()).collect();
        assert_eq!(over, if fetched == 2 { vec![7, 8] } else { vec![8] });
        let waiting = if fetched == 2 { 9 } else { 7 };
        rig.hub(&format!(r#"{{"event":"push-answered","push":{waiting},"answer":"declined"}}"#));
        assert_eq!(rig.last(3 - given), Some("push-declined"));
    }
}

#[test]
fn a_push_can_be_declined_or_taken_back() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":5,"request":"push","file":"plan","to":"ANNA"}"#);
    assert_eq!(rig.last(5), Some("yourself"));
    rig.push(1, 7);
    rig.hub(r#"{"event":"push-answered","push":7,"answer":"declined"}"#);
    assert_eq!(rig.last(1), Some("push-declined"));
    rig.push(2, 8);
    rig.line(r#"{"id":3,"request":"cancel","transfer":2}"#);
    assert_eq!((rig.last(2), rig.last(3)), (Some("interrupted"), Some("cancelled")));
    assert_eq!(rig.asked.last().unwrap()["take_back"], 8);
    rig.push(4, 9);
    rig.hub(r#"{"event":"push-answered","push":9,"answer":"accepted"}"#);
    rig.line(r#"{"id":6,"request":"cancel","transfer":3}"#);
    assert_eq!((rig.last(4), rig.last(6)), (Some("interrupted"), Some("cancelled")));
    assert_eq!(rig.asked.last().unwrap()["take_back"], 9, "even what they have accepted");
}

#[test]
fn a_hub_that_has_forgotten_a_push_is_asked_again() {
    let mut rig = Rig::welcomed(config());
    rig.push(1, 7);
    rig.lose();
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    assert_eq!(rig.asks(), ["push"]);
    rig.answer("push", "push-asked", r#","push":1,"transfer":0,"file":"plan","to":"ben","online":false"#);
    rig.hub(r#"{"event":"push-answered","push":7,"answer":"declined"}"#);
    assert_eq!(rig.last(1), None, "that is the number of another one now");
    rig.hub(r#"{"event":"push-answered","push":1,"answer":"declined"}"#);
    assert_eq!(rig.last(1), Some("push-declined"));
}

#[test]
fn a_push_that_could_not_be_fetched_waits_as_before() {
    let mut rig = Rig::welcomed(config());
    rig.push(1, 7);
    rig.hub(r#"{"event":"push-answered","push":7,"answer":"accepted"}"#);
    rig.hub(r#"{"event":"push-answered","push":7,"answer":"waiting"}"#);
    rig.pass(1_000);
    assert_eq!(rig.last(1), None);
    rig.upload(2, "ben");
    rig.handle(Input::Upload(2, UploadNote::Completed(5)));
    assert_eq!(rig.last(1), Some("transfer-completed"));
    assert_eq!(rig.asked.last().unwrap()["take_back"], 7, "the hub need not wait any more");
}

/// What the hub says of a push of `plan`.
fn offered(push: u64, from: &str) -> String {
    let hash = "0".repeat(64);
    format!(r#"{{"event":"push-offered","push":{push},"from":"{from}","file":"plan","size":5,"hash":"{hash}"}}"#)
}

#[test]
fn what_somebody_else_gives_is_not_taken_for_what_was_offered() {
    let mut rig = Rig::welcomed(with(|config| config.downloads.accept_from = AcceptFrom::Names(vec!["ben".into()])));
    for (push, owner) in [(3, "mallory"), (4, "ben")] {
        rig.hub(&offered(push, "ben"));
        let song = SONG.replace("\"song\"", "\"plan\"");
        let offer = format!(r#"{song},"owner":"{owner}","address":"10.0.0.2","port":1}}"#);
        rig.answer("accept", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
        let refused = rig
            .told
            .iter()
            .filter(|line| matches!(&line.event, Event::Error(e) if e.code == ErrorCode::PeerKeyChanged));
        assert_eq!((refused.count(), rig.fetches.len() as u64), (1, push - 3), "{owner}");
    }
    rig.hub(&offered(5, &"x".repeat(40)));
    assert!(!rig.session.transfers.is_offered(5), "nobody has such a name");
}

#[test]
fn what_is_given_to_us_is_fetched_if_it_is_what_was_offered() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"accept","push":3}"#);
    rig.refuse("accept", "no-such-push");
    assert_eq!(rig.last(1), Some("no-such-push"));
    rig.hub(&offered(3, "ben"));
    rig.line(r#"{"id":2,"request":"accept","push":3,"to":"../x"}"#);
    assert_eq!(rig.last(2), Some("bad-name"));
    let located = |rig: &mut Rig, file: &str| {
        let song = SONG.replace("\"song\"", &format!("\"{file}\""));
        let offer = format!(r#"{song},"owner":"ben","address":"10.0.0.2","port":1}}"#);
        rig.answer("accept", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
    };
    rig.line(r#"{"id":3,"request":"accept","push":3}"#);
    located(&mut rig, "plan");
    assert_eq!(rig.fetches.len(), 1);
    rig.hub(&offered(4, "ben"));
    rig.line(r#"{"id":4,"request":"accept","push":4}"#);
    located(&mut rig, "another");
    assert_eq!((rig.last(4), rig.fetches.len()), (Some("wrong-protocol"), 1));
    assert_eq!(rig.asked.pop().map(|ask| ask["not_taken"].clone()), Some(4.into()), "it may be accepted again");
    // Who has not been told of it yet takes what there is, under a name that leads nowhere else.
    rig.line(r#"{"id":6,"request":"accept","push":6}"#);
    located(&mut rig, "../another");
    rig.line(r#"{"id":7,"request":"accept","push":7}"#);
    located(&mut rig, "another");
    assert_eq!((rig.last(6), rig.fetches.len()), (Some("bad-name"), 2));
    rig.hub(&offered(5, "ben"));
    rig.line(r#"{"id":5,"request":"decline","push":5}"#);
    rig.answer("decline", "declined", r#","push":5"#);
    rig.hub(r#"{"event":"push-gone","push":5,"from":"ben","file":"plan"}"#);
    assert!(!rig.told_names().contains(&"push-gone"), "it was answered before");
}

#[test]
fn what_is_accepted_is_told_gone_only_if_it_could_not_be_fetched() {
    for fails in [false, true] {
        let mut rig = Rig::welcomed(config());
        rig.hub(&offered(3, "ben"));
        rig.line(r#"{"id":1,"request":"accept","push":3}"#);
        let song = SONG.replace("\"song\"", "\"plan\"");
        let offer = format!(r#"{song},"owner":"ben","address":"10.0.0.2","port":1}}"#);
        rig.answer("accept", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
        // Ben has sent all of it, or has left.
        rig.hub(r#"{"event":"push-gone","push":3,"from":"ben","file":"plan"}"#);
        assert!(!rig.told_names().contains(&"push-gone"), "it is under way");
        let (path, sources) = ("plan".to_owned(), Vec::new());
        let end = match fails {
            true => TransferNote::Failed(ErrorCode::PeerBroke.into()),
            false => TransferNote::Completed { path, complete: true, sources },
        };
        rig.handle(Input::Transfer(3, end));
        assert_eq!(rig.last(1), Some(if fails { "peer-broke" } else { "transfer-completed" }));
        assert_eq!(rig.told_names().contains(&"push-gone"), fails);
        assert!(!rig.session.transfers.is_offered(3), "it waits for nobody any more");
    }
}

#[test]
fn pushes_are_accepted_from_those_who_were_named() {
    for (accept_from, from, accepted) in [
        (AcceptFrom::Nobody, "ben", false),
        (AcceptFrom::Names(vec!["Ben".into()]), "ben", true),
        (AcceptFrom::Names(vec!["cleo".into()]), "ben", false),
        (AcceptFrom::All, "ben", true),
    ] {
        let mut rig = Rig::welcomed(with(|config| config.downloads.accept_from = accept_from.clone()));
        rig.hub(&offered(3, from));
        assert_eq!(rig.asks().contains(&"accept"), accepted, "{accept_from:?}");
    }
    // Hidden files are taken by hand alone.
    let mut rig = Rig::welcomed(with(|config| config.downloads.accept_from = AcceptFrom::All));
    rig.hub(&offered(3, "ben").replace("\"plan\"", "\".profile\""));
    assert!(rig.asks().is_empty() && rig.told_names().contains(&"push-offered"));
    // A name that leads elsewhere is not accepted from anybody.
    let mut rig = Rig::welcomed(with(|config| config.downloads.accept_from = AcceptFrom::All));
    rig.hub(&offered(3, "ben").replace("\"plan\"", "\"../.ssh/authorized_keys\""));
    assert!(rig.asks().is_empty() && rig.fetches.is_empty());
    assert!(rig.told.iter().any(|line| matches!(&line.event, Event::Error(e) if e.code == ErrorCode::BadName)));
}

#[test]
fn an_accepted_number_is_not_that_of_another_hub() {
    let mut rig = Rig::welcomed(config());
    rig.hub(&offered(1, "ben"));
    rig.line(r#"{"id":1,"request":"accept","push":1}"#);
    assert_eq!(rig.asks(), ["accept"]);
    rig.lose();
    rig.asked.clear();
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    rig.line(r#"{"id":2,"request":"decline","push":1}"#);
    assert_eq!(rig.lasts(2), [None; 2], "each in its turn");
    assert!(rig.asked.iter().all(|ask| ask["push"] == 0), "the new hub is asked about no push: {:?}", rig.asked);
    rig.refuse("accept", "no-such-push");
    assert_eq!(rig.last(1), Some("no-such-push"));
    assert_eq!(rig.last(2), Some("no-such-push"), "it has not told of one yet");
    assert!(!rig.asks().contains(&"decline"), "it is not asked of the new hub");
    // The new hub's first push has another number here: nobody can mean the one by the other.
    rig.hub(&offered(1, "cleo"));
    let told = rig.told.iter().filter_map(|line| match &line.event {
        Event::PushOffered(offered) => Some((offered.push, offered.from.clone())),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(1, "ben".to_owned()), (2, "cleo".to_owned())]);
    rig.line(r#"{"id":3,"request":"accept","push":1}"#);
    assert_eq!(rig.last(3), Some("no-such-push"));
    rig.line(r#"{"id":4,"request":"accept","push":2}"#);
    assert_eq!((rig.asks().last(), &rig.asked.last().unwrap()["push"]), (Some(&"accept"), &1.into()));
}

#[test]
fn a_push_has_one_number_from_its_offer_to_its_end() {
    let mut rig = Rig::welcomed(config());
    let shown = |rig: &mut Rig, id: i64| {
        rig.line(&format!(r#"{{"id":{id},"request":"transfers"}}"#));
        let Some(Event::Transfers(transfers)) = rig.told.last().map(|line| line.event.clone()) else { panic!() };
        transfers.transfers.iter().map(|one| (one.transfer, one.state)).collect::<Vec<_>>()
    };
    // At its giver: the hub's number is never seen.
    rig.push(1, 70);
    let asked = rig.told.iter().find_map(|line| match &line.event {
        Event::PushAsked(asked) => Some((asked.push, asked.transfer)),
        _ => None,
    });
    assert_eq!((asked, shown(&mut rig, 2)), (Some((1, 1)), vec![(1, Stage::Waiting)]));
    rig.line(r#"{"id":3,"request":"accept","push":1}"#);
    assert_eq!(rig.last(3), Some("no-such-push"), "that is one of ours");
    rig.line(r#"{"id":4,"request":"cancel","transfer":1}"#);
    assert_eq!((rig.last(4), rig.last(1)), (Some("cancelled"), Some("interrupted")));
    // At its receiver, where the hub's number 1 is taken.
    rig.hub(&offered(1, "ben"));
    rig.hub(&offered(3, "ben"));
    rig.hub(&offered(8, "ben"));
    let waiting = vec![(2, Stage::Waiting), (3, Stage::Waiting), (8, Stage::Waiting)];
    assert_eq!(shown(&mut rig, 5), waiting);
    rig.line(r#"{"id":6,"request":"accept","push":2}"#);
    assert_eq!(rig.asked.last().unwrap()["push"], 1);
    let song = SONG.replace("\"song\"", "\"plan\"");
    let offer = format!(r#"{song},"owner":"ben","address":"10.0.0.2","port":1}}"#);
    rig.answer("accept", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
    assert_eq!((rig.fetches.len(), shown(&mut rig, 7)[0]), (1, (2, Stage::Running)));
    for (id, request) in [(8, "accept"), (13, "decline")] {
        rig.line(&format!(r#"{{"id":{id},"request":"{request}","push":2}}"#));
        assert_eq!(rig.last(id), Some("no-such-push"), "{request}: it is under way");
    }
    // It could not be fetched: it waits again, under the same number.
    rig.handle(Input::Transfer(2, TransferNote::Failed(ErrorCode::DiskFull.into())));
    assert_eq!((shown(&mut rig, 9), rig.last(6)), (waiting, Some("disk-full")));
    assert_eq!(rig.asked.last().unwrap()["not_taken"], 1);
    // What waits for us can be cancelled as well as declined.
    rig.line(r#"{"id":10,"request":"cancel","transfer":3}"#);
    assert_eq!((rig.last(10), rig.asks().last()), (Some("cancelled"), Some(&"decline")));
    assert_eq!(rig.asked.last().unwrap()["push"], 3);
    rig.answer("decline", "declined", r#","push":3"#);
    rig.line(r#"{"id":11,"request":"decline","push":8}"#);
    rig.answer("decline", "declined", r#","push":8"#);
    assert_eq!((shown(&mut rig, 12), rig.last(11)), (vec![(2, Stage::Waiting)], Some("declined")));
}
