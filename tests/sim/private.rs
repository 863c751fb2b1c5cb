//! Direct connections in simulation: what must hold whatever breaks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seeds::play_seeds;
use crate::trouble::Trouble;
use potluck::core::Rng;
use potluck::protocol::{ErrorCode, Event, EventLine, Follows, Id, LogEvent, Presence};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};

const SEEDS: u64 = 300;
const NAMES: [&str; 3] = ["anna", "ben", "cleo"];

/// Three clients write to each other while connections break and fall silent, and programs and machines die.
struct Run {
    sim: Sim,
    rng: Rng,
    clients: Vec<ClientId>,
    /// All that were ever started, with their names.
    everybody: Vec<(ClientId, usize)>,
    /// Who asked what of whom, under which id: the text of a message is its id.
    asked: BTreeMap<(ClientId, i64), (&'static str, usize)>,
    next_id: i64,
}

impl Trouble for Run {
    fn parts(&mut self) -> (&mut Sim, &mut Rng) {
        (&mut self.sim, &mut self.rng)
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let ms = Duration::from_millis;
        let config = SimConfig { seed, latency: (ms(1), ms(60)), ..SimConfig::default() };
        let mut sim = Sim::new(config);
        let clients: Vec<ClientId> = (0..NAMES.len()).map(|index| join(&mut sim, index)).collect();
        let everybody = clients.iter().copied().zip(0..).collect();
        let mut run = Self { sim, rng: Rng(seed ^ 0xfeed), clients, everybody, asked: BTreeMap::new(), next_id: 1 };
        run.sim.run_for(Duration::from_secs(1));
        run
    }

    fn ask(&mut self, index: usize, request: &'static str, to: usize) {
        let (client, id) = (self.clients[index], self.next_id);
        self.next_id += 1;
        self.asked.insert((client, id), (request, to));
        let text = if request == "private" { format!(r#","text":"{id}""#) } else { String::new() };
        self.sim.line(client, format!(r#"{{"id":{id},"request":"{request}","to":"{}"{text}}}"#, NAMES[to]));
    }

    fn act(&mut self) {
        let index = self.rng.below(3) as usize;
        let other = (index + 1 + self.rng.below(2) as usize) % 3;
        match self.rng.below(24) {
            20..=21 => self.sim.set_reading(self.clients[index], false),
            22..=23 => self.sim.set_reading(self.clients[index], true),
            0..=7 => self.ask(index, "private", other),
            8..=9 => {
                // Both at once, before either has heard of it.
                self.ask(index, "private", other);
                self.ask(other, "private", index);
            }
            10..=11 => (0..5).for_each(|_| self.ask(index, "private", other)),
            12 => self.ask(index, "private-open", other),
            13..=14 => self.ask(index, "private-close", other),
            15 => self.sim.break_private(self.clients[index]),
            16 => self.sim.silence_private(self.clients[index]),
            17 => self.sim.break_client(self.clients[index]),
            18 => self.crash_hub(),
            _ => self.restart(index),
        }
    }

    fn restart(&mut self, index: usize) {
        self.kill_somehow(self.clients[index]);
        self.pause(2_500);
        self.clients[index] = join(&mut self.sim, index);
        self.everybody.push((self.clients[index], index));
        // Its predecessor may hold the name until the hub has asked for it in vain.
        self.sim.run_for(Duration::from_secs(3));
    }

    /// The messages that somebody has told its user, by who said them.
    fn heard(&self, client: ClientId) -> Vec<(&str, i64)> {
        Self::said(self.sim.told(client))
    }

    fn said(told: &[EventLine]) -> Vec<(&'static str, i64)> {
        let said = |line: &EventLine| match &line.event {
            Event::PrivateMessage(said) => {
                let from = NAMES.iter().find(|name| **name == said.from).unwrap();
                Some((*from, said.text.parse().unwrap()))
            }
            _ => None,
        };
        told.iter().filter_map(said).collect()
    }

    fn check(&self) {
        for (&(client, id), &(request, to)) in &self.asked {
            let about: Vec<_> = self.sim.told(client).iter().filter(|line| line.id == Some(Id::Number(id))).collect();
            let finals = about.iter().filter(|line| line.last).count();
            if self.sim.ended(client).is_none() {
                assert_eq!(finals, 1, "one final event for {request} {id}");
            }
            assert!(finals == 0 || about.last().is_some_and(|line| line.last), "nothing after the final event of {id}");
            let told = self.everybody.iter().filter(|(_, index)| *index == to).map(|(receiver, _)| *receiver);
            let read = told.clone().flat_map(|receiver| Self::said(self.sim.read(receiver)));
            let read = read.filter(|(_, text)| *text == id).count();
            let told = told.flat_map(|receiver| self.heard(receiver)).filter(|(_, text)| *text == id).count();
            let acked = about.iter().any(|line| matches!(line.event, Event::MessageAcked(_)));
            assert!(told <= 1, "{id} was told {told} times");
            assert!(!acked || read == 1, "{id} was acknowledged and not read");
        }
        for &(client, index) in &self.everybody {
            for from in NAMES {
                let heard: Vec<i64> =
                    self.heard(client).into_iter().filter(|(name, _)| *name == from).map(|(_, text)| text).collect();
                assert!(heard.is_sorted(), "{} heard {heard:?} of {from}: not in order", NAMES[index]);
            }
            self.check_open(client);
        }
    }

    /// What is told of connections makes sense: they are opened, then closed, and only open ones are heard.
    fn check_open(&self, client: ClientId) {
        let mut open = BTreeMap::new();
        for line in self.sim.told(client) {
            match &line.event {
                Event::PrivateOpened(opened) => {
                    assert_eq!(open.insert(opened.peer.clone(), 0), None, "{} was opened twice", opened.peer);
                }
                Event::PrivateClosed(closed) => {
                    assert!(open.remove(&closed.peer).is_some(), "{} was not open", closed.peer);
                }
                Event::PrivateMessage(said) => {
                    let last = open.get_mut(&said.from).expect("only who is open is heard");
                    assert_eq!(said.number, *last + 1);
                    *last = said.number;
                }
                _ => {}
            }
        }
    }
}

fn join(sim: &mut Sim, index: usize) -> ClientId {
    // Cleo follows nothing, and asks the hub for whoever has to do with her.
    let follow = if index == 2 { Follows::NOTHING } else { Follows::default() };
    sim.join(NAMES[index], ClientOptions { key: Some(index as u8 + 1), follow, ..ClientOptions::default() })
}

fn play(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..25 {
        run.pause(600);
        run.act();
    }
    for client in run.clients.clone() {
        run.sim.set_reading(client, true);
    }
    run.sim.run_for(Duration::from_secs(35));
    run.check();
    // Where nothing breaks any more, everybody is reached.
    let from = run.next_id;
    for (index, other) in [(0, 1), (1, 2), (2, 0), (1, 0)] {
        run.ask(index, "private", other);
    }
    run.sim.run_for(Duration::from_secs(5));
    run.check();
    let acked = run.sim.all_told().filter(
        |line| matches!((&line.event, &line.id), (Event::MessageAcked(_), Some(Id::Number(id))) if *id >= from),
    );
    assert_eq!(acked.count(), 4);
}

#[test]
fn what_is_acknowledged_was_told_once_and_in_order() {
    play_seeds(SEEDS, play);
}

/// Two clients with an open connection.
fn pair(seed: u64) -> Run {
    let mut run = Run::new(seed);
    run.ask(0, "private", 1);
    run.sim.run_for(Duration::from_secs(1));
    assert!(matches!(last(&run, 0), Event::MessageAcked(_)));
    run
}

fn last(run: &Run, index: usize) -> &Event {
    let mut finals = run.sim.told(run.clients[index]).iter().filter(|line| line.last && line.id.is_some());
    &finals.next_back().unwrap().event
}

fn state(run: &Run, name: &str) -> Presence {
    let hub = run.sim.hub().unwrap().roster();
    hub.iter().find(|client| client.name == name).unwrap().state
}

fn doubts(run: &Run) -> usize {
    run.sim.log().iter().filter(|line| matches!(line.event, LogEvent::PeerDoubted(_))).count()
}

fn assert_unreachable(run: &Run, index: usize) {
    let Event::Error(error) = last(run, index) else { panic!("{:?}", last(run, index)) };
    assert_eq!(error.code, ErrorCode::PeerUnreachable);
}

#[test]
fn who_is_off_is_shown_away_by_the_hubs_own_probe() {
    play_seeds(100, |seed| {
        let mut run = pair(seed);
        run.pause(3_000);
        run.sim.power_off(run.clients[1]);
        let off = run.sim.now();
        run.ask(0, "private", 1);
        run.sim.run_for(Duration::from_millis(500));
        assert_unreachable(&run, 0);
        while state(&run, "ben") == Presence::Online {
            run.sim.run_for(Duration::from_millis(10));
        }
        let shown = run.sim.now() - off;
        let probed = Duration::from_millis(1_350)..Duration::from_millis(2_200);
        assert!(probed.contains(&shown), "seed {seed}: shown away after {shown:?}, which three probes take");
    });
}

#[test]
fn whom_only_the_peer_does_not_reach_stays_in_the_table() {
    play_seeds(100, |seed| {
        let mut run = pair(seed);
        run.sim.silence_private(run.clients[1]);
        run.ask(0, "private", 1);
        run.sim.run_for(Duration::from_millis(500));
        assert_unreachable(&run, 0);
        run.sim.run_for(Duration::from_secs(5));
        assert_eq!((doubts(&run) > 0, state(&run, "ben")), (true, Presence::Online));
        let away = |line: &&EventLine| match &line.event {
            Event::RosterUpdated(update) => update.clients.iter().any(|client| client.state != Presence::Online),
            _ => false,
        };
        assert_eq!(run.sim.all_told().filter(away).count(), 0, "nobody was told anything");
        // And it works again.
        run.ask(0, "private", 1);
        run.sim.run_for(Duration::from_secs(1));
        assert!(matches!(last(&run, 0), Event::MessageAcked(_)));
    });
}

#[test]
fn when_two_write_to_each_other_at_once_there_is_one_connection() {
    play_seeds(SEEDS, |seed| {
        let mut run = Run::new(seed);
        run.ask(0, "private", 1);
        run.pause(150);
        run.ask(1, "private", 0);
        run.ask(1, "private", 0);
        run.sim.run_for(Duration::from_secs(10));
        let count = |word: &str| run.sim.all_told().filter(|line| line.event.name() == word).count();
        let told = ["private-opened", "private-message", "message-acked", "private-closed", "error"].map(count);
        assert_eq!(told, [2, 3, 3, 0, 0], "seed {seed}");
        run.check();
    });
}

#[test]
fn who_is_started_again_is_reached_again() {
    play_seeds(100, |seed| {
        let mut run = pair(seed);
        run.kill_somehow(run.clients[1]);
        run.clients[1] = join(&mut run.sim, 1);
        run.everybody.push((run.clients[1], 1));
        // Written as soon as it may start; the other end may not know yet that this is another run.
        run.ask(1, "private", 0);
        run.sim.run_for(Duration::from_secs(5));
        assert!(matches!(last(&run, 1), Event::MessageAcked(_)), "seed {seed}: {:?}", last(&run, 1));
        run.check();
    });
}
