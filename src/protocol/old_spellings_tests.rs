use super::super::{ErrorCode, RequestLine, Speaker, line, to_json};
use super::*;

/// What the users of the five systems typed, in the order of the table of systems, and the request that it is. All are
/// typed by one person, who talks in the group that was joined last.
const TYPED: &[(&str, &str)] = &[
    // File sharing over UDP and TCP.
    ("setdir music", r#"{"request":"setdir","dir":"music"}"#),
    ("offer a.txt b.txt", r#"{"request":"offer","files":["a.txt","b.txt"]}"#),
    ("list", r#"{"request":"list"}"#),
    ("request notes.txt erin", r#"{"request":"get","file":"notes.txt","from":"erin"}"#),
    ("dereg", r#"{"request":"dereg"}"#),
    ("dereg anna", r#"{"request":"dereg","name":"anna"}"#),
    ("rereg", r#"{"request":"rereg"}"#),
    // A message server over TCP.
    ("register anna", r#"{"request":"register","name":"anna"}"#),
    ("status", r#"{"request":"status"}"#),
    ("get menu.txt", r#"{"request":"get","file":"menu.txt"}"#),
    ("exit", r#"{"request":"quit"}"#),
    // A chat over UDP with groups.
    ("send ben are you there?", r#"{"request":"private","to":"ben","text":"are you there?"}"#),
    ("create_group climbers", r#"{"request":"room-create","room":"climbers"}"#),
    ("list_groups", r#"{"request":"rooms"}"#),
    ("send_group climbers hello", r#"{"request":"say","room":"climbers","text":"hello"}"#),
    ("join_group climbers", r#"{"request":"room-join","room":"climbers","again":true}"#),
    (
        "send_group climbers meet at \"eight\"",
        r#"{"request":"say","room":"climbers","text":"climbers meet at \"eight\""}"#,
    ),
    ("list_members", r#"{"request":"members","room":"climbers"}"#),
    ("list members", r#"{"request":"members","room":"climbers"}"#),
    ("members", r#"{"request":"members","room":"climbers"}"#),
    ("list_members swimmers", r#"{"request":"members","room":"swimmers"}"#),
    ("list members swimmers", r#"{"request":"members","room":"swimmers"}"#),
    ("leave_group", r#"{"request":"room-leave","room":"climbers"}"#),
    ("leave_group swimmers", r#"{"request":"room-leave","room":"swimmers"}"#),
    // A messenger.
    ("login hans falcon*solo", r#"{"request":"login","name":"hans","password":"falcon*solo"}"#),
    ("message yoda do you copy?", r#"{"request":"message","to":"yoda","text":"do you copy?"}"#),
    ("broadcast good morning", r#"{"request":"broadcast","text":"good morning"}"#),
    ("whoelse", r#"{"request":"who","others":true}"#),
    ("whoelsesince 600", r#"{"request":"who","since":600,"others":true}"#),
    ("block vader", r#"{"request":"block","name":"vader"}"#),
    ("unblock vader", r#"{"request":"unblock","name":"vader"}"#),
    ("startprivate yoda", r#"{"request":"private-open","to":"yoda"}"#),
    ("private yoda between us", r#"{"request":"private","to":"yoda","text":"between us"}"#),
    ("stopprivate yoda", r#"{"request":"private-close","to":"yoda"}"#),
    ("register plans.pdf 7", r#"{"request":"offer","files":["plans.pdf"],"chunks":7}"#),
    ("register 'the plans.pdf' 7", r#"{"request":"offer","files":["the plans.pdf"],"chunks":7}"#),
    ("register anna 7", r#"{"request":"offer","files":["anna"],"chunks":7}"#),
    ("register -plans 7", r#"{"request":"offer","files":["-plans"],"chunks":7}"#),
    ("searchFile plans.pdf", r#"{"request":"search","text":"plans.pdf"}"#),
    ("searchChunk plans.pdf 0 3", r#"{"request":"chunks","file":"plans.pdf","chunks":[0,3]}"#),
    ("download plans.pdf", r#"{"request":"get","file":"plans.pdf"}"#),
    ("download plans.pdf 5 0 3", r#"{"request":"get","file":"plans.pdf","chunks":[5,0,3]}"#),
    ("download plans.pdf hans", r#"{"request":"get","file":"plans.pdf","from":"hans"}"#),
    ("download plans.pdf --chunks 5 0 3", r#"{"request":"get","file":"plans.pdf","chunks":[5,0,3]}"#),
    ("logout", r#"{"request":"quit"}"#),
    // A conference.
    ("BCM shall we begin?", r#"{"request":"broadcast","text":"shall we begin?"}"#),
    ("ATU", r#"{"request":"who"}"#),
    ("SRB ben", r#"{"request":"room-create","room":"+","members":["ben"]}"#),
    ("SRB ben cleo", r#"{"request":"room-create","room":"+","members":["ben","cleo"]}"#),
    ("SRM budget we are short", r#"{"request":"say","room":"budget","text":"we are short"}"#),
    ("RDM b 01/02/2026 00:00:00", r#"{"request":"history","lobby":true,"since":"01/02/2026 00:00:00"}"#),
    ("RDM s 01/02/2026 00:00:00", r#"{"request":"history","rooms":true,"since":"01/02/2026 00:00:00"}"#),
    ("RDM s '01/02/2026 00:00:00'", r#"{"request":"history","rooms":true,"since":"01/02/2026 00:00:00"}"#),
    (
        "history --lobby --since 01/02/2026 00:01:00 --limit 3",
        r#"{"request":"history","lobby":true,"since":"01/02/2026 00:01:00","limit":3}"#,
    ),
    ("history --since=01/02/2026 00:01:00", r#"{"request":"history","since":"01/02/2026 00:01:00"}"#),
    ("history --since '01/02/2026 00:01:00'", r#"{"request":"history","since":"01/02/2026 00:01:00"}"#),
    ("history --since 10m", r#"{"request":"history","since":"10m"}"#),
    ("UDP cleo lecture.mp4", r#"{"request":"push","file":"lecture.mp4","to":"cleo"}"#),
    ("UDP cleo 'my lecture.mp4'", r#"{"request":"push","file":"my lecture.mp4","to":"cleo"}"#),
    ("OUT", r#"{"request":"quit"}"#),
];

#[test]
fn the_lines_of_old_are_the_requests_of_today() {
    let mut user = Speaker::default();
    for (typed, request) in TYPED {
        let read = user.read(typed.as_bytes()).unwrap_or_else(|bad| panic!("{typed}: {}", bad.failure)).unwrap();
        let wanted =
            line::parse(request.as_bytes()).unwrap_or_else(|bad| panic!("{request}: {}", bad.failure)).unwrap();
        assert_eq!(to_json(&read), to_json(&wanted), "{typed}");
    }
}

#[test]
fn exec_takes_the_words_of_old_too() {
    for (words, request) in [
        (vec!["UDP", "cleo", "a.txt"], r#"{"request":"push","file":"a.txt","to":"cleo"}"#),
        (
            vec!["RDM", "b", "01/02/2026", "00:00:00"],
            r#"{"request":"history","lobby":true,"since":"01/02/2026 00:00:00"}"#,
        ),
        (vec!["download", "a.txt", "1"], r#"{"request":"get","file":"a.txt","chunks":[1]}"#),
    ] {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let request = line::parse(request.as_bytes()).unwrap().unwrap();
        let read = super::super::human::parse_words(&words).unwrap();
        assert_eq!(RequestLine { id: None, request: read }, request, "{words:?}");
    }
}

#[test]
fn a_wrong_line_of_old_is_explained_as_it_was_written() {
    for (typed, told) in [
        ("send_group hello", "send_group TEXT, in the room of `join_group ROOM`"),
        ("leave_group", "leave_group, or leave_group ROOM"),
        ("list_members", "list_members, or list_members ROOM"),
        ("UDP cleo", "UDP USER FILE"),
        ("SRB", "SRB USER…"),
        ("RDM b", "RDM b|s DD/MM/YYYY HH:MM:SS"),
        ("RDM x 01/02/2026 00:00:00", "RDM b|s DD/MM/YYYY HH:MM:SS"),
        ("register plans.pdf many", "register NAME, or register FILE N"),
        ("whoelsesince soon", "whoelsesince SECONDS"),
        ("join_group", "join_group ROOM"),
    ] {
        let failure = line::parse(typed.as_bytes()).unwrap_err().failure;
        assert_eq!(failure.code, ErrorCode::BadCommand, "{typed}: {failure}");
        let hint = failure.hint.unwrap_or_default();
        assert!(hint.contains(told), "{typed}: {hint}");
    }
}

#[test]
fn every_old_name_leads_to_its_help_and_is_near_to_what_is_mistyped() {
    for rule in OLD_SPELLINGS {
        let help = super::super::human::help(Some(rule.name)).unwrap();
        assert!(help[0].name == rule.now || ["register", "list"].contains(&rule.name), "{}", rule.name);
    }
    for (typed, meant) in [
        ("BRODCAST hello", "broadcast"),
        ("Searchfle x", "search"),
        ("WHOELSE", "who"),
        ("Udp a b", "push"),
        ("bmc hi", "broadcast"),
        ("creategroup a", "room-create"),
        ("Lst", "list"),
        ("whoelsesinse 5", "who"),
        ("LOGOUT", "quit"),
    ] {
        let failure = line::parse(typed.as_bytes()).unwrap_err().failure;
        assert_eq!(failure.code, ErrorCode::UnknownRequest, "{typed}");
        let hint = failure.hint.unwrap_or_default();
        assert!(hint.contains(&format!("Did you mean `{meant}`?")), "{typed}: {hint}");
    }
    // What is no command at all is perhaps to be said.
    for typed in ["hello everybody", "ok", "hi", "I am here"] {
        let failure = line::parse(typed.as_bytes()).unwrap_err().failure;
        let hint = failure.hint.unwrap_or_default();
        assert!(!hint.contains("mean") && hint.contains("`broadcast TEXT`"), "{typed}: {hint}");
    }
}

#[test]
fn in_json_a_request_has_one_name() {
    for (old, now) in [
        ("BCM", "broadcast"),
        ("UDP", "push"),
        ("whoelsesince", "who"),
        ("SRB", "room-create"),
        ("RDM", "history"),
        ("searchFile", "search"),
        ("send_group", "say"),
        ("join_group", "room-join"),
        ("List", "list"),
    ] {
        let failure = line::parse(format!(r#"{{"request":"{old}"}}"#).as_bytes()).unwrap_err().failure;
        assert_eq!(failure.code, ErrorCode::UnknownRequest, "{old}");
        let hint = failure.hint.unwrap_or_default();
        assert!(hint.contains(&format!("In JSON it is `{now}`")), "{old}: {hint}");
    }
    let failure = line::parse(br#"{"request":"brodcast"}"#).unwrap_err().failure;
    assert!(failure.hint.unwrap().contains("Did you mean `broadcast`?"));
}

#[test]
fn talking_without_commands_needs_a_terminal() {
    let failure = line::parse(b"talk kitchen").unwrap_err().failure;
    assert_eq!(failure.code, ErrorCode::BadCommand);
    assert!(failure.message.contains("terminal") && failure.hint.unwrap().contains("join_group ROOM"));
}
