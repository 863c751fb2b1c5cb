//! Talking at a terminal without a command before each line: what a typed line means.
//!
//! A line means what the prompt says under which it was typed: at `dora@hub [kitchen]> ` it is said in the kitchen, even
//! if the hub has just answered that there is no kitchen. So nothing is ever said elsewhere than it looks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::human::{TALK, is_command};
use crate::protocol::name::{LOBBY, NameKey, check_room, is_lobby};
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
    /// Who one is, as the hub says it.
    name: String,
    hub: String,
    /// Short forms of old mean the room that the prompt shows, or else the one that was entered last.
    speaker: Speaker,
    /// Where what is typed next is said; commands are typed if nowhere.
    room: Option<String>,
    /// Where what is typed now is said.
    shown: Option<String>,
    /// The mark of the request that enters a room, while the hub has not answered it.
    entering: Option<Id>,
    /// No prompt is shown, since that answer is waited for.
    awaited: bool,
    attempts: u64,
}

/// The talk that one thread types into and another hears of.
#[derive(Debug, Clone)]
pub struct SharedTalk(Arc<(Mutex<Talk>, Condvar)>);

impl SharedTalk {
    /// Somebody of this name at this hub who talks nowhere yet; the prompt shows both.
    pub fn new(name: String, hub: String) -> Self {
        Self(Arc::new((Mutex::new(Talk::new(name, hub)), Condvar::new())))
    }

    /// The talk, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Talk> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an event. What this adds to its text is returned.
    pub fn heard(&self, line: &EventLine) -> Option<String> {
        let note = self.lock().heard(line);
        self.0.1.notify_all();
        note
    }

    /// Waits until it is known whether one is in the room that was asked for, but not longer than `patience`.
    pub fn settle(&self, patience: Duration) {
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

    /// Whether it is not known yet if the hub lets one into the room that one wants to talk in.
    pub fn is_entering(&self) -> bool {
        self.entering.is_some()
    }

    /// The prompt for the next line, which is taken as the prompt says.
    pub fn prompt(&mut self) -> String {
        self.shown.clone_from(&self.room);
        match &self.shown {
            Some(room) => format!("{}@{} [{room}]> ", self.name, self.hub),
            None => format!("{}@{}> ", self.name, self.hub),
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
        let whom = if is_lobby(room) { "everybody".to_owned() } else { format!("all in {room}") };
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

    /// Takes note of an event: a room is talked in once the hub has let one in, and not any more once it was left.
    /// Returns what the person is to be told of it.
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

    /// The text of an event as it is right at this terminal: where one talks, commands begin with a slash.
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
                // Only once the hub has let one in.
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

    /// Once the hub has let one in.
    fn enter(&mut self, room: String) -> Meaning {
        self.attempts += 1;
        let id = Id::Text(format!("{TALK}-{}", self.attempts));
        self.entering = Some(id.clone());
        Meaning::Ask(RequestLine { id: Some(id), request: request::RoomJoin { room, again: true }.into() })
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

/// A text with a slash before each command that stands at the beginning of a piece in backticks.
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
