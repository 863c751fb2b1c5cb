//! Files in simulation: folders, pushes, queues, and who has what; every request is answered once, and what is said to
//! be there is the right content, whatever breaks, falls silent or dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::seeds::play_seeds;
use crate::trouble::Trouble;
use potluck::core::Rng;
use potluck::protocol::{ContentHash, Direction, Event, EventLine, Id};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};

const SEEDS: u64 = 400;
const NAMES: [&str; 4] = ["anna", "ben", "cleo", "dora"];
const FILES: [&str; 4] = ["albums/one", "albums/two", "notes", "plan"];

/// One random run of four clients.
struct Run {
    sim: Sim,
    rng: Rng,
    clients: Vec<ClientId>,
    asked: BTreeMap<(usize, i64), &'static str>,
    /// What a download under a name of ours must be: of whose files any.
    targets: BTreeMap<String, BTreeSet<ContentHash>>,
    next_id: i64,
}

/// What everybody has under a name.
fn text(file: &str, index: usize) -> String {
    // Two of four have the same notes.
    if file == "notes" { format!("{file} of {}", index % 2) } else { format!("{file} of {index}") }
}

fn hash(file: &str, index: usize) -> ContentHash {
    ContentHash(*blake3::hash(text(file, index).as_bytes()).as_bytes())
}

impl Trouble for Run {
    fn parts(&mut self) -> (&mut Sim, &mut Rng) {
        (&mut self.sim, &mut self.rng)
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let ms = Duration::from_millis;
        let config = SimConfig { seed, latency: (ms(1), ms(60)), commit: (ms(1), ms(100)), ..SimConfig::default() };
        let mut sim = Sim::new(config);
        let clients = NAMES.iter().enumerate().map(|(index, name)| {
            let client = sim.join(name, ClientOptions { key: Some(index as u8 + 1), ..ClientOptions::default() });
            FILES.iter().for_each(|file| sim.give_file(client, "dir", file, text(file, index).as_bytes()));
            client
        });
        let (clients, rng) = (clients.collect(), Rng(seed ^ 0xf11e));
        let mut run = Self { sim, rng, clients, asked: BTreeMap::new(), targets: BTreeMap::new(), next_id: 1 };
        run.sim.run_for(Duration::from_secs(1));
        (0..4).for_each(|index| run.ask(index, "setdir", r#""dir":"dir""#));
        run.sim.run_for(Duration::from_secs(1));
        run
    }

    fn ask(&mut self, index: usize, request: &'static str, body: &str) {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert((index, id), request);
        let comma = if body.is_empty() { "" } else { "," };
        self.sim.line(self.clients[index], format!(r#"{{"id":{id},"request":"{request}"{comma}{body}}}"#));
    }

    /// The newest event of a kind that somebody was told.
    fn newest<T>(&self, index: usize, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.sim.told(self.clients[index]).iter().rev().find_map(|line| pick(&line.event))
    }

    /// Pushes that somebody was offered by the hub that runs, and has neither answered nor been told to be gone.
    fn offered(&self, index: usize) -> BTreeSet<u64> {
        let mut open = BTreeSet::new();
        for EventLine { event, .. } in self.sim.told(self.clients[index]) {
            match event {
                Event::PushOffered(push) => drop(open.insert(push.push)),
                Event::PushGone(push) => drop(open.remove(&push.push)),
                Event::Declined(push) => drop(open.remove(&push.push)),
                Event::HubBack(back) if !back.resumed => open.clear(),
                _ => {}
            }
        }
        open
    }

    fn act(&mut self) {
        let index = self.rng.below(4) as usize;
        let other = NAMES[self.rng.below(4) as usize];
        let file = FILES[self.rng.below(4) as usize];
        let target = format!("to-{}", self.next_id);
        match self.rng.below(24) {
            0..=4 => self.ask(index, "offer", &format!(r#""files":["{file}"]"#)),
            5 => self.ask(index, "withdraw", &format!(r#""files":["{file}"]"#)),
            6 => self.ask(index, "withdraw", r#""files":["albums/"]"#),
            7..=8 => {
                self.targets.insert(target.clone(), (0..4).map(|owner| hash(file, owner)).collect());
                self.ask(index, "get", &format!(r#""file":"{file}","from":"{other}","to":"{target}""#));
            }
            9..=10 => {
                for one in &FILES[..2] {
                    let hashes = (0..4).map(|owner| hash(one, owner)).collect();
                    self.targets.insert(format!("{target}/{}", &one["albums/".len()..]), hashes);
                }
                self.ask(index, "get", &format!(r#""file":"albums/","from":"{other}","to":"{target}""#));
            }
            11..=13 => self.ask(index, "push", &format!(r#""file":"{file}","to":"{other}""#)),
            14..=16 => {
                let Some(push) = self.newest(index, |event| match event {
                    Event::PushOffered(push) => Some(push.clone()),
                    _ => None,
                }) else {
                    return;
                };
                self.targets.insert(target.clone(), BTreeSet::from([push.hash]));
                self.ask(index, "accept", &format!(r#""push":{},"to":"{target}""#, push.push));
            }
            17 => {
                let transfer = self.newest(index, |event| match event {
                    Event::PushAsked(push) => Some(push.transfer),
                    Event::TransferStarted(started) if started.direction == Direction::Down => Some(started.transfer),
                    _ => None,
                });
                let transfer = transfer.unwrap_or(1);
                self.ask(index, "cancel", &format!(r#""transfer":{transfer}"#));
            }
            18 => self.ask(index, "search", r#""text":"o""#),
            19 => self.ask(index, "chunks", &format!(r#""file":"{file}","from":"{other}""#)),
            20 => self.sim.break_client(self.clients[index]),
            21 => self.sim.silence_client(self.clients[index]),
            22 => self.crash_hub(),
            _ => {
                let word = if self.rng.chance(50) { "dereg" } else { "rereg" };
                self.ask(index, word, "");
            }
        }
    }

    /// Nobody waits for an answer any more: what is offered is declined, by all who may.
    fn settle(&mut self) {
        self.sim.run_for(Duration::from_secs(45));
        for _ in 0..3 {
            for index in 0..4 {
                // Whom a push is for must be there to say so.
                self.ask(index, "rereg", "");
                for push in self.offered(index) {
                    self.ask(index, "decline", &format!(r#""push":{push}"#));
                }
            }
            self.sim.run_for(Duration::from_secs(5));
        }
        // One that was accepted, and whose receiver was cut off before it came, is given up after a minute.
        self.sim.run_for(Duration::from_secs(65));
    }

    fn check(&self) {
        for (&(index, id), request) in &self.asked {
            let told = self.sim.told(self.clients[index]);
            let about: Vec<_> = told.iter().filter(|line| line.id == Some(Id::Number(id))).collect();
            let finals = about.iter().filter(|line| line.last).count();
            assert_eq!(finals, 1, "one final event for {request} {id} of {}", NAMES[index]);
            assert!(about.last().is_some_and(|line| line.last), "nothing after the final event of {request} {id}");
        }
        for (index, client) in self.clients.iter().enumerate() {
            assert_eq!(self.sim.ended(*client), None, "nobody gives up");
            for (name, found) in self.sim.downloads(*client) {
                assert!(self.targets[name].contains(found), "{name} of {} is something else", NAMES[index]);
            }
            let underway = self.sim.session(*client).replica().offers().count();
            let offers = self.sim.hub().expect("the hub runs at the end").offers().len();
            assert_eq!(underway, offers, "every table equals the hub's");
        }
    }
}

/// How many pushes arrived.
fn play(seed: u64) -> usize {
    let mut run = Run::new(seed);
    for _ in 0..30 {
        run.pause(400);
        run.act();
    }
    run.settle();
    run.check();
    let told = run.sim.all_told();
    told.filter(
        |line| matches!(&line.event, Event::TransferCompleted(done) if line.last && done.direction == Direction::Up),
    )
    .count()
}

#[test]
fn on_any_network_files_are_what_they_are_said_to_be_and_every_request_is_answered_once() {
    let pushed: usize = play_seeds(SEEDS, play).into_iter().sum();
    assert!(pushed > 0 || !crate::seeds::all_are_played(), "pushes arrive");
}
