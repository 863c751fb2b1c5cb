//! Talking at a terminal: decides what a typed line means when no command stands before it.
//!
//! A line is said in the room that the prompt showed when the line was typed. At `dora@hub [kitchen]> ` that is the
//! kitchen, even if the hub has meanwhile answered that there is no such room: then the line fails, and is said
//! nowhere.
//!
//! `cli/join.rs` hands over typed lines and sends the requests that they mean; the client's output hands over events
//! before they are shown. Both threads share it as [`SharedTalk`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::human::{TALK, is_command};
use crate::protocol::name::{LOBBY, NameKey, check_room, is_lobby};
use crate::protocol::{BadLine, ErrorCode, Event, EventLine, Id, Request, RequestLine, Speaker, request};

/// The command that ends talking.
const LEAVE: &str = "leave";

/// The old command that leaves a group. In the lobby it only ends talking, because nobody can leave the lobby.
const LEAVE_GROUP: &str = "leave_group";

/// Old commands that nobody says in a chat. While talking they work without a slash, as users of the old systems
/// expect.
const GROUP_COMMANDS: [&str; 6] =
    ["create_group", "list_groups", "join_group", "leave_group", "list_members", "send_group"];

/// Commands that tell something to one person, or hold a password. A line that begins with one of them may have lost
/// its slash.
const NOT_FOR_ALL: [&str; 4] = ["login", "private", "message", "send"];

/// What a typed line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing is to be done.
    Nothing,
    /// A request to send.
    Ask(RequestLine),
    /// A line that cannot be understood.
    Bad(BadLine),
}

/// The state of talking at one terminal.
#[derive(Debug)]
pub struct Talk {
    /// The user's name, as the hub has confirmed it.
    name: String,
    hub: String,
    /// Reads typed commands. Short forms mean the room in the prompt, or else the room that was entered last.
    speaker: Speaker,
    /// The room in which the next line is said; `None` while commands are typed.
    room: Option<String>,
    /// The room in which the present line is said.
    shown: Option<String>,
    /// The id of the request that enters a room, until the hub answers it.
    entering: Option<Id>,
    /// Whether the prompt is held back until that answer.
    awaited: bool,
    attempts: u64,
}

/// The state of talking, shared by the thread that types and the one that receives events.
#[derive(Debug, Clone)]
pub struct SharedTalk(Arc<(Mutex<Talk>, Condvar)>);

impl SharedTalk {
    /// The state for a user of this name at this hub, who is not talking in a room yet. The prompt shows both names.
    pub fn new(name: String, hub: String) -> Self {
        Self(Arc::new((Mutex::new(Talk::new(name, hub)), Condvar::new())))
    }

    /// Locks the state.
    pub fn lock(&self) -> MutexGuard<'_, Talk> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles an event, see [`Talk`]; returns a text to show after that of the event.
    pub fn heard(&self, line: &EventLine) -> Option<String> {
        let note = self.lock().heard(line);
        self.0.1.notify_all();
        note
    }

    /// Waits until the hub has answered the request to enter a room, at most for `patience`.
    pub fn wait_until_entered(&self, patience: Duration) {
        let mut talk = self.lock();
        talk.awaited = true;
        let wait = self.0.1.wait_timeout_while(talk, patience, |talk| talk.entering.is_some());
        wait.unwrap_or_else(PoisonError::into_inner).0.awaited = false;
    }
}

impl Talk {
    fn new(name: String, hub: String) -> Self {
        let speaker = Speaker::default();
        Self { name, hub, speaker, room: None, shown: None, entering: None, awaited: false, attempts: 0 }
    }

    /// Whether the hub has not yet answered the request to enter a room.
    pub fn is_entering(&self) -> bool {
        self.entering.is_some()
    }

    /// The prompt for the next line. The line will be understood as this prompt says.
    pub fn prompt(&mut self) -> String {
        self.shown.clone_from(&self.room);
        match &self.shown {
            Some(room) => format!("{}@{} [{room}]> ", self.name, self.hub),
            None => format!("{}@{}> ", self.name, self.hub),
        }
    }

    /// The command in a line, without the slash that it needs while talking; `None` if the line is to be said.
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

    /// The question to ask before saying a line that may not be meant for everybody; `None` if there is no doubt.
    pub fn doubt(&self, line: &str) -> Option<String> {
        let room = self.shown.as_ref().filter(|_| self.command(line).is_none())?;
        let word = first_word(line.trim_start()).to_lowercase();
        let whom = if is_lobby(room) { "everybody".to_owned() } else { format!("all in {room}") };
        NOT_FOR_ALL
            .contains(&word.as_str())
            .then(|| format!("This would be said to {whom}; `/{word}` is the command. Say it? [y/N] "))
    }

    /// Handles a line that was typed at the last prompt: returns its meaning, and what to tell the user at once.
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

    /// Handles an event: starts talking in a room once the hub has let the user in, and stops once they have left it.
    /// Returns a text to show after that of the event.
    fn heard(&mut self, line: &EventLine) -> Option<String> {
        let answers = line.id.is_some() && line.id == self.entering;
        if let Event::Welcome(welcome) = &line.event {
            self.name.clone_from(&welcome.name);
        } else if answers && let Event::Error(_) = &line.event {
            self.entering = None;
        } else if answers && let Event::RoomJoined(joined) = &line.event {
            self.entering = None;
            self.speaker.talk_in(Some(joined.room.clone()));
            self.room = Some(joined.room.clone());
            let late = format!("After this line, what you type is said in {}.", joined.room);
            return Some(if self.awaited { entered(&format!("in {}", joined.room)) } else { late });
        } else if let Event::RoomLeft(left) = &line.event {
            let is_left = |room: &str| NameKey::of(room) == NameKey::of(&left.room);
            if self.speaker.room().is_some_and(is_left) {
                self.speaker.talk_in(None);
            }
            if self.room.as_deref().is_some_and(is_left) {
                self.stop();
            }
        }
        None
    }

    /// Adapts the text of an event to this terminal: while talking, commands need a slash.
    pub fn dressed(&self, line: &EventLine, text: String) -> String {
        if self.room.is_none() && self.shown.is_none() {
            return text;
        }
        if let Event::Waiting(_) | Event::Focused(_) | Event::Help(_) | Event::PushOffered(_) = &line.event {
            return slashed(&text);
        }
        // Only the hint is there to be followed; the rest may hold what was typed.
        match text.split_once('\n').filter(|_| matches!(line.event, Event::Error(_))) {
            Some((message, hint)) => format!("{message}\n{}", slashed(hint)),
            None => text,
        }
    }

    fn stop(&mut self) -> Option<String> {
        self.entering = None;
        self.room.take()
    }

    fn do_command(&mut self, text: &str) -> (Meaning, Option<String>) {
        let (name, rest) = (first_word(text), text.strip_prefix(first_word(text)).unwrap_or_default().trim());
        let leaves_lobby = name == LEAVE_GROUP && self.shown.as_deref().is_some_and(is_lobby);
        if (name == LEAVE || leaves_lobby) && rest.is_empty() && self.shown.is_some() {
            let left = self.stop().filter(|room| !is_lobby(room));
            let still = left.map(|room| format!(" You are still in {room}.")).unwrap_or_default();
            return (Meaning::Nothing, Some(format!("What you type is a command again.{still}")));
        }
        if name.eq_ignore_ascii_case(TALK) {
            return self.talk(rest);
        }
        let before = self.speaker.clone();
        match self.speaker.read_in(text.as_bytes(), self.shown.as_deref()) {
            Ok(None) => (Meaning::Nothing, None),
            Ok(Some(RequestLine { request: Request::RoomJoin(join), .. })) if join.again => {
                // Talking starts only once the hub has let the user in.
                self.speaker = before;
                self.talk(&join.room)
            }
            Ok(Some(line)) => {
                if let Request::RoomLeave(leave) = &line.request
                    && self.room.as_ref().is_some_and(|room| NameKey::of(room) == NameKey::of(&leave.room))
                {
                    self.stop();
                }
                (Meaning::Ask(line), None)
            }
            Err(bad) => (Meaning::Bad(self.advised(bad)), None),
        }
    }

    fn talk(&mut self, room: &str) -> (Meaning, Option<String>) {
        if is_lobby(room) {
            self.stop();
            self.room = Some(LOBBY.to_owned());
            return (Meaning::Nothing, Some(entered("to everybody")));
        }
        match check_room(room) {
            Ok(()) => (self.enter(room.to_owned()), None),
            Err(_) => {
                let usage = "`talk ROOM` says what you type in a room from then on, `talk lobby` to everybody.";
                (Meaning::Nothing, Some(usage.to_owned()))
            }
        }
    }

    /// Asks to enter a room, and talks there once the hub agrees.
    fn enter(&mut self, room: String) -> Meaning {
        self.attempts += 1;
        let id = Id::Text(format!("{TALK}-{}", self.attempts));
        self.entering = Some(id.clone());
        Meaning::Ask(RequestLine { id: Some(id), request: request::RoomJoin { room, again: true }.into() })
    }

    /// Adds a hint how to talk to the failure of a line that is no command.
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

/// Puts a slash before each command that stands at the beginning of a piece in backticks.
fn slashed(text: &str) -> String {
    let is_typed = |piece: &str| {
        let name = first_word(piece);
        name == LEAVE || name == TALK || is_command(name)
    };
    let mut out = String::with_capacity(text.len() + 8);
    for (number, piece) in text.split('`').enumerate() {
        if number > 0 {
            out.push('`');
        }
        if number % 2 == 1 && is_typed(piece) {
            out.push('/');
        }
        out.push_str(piece);
    }
    out
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\t']).next().unwrap_or_default()
}

#[cfg(test)]
#[path = "talk_tests.rs"]
mod tests;
