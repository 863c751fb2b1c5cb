use super::*;

fn dora() -> Talk {
    Talk::new("dora".into(), "hub".into())
}

/// Types a line at a new prompt.
fn typed(talk: &mut Talk, line: &str) -> Meaning {
    talk.prompt();
    talk.typed(line).0
}

fn say(room: &str, text: &str) -> Meaning {
    ask(request::Say { room: room.into(), text: text.into() })
}

fn joined(id: &str, room: &str) -> EventLine {
    let joined = format!(r#"{{"event":"room-joined","id":"{id}","final":true,"room":"{room}","members":["dora"]}}"#);
    EventLine::parse(&joined).unwrap().unwrap()
}

fn refused(id: &str) -> EventLine {
    let error =
        format!(r#"{{"event":"error","id":"{id}","final":true,"code":"no-such-room","message":"m","retry":"never"}}"#);
    EventLine::parse(&error).unwrap().unwrap()
}

#[test]
fn what_is_typed_is_said_where_the_prompt_says() {
    let mut talk = dora();
    assert_eq!(talk.prompt(), "dora@hub> ");
    let (asked, note) = talk.typed("talk kitchen");
    let Meaning::Ask(line) = asked else { panic!("{asked:?}") };
    assert_eq!(line.request, request::RoomJoin { room: "kitchen".into(), again: true }.into());
    assert_eq!(note, None, "it is not known yet whether the hub lets her in");
    talk.awaited = true;
    assert!(talk.heard(&joined("talk-1", "kitchen")).unwrap().contains("`/leave` ends it"));
    assert_eq!(talk.prompt(), "dora@hub [kitchen]> ");
    assert_eq!(talk.typed("who is hungry? ").0, say("kitchen", "who is hungry?"));
    assert_eq!(talk.typed("//me waves").0, say("kitchen", "/me waves"));
    assert_eq!(talk.typed("  ").0, Meaning::Nothing);
    assert_eq!(talk.typed("/who").0, ask(request::Who::default()));
    assert_eq!(talk.typed("{\"request\":\"quit\"}").0, say("kitchen", "{\"request\":\"quit\"}"));
    assert_eq!(talk.typed("/leave").0, Meaning::Nothing);
    assert_eq!(talk.prompt(), "dora@hub> ");
    assert_eq!(talk.typed("who").0, ask(request::Who::default()));
}

#[test]
fn everybody_is_spoken_to_in_the_lobby() {
    let mut talk = dora();
    assert_eq!(typed(&mut talk, "talk lobby"), Meaning::Nothing);
    assert_eq!(talk.prompt(), "dora@hub [lobby]> ");
    assert_eq!(talk.typed("soup!").0, say("lobby", "soup!"));
    assert_eq!(typed(&mut talk, "list_members"), ask(request::Members { room: "lobby".into() }));
    assert_eq!(typed(&mut talk, "send_group soup!"), say("lobby", "soup!"));
    assert_eq!(typed(&mut talk, "leave_group"), Meaning::Nothing);
    assert_eq!(talk.prompt(), "dora@hub> ");
    assert_eq!(typed(&mut talk, "join_group Lobby"), Meaning::Nothing);
    typed(&mut talk, "/talk kitchen");
    talk.heard(&joined("talk-1", "kitchen"));
    assert_eq!(typed(&mut talk, "soup!"), say("kitchen", "soup!"));
}

#[test]
fn groups_of_old_are_talked_in_with_their_own_commands() {
    let mut talk = dora();
    assert!(matches!(typed(&mut talk, "join_group climbers"), Meaning::Ask(_)));
    talk.heard(&joined("talk-1", "climbers"));
    assert_eq!(typed(&mut talk, "tonight?"), say("climbers", "tonight?"));
    assert_eq!(typed(&mut talk, "send_group tonight?"), say("climbers", "tonight?"));
    assert_eq!(typed(&mut talk, "/list_members"), ask(request::Members { room: "climbers".into() }));
    assert_eq!(typed(&mut talk, "list_members"), ask(request::Members { room: "climbers".into() }));
    assert_eq!(typed(&mut talk, "leave_group"), ask(request::RoomLeave { room: "climbers".into() }));
    assert_eq!(talk.prompt(), "dora@hub> ");
    assert!(matches!(talk.typed("tonight?").0, Meaning::Bad(_)));
    assert!(matches!(typed(&mut talk, "send_group"), Meaning::Bad(_)));
}

#[test]
fn a_room_is_talked_in_once_the_hub_has_let_one_in() {
    let mut talk = dora();
    typed(&mut talk, "talk kitchen");
    assert_eq!(talk.prompt(), "dora@hub> ");
    assert!(matches!(talk.typed("quit smoking").0, Meaning::Bad(_)), "a command, as the prompt says");
    assert_eq!(talk.heard(&refused("talk-1")), None);
    assert_eq!(talk.prompt(), "dora@hub> ");
    assert!(matches!(typed(&mut talk, "send_group hello"), Meaning::Bad(_)));
    typed(&mut talk, "talk kitchen");
    talk.prompt();
    let late = talk.heard(&joined("talk-2", "kitchen")).unwrap();
    assert_eq!(late, "After this line, what you type is said in kitchen.");
    assert_eq!(talk.typed("who").0, ask(request::Who::default()), "the prompt shows no room yet");
    assert_eq!(talk.prompt(), "dora@hub [kitchen]> ");
    talk.typed("/talk garden");
    assert_eq!(typed(&mut talk, "send_group hello"), say("kitchen", "hello"));
    talk.heard(&refused("talk-3"));
    assert_eq!(talk.prompt(), "dora@hub [kitchen]> ");
    talk.heard(&EventLine::parse(r#"{"event":"room-left","room":"Kitchen"}"#).unwrap().unwrap());
    // The prompt still shows the kitchen: what is typed there goes nowhere else.
    assert_eq!(talk.typed("quit smoking").0, say("kitchen", "quit smoking"));
    assert_eq!(talk.prompt(), "dora@hub> ");
}

#[test]
fn short_forms_mean_the_room_that_was_entered_last_until_it_is_left_for_good() {
    let mut talk = dora();
    typed(&mut talk, "join_group kitchen");
    talk.heard(&joined("talk-1", "kitchen"));
    typed(&mut talk, "/leave");
    assert_eq!(typed(&mut talk, "send_group soup is ready"), say("kitchen", "soup is ready"));
    assert_eq!(typed(&mut talk, "list_members"), ask(request::Members { room: "kitchen".into() }));
    typed(&mut talk, "talk lobby");
    assert_eq!(typed(&mut talk, "send_group all"), say("lobby", "all"));
    typed(&mut talk, "/leave");
    assert_eq!(typed(&mut talk, "leave_group"), ask(request::RoomLeave { room: "kitchen".into() }));
    assert!(matches!(typed(&mut talk, "leave_group"), Meaning::Bad(_)));
}

#[test]
fn hints_can_be_typed_as_they_are_shown_where_one_talks() {
    let mut talk = dora();
    let error = |hint: &str| {
        let error = format!(
            r#"{{"event":"error","final":true,"code":"no-such-room","message":"`list` is `x`","hint":"{hint}","retry":"never"}}"#
        );
        EventLine::parse(&error).unwrap().unwrap()
    };
    let shown = |talk: &Talk, hint| {
        let line = error(hint);
        talk.dressed(&line, super::super::human::render(&line, super::super::style::Style::Plain))
    };
    let hint = "Did you mean `list`? `help` lists them; `no command`, `get 'a b'`, `talk lobby`, `leave`.";
    assert!(shown(&talk, hint).ends_with(&format!("{hint}\n")));
    typed(&mut talk, "talk lobby");
    let text = shown(&talk, hint);
    assert!(text.starts_with("error: `list` is `x`"), "{text}");
    let slashed = "Did you mean `/list`? `/help` lists them; `no command`, `/get 'a b'`, `/talk lobby`, `/leave`.";
    assert!(text.ends_with(&format!("{slashed}\n")), "{text}");
}

#[test]
fn the_prompt_shows_the_name_that_one_has() {
    let mut talk = dora();
    let welcome = r#"{"event":"welcome","name":"erin","number":2,"clients":2,"offers":0,"revision":1}"#;
    talk.heard(&EventLine::parse(welcome).unwrap().unwrap());
    assert_eq!(talk.prompt(), "erin@hub> ");
}

#[test]
fn what_is_perhaps_not_for_all_is_asked_about() {
    let mut talk = dora();
    talk.prompt();
    assert_eq!(talk.doubt("login dora secret"), None, "it is a command there");
    typed(&mut talk, "talk kitchen");
    talk.heard(&joined("talk-1", "kitchen"));
    talk.prompt();
    for line in
        ["login dora secret", " LOGIN dora secret", "private erin hello", "message erin hello", "Send erin x", "login"]
    {
        let question = talk.doubt(line).unwrap_or_else(|| panic!("{line}"));
        assert!(question.contains("all in kitchen") && question.ends_with("[y/N] "), "{question}");
    }
    for line in ["/login dora", "loginname?", "who has the message", "//login", "hello", "send_group login x"] {
        assert_eq!(talk.doubt(line), None, "{line}");
    }
    assert_eq!(talk.command("/login dora"), Some("login dora"));
    assert_eq!(talk.command("login dora"), None);
    assert_eq!(talk.command("//login dora"), None);
}

#[test]
fn what_is_no_command_learns_how_to_be_said() {
    let mut talk = dora();
    let Meaning::Bad(bad) = typed(&mut talk, "hello everybody") else { panic!() };
    let hint = bad.failure.hint.unwrap();
    assert!(hint.contains("`broadcast TEXT`") && hint.contains("`talk lobby`"), "{hint}");
    for line in ["talk", "talk a b", "talk /x"] {
        talk.prompt();
        let (meaning, note) = talk.typed(line);
        assert_eq!(meaning, Meaning::Nothing, "{line}");
        assert!(note.unwrap().contains("`talk ROOM`"), "{line}");
        assert_eq!(talk.prompt(), "dora@hub> ");
    }
}
