//! How sessions end.

use super::*;

#[test]
fn quit_waits_for_what_was_asked_and_its_answer_is_the_bye() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"get","file":"song"}"#);
    rig.line(r#"{"id":2,"request":"quit"}"#);
    rig.locate();
    assert_eq!(rig.asks(), Vec::<&str>::new());
    rig.complete(1);
    assert_eq!((rig.asks(), rig.last(2)), (vec!["quit"], None));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!((rig.last(2), rig.bye()), (Some("bye"), Some(("quit", 0))));
}

#[test]
fn what_comes_after_quit_is_refused_not_forgotten() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"quit"}"#);
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.line(r#"{"id":3,"request":"quit"}"#);
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.lasts(3), [Some("bye"), Some("interrupted"), Some("interrupted")]);
    assert_eq!(rig.bye(), Some(("quit", 0)));
}

#[test]
fn what_is_asked_while_quit_waits_is_refused_at_once_and_in_order() {
    for before in ["", r#"{"id":9,"request":"wait"}"#] {
        let mut rig = Rig::welcomed(config());
        rig.line(r#"{"id":1,"request":"get","file":"song"}"#);
        rig.locate();
        rig.line(r#"{"id":2,"request":"list"}"#);
        rig.line(before);
        rig.line(r#"{"id":3,"request":"quit"}"#);
        rig.line(r#"{"id":4,"request":"list"}"#);
        rig.line("lisst");
        rig.line(r#"{"id":5,"request":"quit"}"#);
        rig.line(r#"{"id":6,"request":"transfers"}"#);
        assert_eq!(rig.last(4), None, "the answer to what was asked before comes first");
        rig.answer("list", "synced", r#","revision":9"#);
        assert_eq!([4, 5, 6].map(|id| rig.last(id)), [Some("interrupted"), Some("interrupted"), Some("transfers")]);
        assert_eq!([1, 3].map(|id| rig.last(id)), [None, None], "quit waits");
        let said: Vec<_> = rig
            .told
            .iter()
            .filter_map(|line| match &line.event {
                Event::Error(error) => Some(error.message.as_str()),
                _ => None,
            })
            .collect();
        let leaving = "You are leaving: `quit` was asked before it.";
        assert_eq!(said, [leaving, "There is no command `lisst`.", leaving]);
    }
}

#[test]
fn what_is_cut_off_at_the_end_says_which_request_it_was() {
    let mut rig = busy(config());
    rig.handle(Input::Interrupt(130));
    let said: Vec<_> = rig
        .told
        .iter()
        .filter_map(|line| match &line.event {
            Event::Error(error) => Some(error.message.to_string()),
            _ => None,
        })
        .collect();
    for request in ["get song", "get other", "setdir x", "list", "wait", "quit"] {
        let text = format!("`{request}`: It was broken off.");
        assert_eq!(said.iter().filter(|said| **said == text).count(), 1, "{request}: {said:?}");
    }
}

#[test]
fn a_hub_that_does_not_answer_the_goodbye_is_not_waited_for() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"quit"}"#);
    rig.pass(1_499);
    assert_eq!(rig.end, None);
    rig.pass(1);
    assert_eq!((rig.last(1), rig.bye()), (Some("bye"), Some(("quit; the hub does not answer", 0))));
}

/// Everything that a request can be at: with the hub, being carried out here, being fetched, waiting.
#[test]
fn a_quit_that_waits_for_a_hub_which_is_lost_waits_no_longer() {
    let mut rig = Rig::welcomed(config());
    for line in [r#"{"id":1,"request":"who"}"#, r#"{"id":2,"request":"quit"}"#, r#"{"id":3,"request":"status"}"#] {
        rig.line(line);
    }
    assert_eq!(rig.lasts(3), [None; 3]);
    rig.lose();
    assert_eq!(rig.lasts(3), [Some("hub-lost"), Some("bye"), Some("interrupted")]);
    assert_eq!(rig.bye(), Some(("quit", 5)));
    // The end of the input is no such wish: who pipes a script in wants it done.
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"who"}"#);
    rig.handle(Input::EndOfInput);
    rig.lose();
    assert_eq!((rig.last(1), rig.bye()), (None, None));
}

fn busy(config: SessionConfig) -> Rig {
    let mut rig = Rig::welcomed(config);
    for line in [
        r#"{"id":1,"request":"get","file":"song"}"#,
        r#"{"id":2,"request":"get","file":"other"}"#,
        r#"{"id":3,"request":"setdir","dir":"x"}"#,
        r#"{"id":4,"request":"list"}"#,
        r#"{"id":5,"request":"wait"}"#,
        r#"{"id":6,"request":"quit"}"#,
    ] {
        rig.line(line);
    }
    rig.locate();
    rig
}

#[test]
fn quit_now_and_interrupt_answer_every_request_once() {
    for interrupt in [true, false] {
        let mut rig = busy(config());
        match interrupt {
            true => rig.handle(Input::Interrupt(130)),
            false => rig.line(r#"{"id":7,"request":"quit","now":true}"#),
        }
        assert_eq!(rig.lasts(6), [Some("interrupted"); 6]);
        assert_eq!(rig.cancelled, [1]);
        rig.transfer(1, TransferNote::Failed(ErrorCode::Interrupted.into()));
        rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
        assert_eq!(rig.last(7), (!interrupt).then_some("bye"));
        assert_eq!(rig.bye(), Some(if interrupt { ("interrupted", 130) } else { ("quit", 0) }));
    }
}

#[test]
fn a_quit_that_is_broken_off_is_answered_too() {
    for interrupt in [true, false] {
        let mut rig = Rig::welcomed(config());
        rig.line(r#"{"id":1,"request":"quit"}"#);
        match interrupt {
            true => rig.handle(Input::Interrupt(130)),
            false => rig.line(r#"{"id":2,"request":"quit","now":true}"#),
        }
        rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
        assert_eq!((rig.last(1), rig.last(2)), (Some("interrupted"), (!interrupt).then_some("bye")));
        assert!(rig.bye().is_some());
    }
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"quit"}"#);
    rig.handle(Input::HubLine(br#"{"farewell":{"code":"too-slow","message":"No.","retry":"later"}}"#));
    assert_eq!(rig.last(1), Some("bye"));
    assert_eq!(rig.end, Some(5));
}

#[test]
fn uploads_are_told_to_their_end_even_if_we_leave() {
    let mut rig = Rig::welcomed(config());
    let hash = ContentHash([0; 32]);
    rig.handle(Input::Upload(
        1,
        UploadNote::Started { peer: "ben".into(), file: "song".into(), size: 5, hash, route: Route::Direct },
    ));
    rig.line("quit");
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.words()[2..], ["transfer-started", "transfer-failed", "bye"]);
}

#[test]
fn the_end_of_input_is_a_quit_that_waits() {
    let mut rig = Rig::begun(config());
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.handle(Input::EndOfInput);
    assert_eq!(rig.asks(), ["register"], "even before the welcome");
    rig.welcome("anna");
    rig.answer("list", "synced", r#","revision":9"#);
    assert_eq!(rig.last(1), Some("table"));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.bye(), Some(("end of input", 0)));
}

#[test]
fn who_lingers_stays_to_serve() {
    let mut rig = Rig::welcomed(with(|config| config.linger = true));
    rig.handle(Input::EndOfInput);
    assert_eq!((rig.asks().len(), rig.end), (0, None));
    rig.handle(Input::Interrupt(143));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.bye(), Some(("interrupted", 143)));
}

#[test]
fn fail_fast_ends_at_the_first_failure() {
    let mut rig = Rig::welcomed(with(|config| config.fail_fast = true));
    for line in
        [r#"{"id":1,"request":"get","file":"song"}"#, r#"{"id":2,"request":"list"}"#, r#"{"id":3,"request":"wait"}"#]
    {
        rig.line(line);
    }
    rig.refuse("get", "not-offered");
    assert_eq!(rig.lasts(3), [Some("not-offered"), Some("interrupted"), Some("interrupted")]);
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.bye(), Some(("a request failed", 1)));
}

#[test]
fn a_name_that_is_taken_ends_with_4() {
    for code in ["name-taken", "bad-name"] {
        let mut rig = Rig::begun(config());
        rig.line(r#"{"id":1,"request":"list"}"#);
        rig.refuse("register", code);
        rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
        assert_eq!((rig.last(1), rig.bye()), (Some(code), Some((code.replace('-', " ").as_str(), 4))));
    }
}

#[test]
fn a_hub_that_cannot_be_reached_ends_with_3_and_one_that_refuses_with_4() {
    let mut rig = Rig::begun(config());
    rig.session = Session::new(config());
    rig.told.clear();
    rig.handle(Input::Start);
    rig.handle(Input::ConnectFailed(ErrorCode::HubUnreachable.into()));
    assert_eq!(rig.end, Some(3));
    for (code, exit) in [("hub-full", 4), ("access-denied", 4), ("wrong-protocol", 4), ("hub-stopping", 5)] {
        let mut rig = Rig::begun(config());
        rig.session = Session::new(config());
        rig.told.clear();
        rig.handle(Input::Start);
        rig.handle(Input::Connected);
        rig.handle(Input::HubLine(
            format!(r#"{{"farewell":{{"code":"{code}","message":"No.","retry":"later"}}}}"#).as_bytes(),
        ));
        // The error says why, and the goodbye does not say all of it again.
        let said = |line: &&EventLine| matches!(&line.event, Event::Error(e) if e.message == "No.");
        assert_eq!(rig.told.iter().filter(said).count(), 1, "{code}");
        assert_eq!(rig.bye(), Some((code.replace('-', " ").as_str(), exit)), "{code}");
    }
}

#[test]
fn when_the_time_is_over_every_request_is_answered_with_that() {
    let timeout = Some(Duration::from_secs(2));
    let mut rig = busy(with(|config| config.patience.timeout = timeout));
    rig.pass(1_999);
    assert_eq!(rig.lasts(6), [None; 6]);
    rig.pass(1);
    assert_eq!(rig.lasts(6), [Some("timed-out"); 6]);
    assert_eq!(rig.cancelled, [1]);
    rig.transfer(1, TransferNote::Failed(ErrorCode::Interrupted.into()));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.bye(), Some(("timed out", 7)));
    // Nobody has answered the hello: there is nobody to say goodbye to.
    let mut rig = Rig::new(with(|config| config.patience.timeout = timeout));
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.pass(2_000);
    assert_eq!((rig.last(1), rig.bye()), (Some("timed-out"), Some(("timed out", 7))));
    // What was done before the session began, such as looking up the hub's name, counts too.
    let mut rig = Rig::new(with(|config| config.patience.timeout = timeout));
    rig.session = Session::new(with(|config| config.patience.timeout = timeout));
    rig.told.clear();
    rig.now = Time(2_000_000);
    rig.handle(Input::Start);
    rig.now = Time(2_000_001);
    rig.line(r#"{"id":1,"request":"list"}"#);
    assert_eq!((rig.last(1), rig.bye()), (Some("timed-out"), Some(("timed out", 7))));
}

#[test]
fn who_never_got_in_ends_with_the_code_of_that() {
    for line in [None, Some(r#"{"id":1,"request":"quit"}"#)] {
        let mut rig = Rig::begun(SessionConfig { inbox: true, ..config() });
        rig.refuse("register", "login-required");
        match line {
            Some(line) => rig.line(line),
            None => rig.handle(Input::EndOfInput),
        }
        rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
        assert_eq!(rig.bye().map(|(_, code)| code), Some(4));
    }
}

/// The hub has no time for whoever enters; gives how long it took until it was asked again, in milliseconds.
fn no_time(rig: &mut Rig, wait: u64) -> u128 {
    let start = rig.now;
    let body = r#","code":"slow-down","message":"Other logins are being checked.","retry":"later","wait":"#;
    rig.answer("login", "error", &format!("{body}{wait}"));
    while rig.asked.is_empty() && rig.end.is_none() {
        rig.now = rig.session.next_timeout().expect("it is asked again").max(rig.now);
        rig.handle(Input::Tick);
        rig.handle(Input::HubLine(format!(r#"{{"ack":{}}}"#, rig.received).as_bytes()));
    }
    (rig.now - start).as_millis()
}

#[test]
fn who_enters_with_a_password_waits_for_a_hub_that_has_no_time_and_is_let_in() {
    let mut rig = Rig::begun(with(|config| {
        let password = Some(crate::protocol::types::Password("secret".into()));
        config.entry = Entry::Named { name: "anna".into(), password };
    }));
    rig.line(r#"{"id":1,"request":"status"}"#);
    rig.handle(Input::EndOfInput);
    let pauses: Vec<u128> = (0..5).map(|_| no_time(&mut rig, 500)).collect();
    for (pause, least) in pauses.iter().zip([500, 1_000, 2_000, 4_000, 5_000]) {
        assert!((least..=least * 3 / 2).contains(pause), "{pauses:?}");
    }
    assert_eq!((rig.last(1), rig.bye()), (None, None), "nothing has failed");
    rig.answer("login", "welcome", r#","name":"anna","number":1,"revision":1,"clients":1,"offers":0,"newest":0"#);
    assert!(rig.asked.iter().any(|ask| ask["request"] == "status"), "what waited is asked");
}

#[test]
fn a_hub_that_never_has_time_is_given_up() {
    given_up_after_a_minute(|_| 500);
    // One that lies about how long it takes is no worse.
    given_up_after_a_minute(|now| if now < Time(30_000_000) { 1 } else { u64::MAX });
}

fn given_up_after_a_minute(wait: impl Fn(Time) -> u64) {
    let mut rig = Rig::begun(with(|config| {
        let password = Some(crate::protocol::types::Password("secret".into()));
        config.entry = Entry::Named { name: "anna".into(), password };
    }));
    while rig.end.is_none() && rig.now < Time(600_000_000) {
        let wait = wait(rig.now);
        match rig.asked.iter().any(|ask| ask["request"] == "login") {
            true => drop(no_time(&mut rig, wait)),
            false => rig.answer("quit", "bye", r#","reason":"quit","code":0"#),
        }
    }
    assert_eq!(rig.end, Some(1));
    let seconds = rig.now.0 / 1_000_000;
    assert!((60..=62).contains(&seconds), "given up after {seconds} s");
}
