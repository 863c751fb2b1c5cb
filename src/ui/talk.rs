//! Talking at a terminal without a command before each line: what a typed line means.
//!
//! A line means what the prompt says under which it was typed: at `dora@hub [kitchen]> ` it is said in the kitchen, even
//! if the hub has just answered that there is no kitchen. So nothing is ever said elsewhere than it looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::human::TALK;
use crate::protocol::name::{LOBBY, check_room, fold};
use crate::protocol::{BadLine, ErrorCode, Event, EventLine, Id, Request, RequestLine, Speaker, request};

/// What ends the talking.
const LEAVE: &str = "leave";

/// What leaves a group; nobody leaves the lobby for good.
const LEAVE_GROUP: &str = "leave_group";

/// Old commands that are no words of any language: who is used to them types them in their group as they are.
const GROUP_COMMANDS: [&str; 6] =
    ["create_group", "list_groups", "join_group", "leave_group", "list_members", "send_group"];

/// Commands that tell something to one person, or a secret: whoever begins a line so may have forgotten the slash.
const NOT_FOR_ALL: [&str; 4] = ["login", "private", "message", "send"];

/// What a typed line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Nothing,
    /// A request.
    Ask(RequestLine),
    /// A line that cannot be understood.
    Bad(BadLine),
}

/// Where a person at a terminal talks.
#[derive(Debug)]
pub struct Talk {
    /// Who is where, as the prompt shows it.
    place: String,
    speaker: Speaker,
    /// Where what is typed next is said; commands are typed if nowhere.
    room: Option<String>,
    /// Where what is typed now is said.
    shown: Option<String>,
    /// The mark of the request that enters the room.
    entering: Option<Id>,
    attempts: u64,
}

/// The talk that one thread types into and another hears of.
#[derive(Debug, Clone)]
pub struct SharedTalk(Arc<Mutex<Talk>>);

impl SharedTalk {
    /// Somebody who talks nowhere yet; `place` is shown in the prompt, such as `dora@hub`.
    pub fn new(place: String) -> Self {
        Self(Arc::new(Mutex::new(Talk::new(place))))
    }

    /// The talk, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Talk {
    fn new(place: String) -> Self {
        Self { place, speaker: Speaker::default(), room: None, shown: None, entering: None, attempts: 0 }
    }

    /// The prompt for the next line, which is taken as the prompt says.
    pub fn prompt(&mut self) -> String {
        self.shown.clone_from(&self.room);
        match &self.shown {
            Some(room) => format!("{} [{room}]> ", self.place),
            None => format!("{}> ", self.place),
        }
    }

    /// The command in a line, as it is typed where nobody talks; nothing if the line is to be said.
    pub fn command<'a>(&self, line: &'a str) -> Option<&'a str> {
        let text = line.trim_start();
        if self.shown.is_none() {
            return Some(line);
        }
        match text.strip_prefix('/') {
            Some(rest) => (!rest.starts_with('/')).then_some(rest),
            None => GROUP_COMMANDS.contains(&first_word(text)).then_some(text),
        }
    }

    /// What to ask before a line is said that was perhaps not meant for all: a yes says it.
    pub fn doubt(&self, line: &str) -> Option<String> {
        let room = self.shown.as_ref().filter(|_| self.command(line).is_none())?;
        let word = first_word(line.trim_start()).to_lowercase();
        let whom = if fold(room) == LOBBY { "everybody".to_owned() } else { format!("all in {room}") };
        NOT_FOR_ALL
            .contains(&word.as_str())
            .then(|| format!("This would be said to {whom}; `/{word}` is the command. Say it? [y/N] "))
    }

    /// Takes a line that was typed at the last prompt: what it comes to, and what to tell the person at once.
    pub fn typed(&mut self, line: &str) -> (Meaning, Option<String>) {
        match (self.command(line).map(str::to_owned), self.shown.clone()) {
            (Some(command), _) => self.do_command(command.trim()),
            (None, room) => {
                let text = line.trim();
                let text = if text.starts_with("//") { &text[1..] } else { text };
                match room.filter(|_| !text.is_empty()) {
                    Some(room) => (ask(request::Say { room, text: text.to_owned() }), None),
                    None => (Meaning::Nothing, None),
                }
            }
        }
    }

    /// Takes note of an event: a room that was not entered, or was left, is not talked in.
    pub fn heard(&mut self, line: &EventLine) {
        let over = match &line.event {
            Event::Error(_) => line.id.is_some() && line.id == self.entering,
            Event::RoomLeft(left) => self.room.as_ref().is_some_and(|room| fold(room) == fold(&left.room)),
            _ => false,
        };
        if over {
            self.stop();
        }
    }

    fn stop(&mut self) -> Option<String> {
        self.entering = None;
        self.speaker.talk_in(None);
        self.room.take()
    }

    fn do_command(&mut self, text: &str) -> (Meaning, Option<String>) {
        let (name, rest) = (first_word(text), text.strip_prefix(first_word(text)).unwrap_or_default().trim());
        let leaves_lobby = name == LEAVE_GROUP && self.shown.as_deref().is_some_and(|room| fold(room) == LOBBY);
        if (name == LEAVE || leaves_lobby) && rest.is_empty() && self.shown.is_some() {
            let left = self.stop().filter(|room| fold(room) != LOBBY);
            let still = left.map(|room| format!(" You are still in {room}.")).unwrap_or_default();
            return (Meaning::Nothing, Some(format!("What you type is a command again.{still}")));
        }
        if name.eq_ignore_ascii_case(TALK) {
            return self.talk(rest);
        }
        match self.speaker.read(text.as_bytes()) {
            Ok(None) => (Meaning::Nothing, None),
            Ok(Some(RequestLine { request: Request::RoomJoin(join), .. })) if join.again => self.talk(&join.room),
            Ok(Some(line)) => {
                if let Request::RoomLeave(leave) = &line.request
                    && self.room.as_ref().is_some_and(|room| fold(room) == fold(&leave.room))
                {
                    self.stop();
                }
                (Meaning::Ask(line), None)
            }
            Err(bad) => (Meaning::Bad(self.advised(bad)), None),
        }
    }

    fn talk(&mut self, room: &str) -> (Meaning, Option<String>) {
        if fold(room) == LOBBY {
            self.stop();
            self.speaker.talk_in(Some(LOBBY.to_owned()));
            self.room = Some(LOBBY.to_owned());
            return (Meaning::Nothing, Some(entered("to everybody")));
        }
        match check_room(room) {
            Ok(()) => self.enter(room.to_owned()),
            Err(_) => {
                let usage = "`talk ROOM` says what you type in a room from then on, `talk lobby` to everybody.";
                (Meaning::Nothing, Some(usage.to_owned()))
            }
        }
    }

    /// From now on; if the hub says no, until it does.
    fn enter(&mut self, room: String) -> (Meaning, Option<String>) {
        self.attempts += 1;
        let id = Id::Text(format!("{TALK}-{}", self.attempts));
        self.entering = Some(id.clone());
        self.speaker.talk_in(Some(room.clone()));
        self.room = Some(room.clone());
        let note = entered(&format!("in {room}"));
        let join = request::RoomJoin { room, again: true };
        (Meaning::Ask(RequestLine { id: Some(id), request: join.into() }), Some(note))
    }

    /// With how to talk, where a line is no command.
    fn advised(&self, mut bad: BadLine) -> BadLine {
        if bad.failure.code == ErrorCode::UnknownRequest && self.shown.is_none() {
            let hint = bad.failure.hint.take().unwrap_or_default();
            let hint = hint.trim_end_matches('.').replace("; `broadcast", ", `broadcast");
            bad.failure.hint = Some(format!("{hint}; after `talk lobby`, all that you type.").into());
        }
        bad
    }
}

fn ask(request: impl Into<Request>) -> Meaning {
    Meaning::Ask(RequestLine { id: None, request: request.into() })
}

fn entered(whom: &str) -> String {
    format!(
        "What you type is said {whom} now. Commands begin with `/`: `/leave` ends it, `/help` lists them; `//` says a slash."
    )
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\t']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dora() -> Talk {
        Talk::new("dora@hub".into())
    }

    /// Types a line at a new prompt.
    fn typed(talk: &mut Talk, line: &str) -> Meaning {
        talk.prompt();
        talk.typed(line).0
    }

    fn say(room: &str, text: &str) -> Meaning {
        ask(request::Say { room: room.into(), text: text.into() })
    }

    fn refused(id: &str) -> EventLine {
        let error = format!(
            r#"{{"event":"error","id":"{id}","final":true,"code":"no-such-room","message":"m","retry":"never"}}"#
        );
        EventLine::parse(&error).unwrap().unwrap()
    }

    #[test]
    fn what_is_typed_is_said_where_the_prompt_says() {
        let mut talk = dora();
        assert_eq!(talk.prompt(), "dora@hub> ");
        let (asked, note) = talk.typed("talk kitchen");
        let Meaning::Ask(line) = asked else { panic!("{asked:?}") };
        assert_eq!(line.request, request::RoomJoin { room: "kitchen".into(), again: true }.into());
        assert!(note.unwrap().contains("`/leave` ends it"));
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
        assert_eq!(typed(&mut talk, "soup!"), say("kitchen", "soup!"));
    }

    #[test]
    fn groups_of_old_are_talked_in_with_their_own_commands() {
        let mut talk = dora();
        assert!(matches!(typed(&mut talk, "join_group climbers"), Meaning::Ask(_)));
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
    fn a_room_that_is_not_entered_is_not_talked_in() {
        let mut talk = dora();
        typed(&mut talk, "talk kitchen");
        talk.prompt();
        talk.heard(&refused("talk-1"));
        // The prompt still shows the kitchen: what is typed there goes nowhere else.
        assert_eq!(talk.typed("quit smoking").0, say("kitchen", "quit smoking"));
        assert_eq!(talk.prompt(), "dora@hub> ");
        typed(&mut talk, "talk kitchen");
        typed(&mut talk, "/talk garden");
        talk.heard(&refused("talk-2"));
        assert_eq!(talk.prompt(), "dora@hub [garden]> ");
        talk.heard(&EventLine::parse(r#"{"event":"room-left","room":"Garden"}"#).unwrap().unwrap());
        assert_eq!(talk.prompt(), "dora@hub> ");
    }

    #[test]
    fn what_is_perhaps_not_for_all_is_asked_about() {
        let mut talk = dora();
        talk.prompt();
        assert_eq!(talk.doubt("login dora secret"), None, "it is a command there");
        typed(&mut talk, "talk kitchen");
        talk.prompt();
        for line in [
            "login dora secret",
            " LOGIN dora secret",
            "private erin hello",
            "message erin hello",
            "Send erin x",
            "login",
        ] {
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
}
