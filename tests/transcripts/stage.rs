//! Clients at a simulated hub, and the page on which their conversation is written down.
//!
//! Who plays by hand reads human text; who plays as a program reads NDJSON. On the page, `anna >` is what anna
//! writes and `anna |` what she reads. Whatever a client reads is checked in both faces, shown or not.
//!
//! Pages leave out the `seq` and `time` of JSON lines, so that one event more or later changes one line and not all
//! lines after it; [`Stage::show_seq_and_time`] is for the page that is about them.

use std::fmt::Write;
use std::time::Duration;

use potluck::protocol::schema::Stream;
use potluck::protocol::{EventLine, to_json};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};
use potluck::ui::human::render;
use potluck::ui::style::Style;
use potluck::ui::validate::Validator;
use serde_json::{Map, Value};

/// How a client speaks with its user.
#[derive(Clone, Copy)]
pub enum Face {
    Human,
    Json,
}

/// Somebody on the stage.
#[derive(Clone, Copy)]
pub struct Who(usize);

struct Player {
    client: ClientId,
    key: u8,
    name: String,
    face: Face,
    read: usize,
    validator: Validator,
}

pub struct Stage {
    pub sim: Sim,
    players: Vec<Player>,
    page: String,
    shows_seq_and_time: bool,
}

impl Stage {
    pub fn new(config: SimConfig) -> Self {
        Self { sim: Sim::new(config), players: Vec::new(), page: String::new(), shows_seq_and_time: false }
    }

    /// From now on JSON lines are written down as they are.
    pub fn show_seq_and_time(&mut self) {
        self.shows_seq_and_time = true;
    }

    /// What everybody has written and read.
    pub fn page(self) -> String {
        self.page
    }

    /// Somebody starts potluck.
    pub fn join(&mut self, name: &str, face: Face, options: ClientOptions) -> Who {
        self.note(&format!("{name} joins"));
        let key = options.key.unwrap_or(self.players.len() as u8 + 1);
        let client = self.sim.join(name, ClientOptions { key: Some(key), ..options });
        let validator = Validator::new(Stream::Events);
        self.players.push(Player { client, key, name: name.to_owned(), face, read: 0, validator });
        self.wait_ms(500);
        Who(self.players.len() - 1)
    }

    /// The usual beginning, of which only so much is written down: anna by hand and ben as a program, who have
    /// chosen their folders.
    pub fn anna_and_ben(&mut self) -> (Who, Who) {
        let anna = self.join("anna", Face::Human, ClientOptions::default());
        let ben = self.join("ben", Face::Json, ClientOptions::default());
        for (file, content) in [("song.ogg", "la la la"), ("notes.txt", "do re mi"), ("a b.txt", "")] {
            self.give(anna, "music", file, content);
        }
        self.give(ben, "docs", "notes.txt", "to do");
        self.give(ben, "docs", "plan.txt", &"step ".repeat(1_000));
        self.types(anna, "setdir music");
        self.types(ben, r#"{"request":"setdir","dir":"docs"}"#);
        self.wait_ms(100);
        self.page = "# anna (by hand) and ben (a program) are here; their folders are music and docs\n".into();
        (anna, ben)
    }

    /// Anna and ben, and cleo by hand as well.
    pub fn anna_ben_and_cleo(&mut self) -> (Who, Who, Who) {
        let (anna, ben) = self.anna_and_ben();
        let cleo = self.join("cleo", Face::Human, ClientOptions::default());
        self.page = "# anna and cleo (by hand) and ben (a program) are here\n".into();
        (anna, ben, cleo)
    }

    /// Somebody who has left starts potluck again, with the same key.
    pub fn returns(&mut self, who: Who) -> Who {
        let Player { key, name, face, .. } = &self.players[who.0];
        let (key, name, face) = (Some(*key), name.clone(), *face);
        self.join(&name, face, ClientOptions { key, ..ClientOptions::default() })
    }

    /// Puts a file on somebody's disk.
    pub fn give(&mut self, who: Who, dir: &str, file: &str, content: &str) {
        let client = self.client(who);
        self.sim.give_file(client, dir, file, content.as_bytes());
    }

    /// Puts a link on somebody's disk.
    pub fn link(&mut self, who: Who, dir: &str, file: &str) {
        let client = self.client(who);
        self.sim.give_link(client, dir, file);
    }

    /// Takes a file from somebody's disk.
    pub fn take(&mut self, who: Who, dir: &str, file: &str) {
        let client = self.client(who);
        self.sim.take_file(client, dir, file);
    }

    /// Writes what happens.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.page, "\n# {text}");
    }

    /// Somebody writes a line, and the next one before anything is answered.
    pub fn types(&mut self, who: Who, line: &str) {
        let _ = writeln!(self.page, "\n{} > {line}", self.players[who.0].name);
        let client = self.client(who);
        self.sim.line(client, line);
    }

    /// Somebody writes a line and reads what comes of it.
    pub fn says(&mut self, who: Who, line: &str) {
        self.types(who, line);
        self.wait_ms(500);
    }

    /// Somebody writes a line that is too odd to be printed as it is.
    pub fn says_odd(&mut self, who: Who, shown: &str, line: &[u8]) {
        let _ = writeln!(self.page, "\n{} > {shown}", self.players[who.0].name);
        let client = self.client(who);
        self.sim.line(client, line);
        self.wait_ms(500);
    }

    /// Time passes, and everybody reads what there is.
    pub fn wait_ms(&mut self, millis: u64) {
        self.sim.run_for(Duration::from_millis(millis));
        for player in &mut self.players {
            for line in &self.sim.told(player.client)[player.read..] {
                player.read += 1;
                player.reads(line, self.shows_seq_and_time, &mut self.page);
            }
        }
    }

    pub fn client(&self, who: Who) -> ClientId {
        self.players[who.0].client
    }

    /// The exit code of somebody who has ended.
    pub fn ended(&self, who: Who) -> Option<u8> {
        self.sim.ended(self.client(who))
    }

    /// What somebody has been told since the beginning.
    pub fn told(&self, who: Who) -> &[EventLine] {
        self.sim.told(self.client(who))
    }
}

impl Player {
    fn reads(&mut self, line: &EventLine, show_seq_and_time: bool, page: &mut String) {
        let json = to_json(line);
        let valid = self.validator.validate_line(self.read as u64, json.as_bytes());
        assert_eq!(valid, Ok(()), "{json}");
        let back = EventLine::parse(&json).unwrap().unwrap();
        assert_eq!(&back, line, "{json}");
        // A recording must replay to the same text, byte for byte.
        let text = render(line, Style::Plain);
        assert_eq!(render(&back, Style::Plain), text, "{json}");
        let shown = match self.face {
            Face::Human => text,
            Face::Json if show_seq_and_time => json,
            Face::Json => without_seq_and_time(&json),
        };
        for row in shown.lines() {
            let _ = writeln!(page, "{}", format!("{} | {row}", self.name).trim_end());
        }
    }
}

fn without_seq_and_time(json: &str) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(json).unwrap();
    for field in ["seq", "time"] {
        // What follows it keeps its order.
        assert!(fields.shift_remove(field).is_some(), "{field} is missing: {json}");
    }
    Value::Object(fields).to_string()
}
