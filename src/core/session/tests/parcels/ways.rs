//! What each side of a parcel is told, and what is fetched.

use super::*;

fn songs() -> Parcel {
    parcel(&[file("songs/a", 3), file("songs/b/c", 5)])
}

const SEND: &str = r#"{"id":1,"request":"parcel-send","paths":["song"]}"#;

#[test]
fn one_file_goes_from_a_member_to_a_guest() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    assert!(code.starts_with("8-"), "{code}");
    table.receive(&code);
    assert_eq!(table.receiver.told.last().unwrap().event.name(), "parcel-found");
    let plan = table.receiver.plans[0].clone();
    assert_eq!((plan.files[0].target.as_str(), plan.share, plan.by_key), ("song", false, true));
    assert_eq!((plan.sources[0].key, plan.sources[0].address), (SENDER, "10.0.0.1:40000".parse().unwrap()));
    assert!(table.ticket.is_some(), "it may come back");
    let serve = Output::Parcel(ParcelOutput::Serve(1, RECEIVER, "receiver of 8".into()));
    assert!(table.sender.parcels.contains(&serve), "{:?}", table.sender.parcels);
    table.receiver.complete(1);
    table.play();
    assert_eq!((table.receiver.last(1), table.sender.last(1)), (Some("parcel-received"), Some("parcel-sent")));
    assert!(table.ticket.is_none() && table.sender.parcels.contains(&Output::Parcel(ParcelOutput::Drop(1))));
    let words = ["ready", "parcel-ready", "parcel-claimed", "parcel-delivered", "parcel-sent"];
    assert_eq!(table.sender.words(), words);
    let words = ["ready", "parcel-found", "transfer-started", "transfer-completed", "parcel-received"];
    assert_eq!(table.receiver.words(), words);
    // The hub is told nothing of the contents.
    assert!(!table.is_open && table.receiver.asked.is_empty());
}

#[test]
fn a_folder_goes_below_the_name_that_was_wanted() {
    let mut table = Table::new();
    let code = table.send(SEND, songs());
    table.receiver.line(&format!(r#"{{"id":1,"request":"parcel-receive","code":"{code}","to":"new/"}}"#));
    table.play();
    let plan = table.receiver.plans[0].clone();
    let targets: Vec<&str> = plan.files.iter().map(|file| file.target.as_str()).collect();
    assert_eq!((plan.name.as_str(), targets), ("songs/", vec!["new/a", "new/b/c"]));
    assert!(plan.files.iter().all(|file| file.sources == [0]));
    table.receiver.complete(1);
    table.play();
    assert_eq!(table.receiver.last(1), Some("parcel-received"));
}

#[test]
fn many_files_are_listed_first() {
    let mut table = Table::new();
    let listing = file("listing", 900);
    let code = table.send(SEND, Parcel { content: ParcelContent::Listed(listing.clone()), ..songs() });
    table.receiver.line(&format!(r#"{{"id":1,"request":"parcel-receive","code":"{code}"}}"#));
    table.play_but_listing();
    let Some(Output::Parcel(ParcelOutput::FetchListing(task, plan))) = table.receiver.parcels.pop() else {
        panic!("it is listed")
    };
    assert_eq!((plan.hash, plan.share, plan.by_key), (listing.hash, false, true));
    // One that is not what was sealed.
    table.receiver.handle(Input::Parcel(ParcelInput::Listed(task, Ok(vec![file("songs/a", 8), file("../b", 0)]))));
    assert_eq!(table.receiver.last(1), Some("peer-broke"));
    table.play();
    table.receiver.line(&format!(r#"{{"id":2,"request":"parcel-receive","code":"{code}"}}"#));
    table.play_but_listing();
    let Some(Output::Parcel(ParcelOutput::FetchListing(task, _))) = table.receiver.parcels.pop() else {
        panic!("it is listed")
    };
    let ParcelContent::Files(files) = songs().content else { panic!() };
    table.receiver.handle(Input::Parcel(ParcelInput::Listed(task, Ok(files))));
    let transfer = table.receiver.fetches[0];
    table.receiver.complete(transfer);
    table.play();
    assert_eq!((table.receiver.last(2), table.sender.last(1)), (Some("parcel-received"), Some("parcel-sent")));
}

#[test]
fn a_text_is_told_and_nothing_is_fetched() {
    let mut table = Table::new();
    table.sender.line(r#"{"id":1,"request":"parcel-send","text":"soup"}"#);
    table.play();
    let code = table.code();
    table.receive(&code);
    let Event::ParcelReceived(received) = &table.receiver.told.last().unwrap().event else { panic!() };
    assert_eq!((received.text.as_deref(), received.path.as_ref()), (Some("soup"), None));
    assert!(table.receiver.fetches.is_empty() && table.sender.last(1) == Some("parcel-sent"));
}

#[test]
fn wrong_words_are_told_on_both_sides() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    let wrong = if code == "8-cactus-cactus" { "8-cactus-acid" } else { "8-cactus-cactus" };
    table.receive(wrong);
    assert_eq!((table.receiver.last(1), table.sender.last(1)), (Some("wrong-code"), Some("code-guessed")));
    assert_eq!((table.guesses, table.is_open, table.receiver.fetches.len()), (1, false, 0));
}

#[test]
fn what_is_no_code_is_refused_before_anything_is_said() {
    let mut table = Table::new();
    for (id, code) in [(1, "8-crossover"), (2, "8-crosover-clockwork"), (3, "soup"), (4, "7-crossover-clockwork")] {
        table.receiver.line(&format!(r#"{{"id":{id},"request":"parcel-receive","code":"{code}"}}"#));
        assert_eq!(table.receiver.last(id), Some("bad-code"), "{code}");
    }
    table.receive("12-crossover-clockwork");
    assert!(table.receiver.asked.is_empty() && table.receiver.parcels.is_empty());
}

#[test]
fn a_receiver_that_was_killed_goes_on_with_its_ticket() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    table.receive(&code);
    table.kill_receiver();
    let Event::ParcelLeft(left) = &table.sender.told.last().unwrap().event else { panic!() };
    assert_eq!((left.transfer, left.key, left.gone), (1, RECEIVER, true));
    table.receive(&code);
    assert!(table.sender.told.iter().any(|l| matches!(&l.event, Event::ParcelClaimed(claimed) if claimed.again)));
    table.receiver.complete(1);
    table.play();
    assert_eq!((table.receiver.last(1), table.sender.last(1)), (Some("parcel-received"), Some("parcel-sent")));
}

#[test]
fn a_cancelled_parcel_ends_on_both_sides() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    table.receive(&code);
    table.sender.line(r#"{"id":2,"request":"transfers"}"#);
    table.sender.line(r#"{"id":3,"request":"cancel","transfer":1}"#);
    assert_eq!(table.sender.lasts(3), [Some("interrupted"), Some("transfers"), Some("cancelled")]);
    table.play_but_listing();
    assert_eq!(table.receiver.last(1), Some("parcel-gone"));
    assert_eq!(table.receiver.cancelled, [1]);
    assert!(table.sender.parcels.contains(&Output::Parcel(ParcelOutput::Drop(1))) && !table.is_open);
}

#[test]
fn the_end_waits_for_a_parcel_as_for_a_push() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    table.sender.handle(Input::EndOfInput);
    table.sender.pass_with_acks(29_000);
    assert_eq!(table.sender.end, None);
    table.receive(&code);
    table.sender.pass_with_acks(60_000);
    assert_eq!(table.sender.last(1), None, "it is being fetched");
    table.receiver.complete(1);
    table.play();
    assert_eq!(table.sender.last(1), Some("parcel-sent"));
    let mut table = Table::new();
    table.send(SEND, parcel(&[file("song", 5)]));
    table.sender.handle(Input::EndOfInput);
    table.sender.pass_with_acks(31_000);
    assert_eq!(table.sender.last(1), Some("not-taken"));
    table.sender.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(table.sender.bye(), Some(("end of input", 6)), "not everything is as it was asked");
}

#[test]
fn a_code_is_good_for_as_long_as_was_said() {
    let mut table = Table::new();
    let request = r#"{"id":1,"request":"parcel-send","paths":["song"],"until":"10m","times":2}"#;
    let code = table.send(request, parcel(&[file("song", 5)]));
    table.sender.pass_with_acks(599_000);
    assert_eq!(table.sender.last(1), None);
    table.receive(&code);
    table.sender.pass_with_acks(2_000);
    assert_eq!(table.sender.last(1), None, "somebody is fetching it");
    table.receiver.complete(1);
    table.play();
    assert_eq!(table.sender.last(1), Some("parcel-sent"), "one of two");
    let mut table = Table::new();
    table.send(request, parcel(&[file("song", 5)]));
    table.sender.pass_with_acks(601_000);
    assert_eq!(table.sender.last(1), Some("not-taken"));
}

#[test]
fn a_hub_that_was_restarted_gives_the_same_number_or_the_code_is_void() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    table.receive(&code);
    Table::forgets(&mut table.sender);
    let open = table.sender.asked.last().unwrap().clone();
    assert_eq!((&open["nameplate"], &open["admitted"]), (&json!(8), &json!([RECEIVER.to_string()])));
    // The receiver finds its sender again, and where it is.
    Table::forgets(&mut table.receiver);
    table.receiver.parcels.clear();
    table.play();
    table.receiver.pass(2_000);
    table.play_but_listing();
    let places = Output::Whereabouts(vec![(SENDER, Some("10.0.0.1:40000".parse().unwrap()))]);
    assert_eq!(std::mem::take(&mut table.receiver.parcels), [places]);
    table.receiver.complete(1);
    table.play();
    assert_eq!((table.receiver.last(1), table.sender.last(1)), (Some("parcel-received"), Some("parcel-sent")));
    let mut table = Table::new();
    table.send(SEND, parcel(&[file("song", 5)]));
    Table::forgets(&mut table.sender);
    let ask = table.sender.asked.pop().unwrap()["open_code"].clone();
    table.sender.hub(&json!({"event":"code-opened","ask":ask,"nameplate":12}).to_string());
    assert_eq!(table.sender.last(1), Some("code-void"));
}

#[test]
fn an_old_hub_is_told_of() {
    let error = r#"{"event":"error","code":"bad-request","message":"No.","retry":"never"}"#;
    let mut table = Table::new();
    table.sender.line(SEND);
    table.sender.handle(Input::Parcel(ParcelInput::Prepared(1, Ok(songs()))));
    table.sender.hub(error);
    assert_eq!(table.sender.last(1), Some("wrong-protocol"));
    table.receiver.line(r#"{"id":1,"request":"parcel-receive","code":"8-crossover-clockwork"}"#);
    let Some(Output::Parcel(ParcelOutput::FindTicket(task, _))) = table.receiver.parcels.pop() else { panic!() };
    table.receiver.handle(Input::Parcel(ParcelInput::TicketFound(task, None)));
    table.receiver.hub(error);
    assert_eq!(table.receiver.last(1), Some("wrong-protocol"));
}

#[test]
fn a_session_without_a_name_refuses_what_needs_one() {
    let mut table = Table::new();
    assert!(table.sender.asked.is_empty(), "nobody is registered");
    let refused = [r#""list""#, r#""message","to":"ben","text":"hi""#, r#""push","to":"ben","file":"song""#];
    for (id, request) in (1..).zip(refused) {
        table.sender.line(&format!(r#"{{"id":{id},"request":{request}}}"#));
        assert_eq!(table.sender.last(id), Some("not-registered"), "{request}");
    }
    table.receiver.line(&SEND.replace("\"id\":1", "\"id\":7"));
    assert_eq!(table.receiver.last(7), Some("not-registered"), "a guest receives, and no more");
    assert!(table.sender.asked.is_empty() && table.receiver.asked.is_empty());
    table.receiver.handle(Input::EndOfInput);
    table.receiver.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(table.receiver.bye(), Some(("end of input", 0)));
}

#[test]
fn a_guest_meets_whoever_sends_to_it_and_nobody_else() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file("song", 5)]));
    table.receive(&code);
    let purpose = crate::protocol::wire::Purpose::Content(ContentHash([1; 32]));
    for (ask, meet) in [(1, SENDER), (2, PublicKey([9; 32]))] {
        let meet = crate::protocol::wire::Meet { meet, name: None, ask, purpose };
        table.receiver.handle(Input::Meet(meet));
    }
    let asked: Vec<&Value> = table.receiver.asked.iter().map(|ask| &ask["meet"]).collect();
    assert_eq!(asked, [&json!(SENDER.to_string())]);
}

/// A receiver that passes this on, and what came of a parcel.
fn passing(passes_on: PassesOn, parcel: Parcel) -> Table {
    let mut table = Table::new();
    let code = table.send(SEND, parcel);
    let mut config = unnamed(Entry::Guest, RECEIVER, 2);
    config.downloads.passes_on = passes_on;
    table.receiver = Rig::begun(config);
    table.receive(&code);
    table
}

#[test]
fn what_is_only_passed_on_goes_to_a_place_of_its_own() {
    let one = file("song", 5);
    let named = file(&stream_name(&one.hash), 5);
    let stream = Parcel { kind: ParcelKind::Stream, ..parcel(&[Content { hash: one.hash, ..named }]) };
    for (passes_on, sent, apart) in [
        (PassesOn::Nothing, stream.clone(), false),
        (PassesOn::Streams, stream.clone(), true),
        (PassesOn::Streams, parcel(std::slice::from_ref(&one)), false),
        (PassesOn::All, stream, true),
        (PassesOn::All, parcel(&[file(".config", 5)]), true),
    ] {
        let table = passing(passes_on, sent);
        assert_eq!(table.receiver.plans[0].apart, apart, "{passes_on:?}");
    }
}

#[test]
fn several_files_are_refused_for_standard_output_before_any_is_fetched() {
    let mut table = passing(PassesOn::All, songs());
    assert_eq!((table.receiver.last(1), table.receiver.plans.len()), (Some("too-many"), 0));
    assert_eq!((table.sender.last(1), table.ticket.is_some()), (None, true), "the code is still theirs");
    let code = table.code();
    table.kill_receiver();
    table.receive(&code);
    assert_eq!(table.receiver.plans.len(), 1);
}

#[test]
fn a_hidden_name_is_taken_only_under_a_name_that_the_receiver_gives() {
    let mut table = Table::new();
    let code = table.send(SEND, parcel(&[file(".ssh/authorized_keys", 5)]));
    table.receive(&code);
    assert_eq!((table.receiver.last(1), table.receiver.plans.len()), (Some("bad-name"), 0));
    assert_eq!((table.sender.last(1), table.ticket.is_some()), (None, true), "the code is still theirs");
    table.receiver.line(&format!(r#"{{"id":2,"request":"parcel-receive","code":"{code}","to":"theirs"}}"#));
    table.play();
    assert_eq!(table.receiver.plans[0].files[0].target, "theirs");
}

#[test]
fn a_listing_that_has_other_names_than_were_shown_is_refused() {
    for (name, files, refused) in [
        ("talk.mp4", [file("songs/a", 3), file("songs/b/c", 5)], "peer-broke"),
        (".ssh/", [file(".ssh/authorized_keys", 3), file(".ssh/config", 5)], "bad-name"),
    ] {
        let mut table = Table::new();
        let content = ParcelContent::Listed(file("listing", 900));
        let code = table.send(SEND, Parcel { name: name.into(), content, ..songs() });
        table.receiver.line(&format!(r#"{{"id":1,"request":"parcel-receive","code":"{code}"}}"#));
        table.play_but_listing();
        let Some(Output::Parcel(ParcelOutput::FetchListing(task, _))) = table.receiver.parcels.pop() else { panic!() };
        table.receiver.handle(Input::Parcel(ParcelInput::Listed(task, Ok(files.to_vec()))));
        assert_eq!((table.receiver.last(1), table.receiver.plans.len()), (Some(refused), 0));
    }
}

#[test]
fn a_number_that_such_a_hub_never_gives_is_refused() {
    for (entry, number, taken) in [
        (Entry::Member, 12, true),
        (Entry::Member, 4_712, false),
        (Entry::Member, 10, false),
        (Entry::Keeper, 4_714, true),
        (Entry::Keeper, 12, false),
    ] {
        let mut table = Table::new();
        table.sender = Rig::begun(unnamed(entry.clone(), SENDER, 1));
        table.sender.line(SEND);
        table.sender.handle(Input::Parcel(ParcelInput::Prepared(1, Ok(songs()))));
        let ask = table.sender.asked.pop().unwrap()["open_code"].clone();
        table.sender.hub(&json!({"event":"code-opened","ask":ask,"nameplate":number}).to_string());
        assert_eq!(table.sender.last(1) != Some("wrong-protocol"), taken, "{entry:?} {number}");
    }
}

#[test]
fn whoever_claims_a_parcel_and_does_not_fetch_does_not_keep_it() {
    let mut table = Table::new();
    let request = r#"{"id":1,"request":"parcel-send","paths":["song"],"until":"10m"}"#;
    let code = table.send(request, parcel(&[file("song", 5)]));
    table.receive(&code);
    table.sender.pass_with_acks(655_000);
    assert_eq!(table.sender.last(1), None, "it may begin");
    table.sender.pass_with_acks(10_000);
    table.play_but_listing();
    assert_eq!((table.sender.last(1), table.receiver.last(1)), (Some("not-taken"), Some("parcel-gone")));
}

#[test]
fn whoever_does_not_find_the_sender_again_is_told_how_it_can_go_on_whatever_became_of_it() {
    let hint = |code: ErrorCode| {
        let mut table = Table::new();
        let made = table.send(SEND, parcel(&[file("song", 5)]));
        table.receive(&made);
        table.receiver.handle(Input::Transfer(1, TransferNote::Failed(code.into())));
        let Some(Event::Error(error)) = table.receiver.told.iter().map(|line| &line.event).next_back() else {
            panic!("{:?}", table.receiver.words())
        };
        assert_eq!(error.code, code);
        error.hint.clone().unwrap()
    };
    // The hub may find out late that the sender was killed.
    assert!(hint(ErrorCode::PeerBroke).contains("send the same again"));
    assert!(hint(ErrorCode::DiskFailed).contains("while its sender waits"));
}
