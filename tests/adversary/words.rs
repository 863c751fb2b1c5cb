//! What hostile clients say to a hub: every word there is, about few people, rooms and files, so that they meet.

use std::net::SocketAddr;

use potluck::core::Rng;
use potluck::protocol::request::Request;
use potluck::protocol::types::Content;
use potluck::protocol::wire::{self, Ask};
use potluck::protocol::{ChunkSet, ContentHash, PublicKey};

pub const PEOPLE: [&str; 6] = ["ann", "bob", "cid", "Dan", "eve", "nobody"];
pub const ROOMS: [&str; 4] = ["attic", "Bar", "cellar", "lobby"];
pub const FILES: [&str; 5] = ["f", "g", "d/x", "d/y", "d/e/z"];

pub fn pick<'a, T: ?Sized>(rng: &mut Rng, from: &[&'a T]) -> &'a T {
    from[rng.below(from.len() as u64) as usize]
}

pub fn hash(rng: &mut Rng) -> ContentHash {
    ContentHash([rng.below(3) as u8; 32])
}

/// A content, mostly with a number of chunks that fits its size.
pub fn content(rng: &mut Rng) -> Content {
    let chunk_size = 1_u64 << 20;
    let size = [0, 5, chunk_size, 2 * chunk_size + 1][rng.below(4) as usize];
    let chunks = size.div_ceil(chunk_size) + u64::from(rng.chance(3));
    Content { file: pick(rng, &FILES).into(), size, hash: hash(rng), chunk_size, chunks, modified: None }
}

fn people(rng: &mut Rng) -> String {
    let names: Vec<String> = (0..rng.below(4)).map(|_| format!("{:?}", pick(rng, &PEOPLE))).collect();
    format!("[{}]", names.join(","))
}

/// Something that a client asks on its own: not a request of its user.
fn ask(rng: &mut Rng, id: i64, newest: u64) -> Ask {
    let number = rng.below(newest + 2);
    let few = rng.below(8);
    match rng.below(12) {
        0 => {
            let publish = (0..rng.below(4)).map(|_| content(rng)).collect();
            let more = if rng.chance(10) { rng.below(70_000) } else { 0 };
            Ask::Publish(wire::Publish { id, publish, more, keep: rng.chance(50) })
        }
        1 => {
            let except = (0..rng.below(3)).map(|_| rng.below(newest + 2)).collect();
            Ask::Received(wire::Received { received: number, except })
        }
        2 => Ask::Unreachable(wire::Unreachable { unreachable: pick(rng, &PEOPLE).to_owned() }),
        3 => {
            let had = |rng: &mut Rng| {
                let Content { hash, size, chunk_size, .. } = content(rng);
                let chunks: ChunkSet = (0..4).filter(|_| rng.chance(40)).collect();
                wire::Had { hash, size, chunk_size, chunks }
            };
            Ask::Have(wire::Have { have: (0..rng.below(4)).map(|_| had(rng)).collect() })
        }
        4 => Ask::Settled(wire::Settled { settled: hash(rng) }),
        5 => Ask::Push(wire::Push {
            id,
            push: Content { file: "f".into(), ..content(rng) },
            to: pick(rng, &PEOPLE).to_owned(),
        }),
        6 => Ask::TakeBack(wire::TakeBack { take_back: few }),
        7 => Ask::NotTaken(wire::NotTaken { not_taken: few }),
        8 | 9 => Ask::Meet(wire::Meet {
            meet: PublicKey([rng.below(crate::hub::KEYS + 1) as u8; 32]),
            name: rng.chance(30).then(|| pick(rng, &PEOPLE).to_owned()),
            ask: number,
            purpose: if rng.chance(50) { wire::Purpose::Private } else { wire::Purpose::Content(hash(rng)) },
        }),
        10 => {
            let place = |rng: &mut Rng| SocketAddr::from(([192, 168, 1, rng.below(3) as u8], rng.below(65_536) as u16));
            Ask::MeetAt(wire::MeetAt { meet_at: few, inner: (0..rng.below(6)).map(|_| place(rng)).collect() })
        }
        _ => Ask::Gone(wire::Gone { id, gone: (0..rng.below(3)).map(|_| pick(rng, &FILES).to_owned()).collect() }),
    }
}

/// The fields of a request, behind its name.
fn fields(rng: &mut Rng, word: &str, own: &str, newest: u64) -> Option<String> {
    let person = if rng.chance(20) { own } else { pick(rng, &PEOPLE) };
    let (room, file) = (pick(rng, &ROOMS), pick(rng, &[FILES.as_slice(), &["d/", "./"]].concat()));
    let number = rng.below(newest + 2);
    let from = if rng.chance(30) { format!(r#","from":"{person}""#) } else { String::new() };
    Some(match word {
        "register" => format!(r#","name":"{}""#, if rng.chance(70) { own } else { person }),
        "login" => format!(r#","name":"{}","password":"p""#, if rng.chance(70) { own } else { person }),
        "who" if rng.chance(50) => format!(r#","since":{}"#, pick(rng, &["0", "5", "100000", "18446744073709551615"])),
        "setdir" => r#","dir":"d""#.to_owned(),
        "offer" => format!(r#","files":["{file}"]"#),
        "withdraw" => format!(r#","files":["{file}"]"#),
        "search" => format!(r#","text":"{}""#, pick(rng, &["f", "00000000", "D/", " "])),
        "chunks" => format!(r#","file":"{file}","chunks":[{}]{from}"#, rng.below(4)),
        "get" => format!(r#","file":"{file}"{from}"#),
        "push" => format!(r#","file":"f","to":"{person}""#),
        "accept" | "decline" => format!(r#","push":{}"#, rng.below(8)),
        "cancel" => r#","transfer":1"#.to_owned(),
        "message" | "private" => format!(r#","to":"{person}","text":"words""#),
        "broadcast" => r#","text":"words""#.to_owned(),
        "private-open" | "private-close" | "ping" => format!(r#","to":"{person}""#),
        "block" | "unblock" => format!(r#","name":"{person}""#),
        "history" => match rng.below(6) {
            0 => r#","lobby":true"#.to_owned(),
            1 => format!(r#","room":"{room}","after":{number}"#),
            2 => format!(r#","with":"{person}","before":{number}"#),
            3 => r#","since":"10m","limit":3"#.to_owned(),
            4 => r#","since":"1970-01-01T00:00:00Z","match":"words""#.to_owned(),
            _ => String::new(),
        },
        "room-create" => format!(r#","room":"{room}","members":{}"#, people(rng)),
        "room-invite" => format!(r#","room":"{room}","members":{}"#, people(rng)),
        "room-join" | "room-leave" | "members" | "focus" => format!(r#","room":"{room}""#),
        "say" => format!(r#","room":"{room}","text":"words""#),
        "who" | "list" | "help" => String::new(),
        _ => return by_example(word, person, room, file),
    })
}

/// The fields of a request as its row shows them, about our people, rooms and files.
fn by_example(word: &str, person: &str, room: &str, file: &str) -> Option<String> {
    let word = Request::WORDS.iter().find(|known| known.name == word)?;
    let fields = word.example.trim_start_matches('{').trim_end_matches('}');
    let fields = fields.replace("erin", person).replace("kitchen", room).replace("notes.txt", file);
    Some(if fields.is_empty() { fields } else { format!(",{fields}") })
}

/// What is said in one run: some words only, since a few that meet often find more than all that meet rarely (swarm
/// testing, Groce and others 2012).
pub struct Vocabulary {
    words: Vec<&'static str>,
    /// How often a client asks something on its own.
    asks: u64,
}

impl Vocabulary {
    pub fn some(rng: &mut Rng) -> Self {
        let share = [15, 50, 100][rng.below(3) as usize];
        let words = Request::WORDS.iter().map(|word| word.name).filter(|_| rng.chance(share)).collect();
        Self { words, asks: [0, 30, 60][rng.below(3) as usize] }
    }

    /// The body of a frame, and whether it is answered.
    pub fn body(&self, rng: &mut Rng, own: &str, id: i64, newest: u64) -> (String, bool) {
        if rng.chance(self.asks) {
            let ask = ask(rng, id, newest);
            return (ask.to_body().to_string(), ask.id().is_some());
        }
        // Nothing can be asked without a name.
        let word = match rng.below(100) {
            0..25 => "register",
            _ if self.words.is_empty() => "who",
            _ => self.words[rng.below(self.words.len() as u64) as usize],
        };
        // Whoever leaves all the time has no adventures.
        let word = if word == "quit" && rng.chance(60) { "broadcast" } else { word };
        let fields = fields(rng, word, own, newest).unwrap_or_else(|| panic!("the adversary does not know `{word}`"));
        (format!(r#"{{"id":{id},"request":"{word}"{fields}}}"#), true)
    }
}

#[test]
fn every_request_is_said() {
    for word in Request::WORDS {
        for seed in 0..20 {
            let fields = fields(&mut Rng(seed), word.name, "ann", 3).unwrap_or_else(|| panic!("{}", word.name));
            let body = format!("{{{}}}", fields.trim_start_matches(','));
            (word.reads)(&body).unwrap_or_else(|e| panic!("{}: {body}: {e}", word.name));
        }
    }
}
