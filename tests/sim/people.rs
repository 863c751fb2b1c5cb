//! What people say, in simulation: nothing that was acknowledged is lost, nothing is told twice or out of order,
//! whatever breaks, falls silent or dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::seeds::play_seeds;
use crate::trouble::Trouble;
use potluck::core::Rng;
use potluck::protocol::{Event, Id};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};

const SEEDS: u64 = 600;
const NAMES: [&str; 4] = ["anna", "ben", "cleo", "dora"];

/// Something that was asked to be said.
struct Said {
    client: ClientId,
    id: i64,
    from: usize,
    /// Who should have it in the end: one person, or everybody else.
    to: Vec<usize>,
    /// Whether it was said to everybody who is there: then it is for those who are when it is acknowledged.
    to_all: bool,
}

/// One random run: four people write to each other and in a room, over a network that delays, breaks and falls
/// silent, with a hub that crashes, and clients that are killed and started again.
struct Run {
    sim: Sim,
    rng: Rng,
    /// The programs of each person, one after the other; the last one runs.
    clients: [Vec<ClientId>; 4],
    said: BTreeMap<String, Said>,
    next_id: i64,
    crashes: usize,
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
        let clients = [0, 1, 2, 3].map(|index| vec![join(&mut sim, index)]);
        sim.run_for(Duration::from_secs(1));
        let mut run = Self { sim, rng: Rng(seed ^ 0xbeef), clients, said: BTreeMap::new(), next_id: 1, crashes: 0 };
        run.ask(0, "room-create", r#""room":"kitchen""#);
        run.sim.run_for(Duration::from_secs(1));
        for index in 1..4 {
            run.ask(index, "room-join", r#""room":"kitchen""#);
        }
        run.sim.run_for(Duration::from_secs(1));
        run
    }

    fn client(&self, index: usize) -> ClientId {
        *self.clients[index].last().unwrap()
    }

    fn ask(&mut self, index: usize, request: &str, body: &str) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.sim.line(self.client(index), format!(r#"{{"id":{id},"request":"{request}",{body}}}"#));
        id
    }

    fn broadcast(&mut self, from: usize) {
        let text = format!("words {}", self.next_id);
        let id = self.ask(from, "broadcast", &format!(r#""text":"{text}""#));
        let to = (0..4).filter(|other| *other != from).collect();
        self.said.insert(text, Said { client: self.client(from), id, from, to, to_all: true });
    }

    fn say(&mut self, from: usize, to: Option<usize>) {
        let text = format!("words {}", self.next_id);
        let (request, place) = match to {
            Some(to) => ("message", format!(r#""to":"{}""#, NAMES[to])),
            None => ("say", r#""room":"kitchen""#.to_owned()),
        };
        let id = self.ask(from, request, &format!(r#"{place},"text":"{text}""#));
        let to = to.map_or_else(|| (0..4).filter(|other| *other != from).collect(), |to| vec![to]);
        self.said.insert(text, Said { client: self.client(from), id, from, to, to_all: false });
    }

    /// A client's process or machine dies, and is started again with the same key and name.
    fn restart(&mut self, index: usize) {
        self.kill_somehow(self.client(index));
        self.pause(8_000);
        let client = join(&mut self.sim, index);
        self.clients[index].push(client);
        // Its predecessor may hold the name until the hub has asked for it in vain.
        self.sim.run_for(Duration::from_secs(3));
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.crash_hub();
    }

    fn act(&mut self) {
        let from = self.rng.below(4) as usize;
        let to = (from + 1 + self.rng.below(3) as usize) % 4;
        match self.rng.below(25) {
            0..=8 => self.say(from, Some(to)),
            9..=11 => self.say(from, None),
            12..=13 => self.broadcast(from),
            14..=15 => (0..20).for_each(|_| self.say(from, Some(to))),
            16 => drop(self.ask(from, "focus", r#""room":"kitchen""#)),
            17 => self.sim.line(self.client(from), "unfocus"),
            18 => self.sim.break_client(self.client(from)),
            19 => self.sim.silence_client(self.client(from)),
            20..=21 => self.crash(),
            22 => self.restart(from),
            23 => ["rooms", "blocks", "status", "rooms"].into_iter().for_each(|word| self.look(from, word)),
            _ => self.cut_all(),
        }
    }

    /// Asks for something that the hub knows at once.
    fn look(&mut self, index: usize, request: &str) {
        let id = self.next_id;
        self.next_id += 1;
        self.sim.line(self.client(index), format!(r#"{{"id":{id},"request":"{request}"}}"#));
    }

    /// Whatever breaks and whenever something is on disk: each client is answered in the order of its requests. Only
    /// the receipt of a message may be later.
    fn check_order(&self) {
        for client in self.clients.iter().flatten() {
            let direct = |id: i64| self.said.values().any(|said| said.id == id && said.to.len() == 1);
            let finals = self.sim.told(*client).iter().filter(|line| line.last);
            let ids = finals.filter_map(|line| match line.id {
                Some(Id::Number(id)) if !direct(id) => Some(id),
                _ => None,
            });
            let ids: Vec<i64> = ids.collect();
            assert!(ids.is_sorted_by(|a, b| a < b), "answers are in order: {ids:?}");
        }
    }

    /// What a person was told of others, by all their programs, in order: number and text.
    fn heard(&self, index: usize) -> Vec<(u64, &str)> {
        let told = self.clients[index].iter().flat_map(|client| self.sim.told(*client));
        told.filter_map(|line| match &line.event {
            Event::Message(message) => Some((message.number, message.text.as_str())),
            Event::RoomMessage(message) => Some((message.number, message.text.as_str())),
            _ => None,
        })
        .collect()
    }

    fn check(&self) {
        let heard: Vec<Vec<(u64, &str)>> = (0..4).map(|index| self.heard(index)).collect();
        let mut acked = 0;
        for (text, said) in &self.said {
            let answer =
                self.sim.told(said.client).iter().find(|line| line.last && line.id == Some(Id::Number(said.id)));
            let acknowledged = match answer.map(|line| &line.event) {
                Some(Event::MessageAcked(acknowledged)) => Some(acknowledged),
                _ => None,
            };
            let is_acked = acknowledged.is_some();
            if said.client == self.client(said.from) {
                assert!(is_acked, "{text} is answered, and well: {answer:?}");
            }
            acked += usize::from(is_acked);
            for &to in &said.to {
                let times = heard[to].iter().filter(|(_, heard)| heard == text).count();
                assert!(times <= 1, "{text} is told twice to {}", NAMES[to]);
                // Who was not there need not have what was said to those who were.
                assert!(
                    times == 1 || !is_acked || said.to_all,
                    "{text} is acknowledged, and {} does not have it",
                    NAMES[to]
                );
            }
            if let Some(acknowledged) = acknowledged.filter(|_| said.to_all) {
                let has = |to: &&usize| heard[**to].iter().any(|(_, heard)| heard == text);
                let have = said.to.iter().filter(has).count() as u64;
                let delivered = acknowledged.delivered;
                assert!(have >= delivered, "{text} is acknowledged as delivered to {delivered}; {have} have it");
            }
        }
        for (index, heard) in heard.iter().enumerate() {
            // Who hears only the room hears the rest later; each for itself is in order.
            let in_room = |text: &str| self.said[text].to.len() > 1 && !self.said[text].to_all;
            for room in [true, false] {
                let numbers: Vec<u64> =
                    heard.iter().filter(|(_, text)| in_room(text) == room).map(|(number, _)| *number).collect();
                assert!(numbers.is_sorted_by(|a, b| a < b), "{} is told in order: {numbers:?}", NAMES[index]);
            }
            let for_them: BTreeSet<&str> =
                self.said.iter().filter(|(_, said)| said.to.contains(&index)).map(|(text, _)| text.as_str()).collect();
            assert!(heard.iter().all(|(_, text)| for_them.contains(text)), "nobody hears what is not for them");
        }
        for client in self.clients.iter().flatten() {
            for line in self.sim.told(*client) {
                if let Event::MessageDelivered(delivered) = &line.event {
                    let to = NAMES.iter().position(|name| *name == delivered.to).unwrap();
                    assert!(heard[to].iter().any(|(number, _)| *number == delivered.number), "said to be delivered");
                }
            }
        }
        assert!(acked > 0, "somebody was heard");
        self.check_order();
    }
}

fn join(sim: &mut Sim, index: usize) -> ClientId {
    sim.join(NAMES[index], ClientOptions { key: Some(index as u8 + 1), ..ClientOptions::default() })
}

fn play(seed: u64) -> usize {
    let mut run = Run::new(seed);
    for _ in 0..30 {
        run.pause(400);
        run.act();
    }
    // Long enough for every pause of reconnecting and for the grace.
    run.sim.run_for(Duration::from_secs(45));
    for index in 0..4 {
        run.sim.line(run.client(index), "unfocus");
    }
    run.sim.run_for(Duration::from_secs(5));
    run.check();
    run.crashes
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_told_twice() {
    let crashes = play_seeds(SEEDS, play);
    let crashed: usize = crashes.iter().sum();
    assert!(!crate::seeds::all_are_played() || crashed >= 500, "the hub crashed {crashed} times");
}
