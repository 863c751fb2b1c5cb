//! Parcels in simulation, from the sender by way of the hub to the receivers: whatever breaks, falls silent or dies, every
//! request is answered once, what is said to have arrived has arrived, and whoever does not know the code gets nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seeds::{all_are_played, play_seeds};
use crate::trouble::Trouble;
use potluck::core::Rng;
use potluck::core::session::Entry;
use potluck::protocol::{ContentHash, ErrorCode, Event, Id};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};

const SEEDS: u64 = 200;
/// The request of each client: each has one.
const REQUEST: i64 = 1;

/// One random run: a sender, those who know its code, and somebody who guesses.
struct Run {
    sim: Sim,
    rng: Rng,
    sender: ClientId,
    times: u64,
    /// What is sent: names with their contents.
    files: BTreeMap<String, ContentHash>,
    is_text: bool,
    /// Clients that have typed the right code, each with the seed of its key.
    receivers: Vec<(ClientId, u8)>,
    guessers: Vec<ClientId>,
    /// Those among them who have no name.
    guests: Vec<ClientId>,
    is_calm: bool,
}

/// What came of a run.
#[derive(Default)]
struct Outcome {
    received: usize,
    sent: bool,
    guessed: bool,
    again: bool,
}

impl Trouble for Run {
    fn parts(&mut self) -> (&mut Sim, &mut Rng) {
        (&mut self.sim, &mut self.rng)
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let ms = Duration::from_millis;
        let mut rng = Rng(seed ^ 0x9a7ce1);
        let (latency, commit, sending) = ((ms(1), ms(60)), (ms(1), ms(100)), ms([0, 3_000][rng.below(2) as usize]));
        let mut sim = Sim::new(SimConfig { seed, latency, commit, sending, ..SimConfig::default() });
        let entry = if rng.chance(70) { Some(Entry::Member) } else { None };
        let sender = sim.join("anna", ClientOptions { key: Some(1), unnamed: entry, ..ClientOptions::default() });
        let count = [1, 3, 70][rng.below(3) as usize];
        let mut files = BTreeMap::new();
        for n in 0..count {
            let (name, text) = (format!("slides/{n}"), format!("slide {n}"));
            sim.give_file(sender, "home", &name, text.as_bytes());
            files.insert(name, ContentHash(*blake3::hash(text.as_bytes()).as_bytes()));
        }
        let (is_text, times, is_calm) = (rng.chance(20), 1 + rng.below(3), rng.chance(20));
        let (receivers, guessers, guests) = (Vec::new(), Vec::new(), Vec::new());
        Self { sim, rng, sender, times, files, is_text, receivers, guessers, guests, is_calm }
    }

    /// The sender asks, and is told the code.
    fn send(&mut self) -> Option<String> {
        let what = if self.is_text { r#""text":"soup""# } else { r#""paths":["slides"]"# };
        let times = self.times;
        let line = format!(r#"{{"id":1,"request":"parcel-send",{what},"times":{times},"until":"3m"}}"#);
        self.sim.line(self.sender, line);
        self.sim.run_for(Duration::from_secs(5));
        self.sim.told(self.sender).iter().find_map(|line| match &line.event {
            Event::ParcelReady(ready) => Some(ready.code.clone()),
            _ => None,
        })
    }

    fn type_in(&mut self, code: &str, key: u8) -> ClientId {
        let unnamed = if self.rng.chance(70) { Some(Entry::Guest) } else { None };
        let is_guest = unnamed.is_some();
        let options = ClientOptions { key: Some(key), unnamed, ..ClientOptions::default() };
        let client = self.sim.join(&format!("guest-{key}-{}", self.sim.now().0), options);
        self.guests.extend(is_guest.then_some(client));
        self.sim.line(client, format!(r#"{{"id":1,"request":"parcel-receive","code":"{code}"}}"#));
        client
    }

    fn trouble(&mut self, code: &str) {
        let who = self.receivers[self.rng.below(self.receivers.len() as u64) as usize];
        match self.rng.below(9) {
            0 => self.sim.break_client(self.sender),
            1 => self.sim.break_client(who.0),
            2 => self.sim.silence_client(who.0),
            3 => self.sim.silence_client(self.sender),
            4 => self.crash_hub(),
            5 => self.cut_all(),
            6 | 7 if self.sim.ended(who.0).is_none() && self.answer(who.0).is_none() => {
                self.kill_somehow(who.0);
                self.pause(3_000);
                let again = self.type_in(code, who.1);
                self.receivers.push((again, who.1));
            }
            _ if self.guessers.is_empty() => {
                let wrong = if code.ends_with("-cactus") { "cactus-acid" } else { "cactus-cactus" };
                let number = code.split('-').next().unwrap_or_default();
                let guesser = self.type_in(&format!("{number}-{wrong}"), 90);
                self.guessers.push(guesser);
            }
            _ => {}
        }
    }

    /// The final event of a client's request.
    fn answer(&self, client: ClientId) -> Option<&Event> {
        let told = self.sim.told(client).iter();
        let mut last = told.filter(|line| line.last && line.id == Some(Id::Number(REQUEST)));
        let answer = last.next();
        assert!(last.next().is_none(), "answered twice");
        answer.map(|line| &line.event)
    }

    fn has_everything(&self, client: ClientId) -> bool {
        let downloads = self.sim.downloads(client);
        self.is_text || self.files.iter().all(|(name, hash)| downloads.get(name) == Some(hash))
    }

    fn play(&mut self) -> Option<Outcome> {
        self.sim.run_for(Duration::from_secs(1));
        let code = self.send()?;
        for n in 0..self.times {
            let key = 10 + n as u8;
            let client = self.type_in(&code, key);
            self.receivers.push((client, key));
            self.pause(200);
        }
        if !self.is_calm {
            for _ in 0..self.rng.below(6) {
                self.trouble(&code);
                self.pause(2_000);
            }
        }
        self.sim.run_for(Duration::from_secs(5 * 60));
        Some(self.judge())
    }

    /// Guests are told of their parcel, and of nobody and nothing else.
    fn check_guests(&self) {
        for line in self.guests.iter().flat_map(|guest| self.sim.told(*guest)) {
            let of_others = matches!(
                line.event,
                Event::RosterUpdated(_) | Event::TableUpdated(_) | Event::Welcome(_) | Event::Introduced(_)
            );
            assert!(!of_others, "{}", line.event.name());
        }
    }

    fn judge(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for (client, _) in &self.receivers {
            match self.answer(*client) {
                Some(Event::ParcelReceived(received)) => {
                    assert!(self.has_everything(*client), "it was told to be here");
                    assert_eq!(received.text.as_deref(), self.is_text.then_some("soup"));
                    outcome.received += 1;
                }
                Some(_) => {}
                None => assert!(self.sim.ended(*client).is_some(), "a receiver waits for ever"),
            }
        }
        for client in &self.guessers {
            let Some(Event::Error(error)) = self.answer(*client) else { panic!("a guess is refused") };
            assert_ne!(error.code, ErrorCode::Internal);
            let found = |line: &potluck::protocol::EventLine| matches!(line.event, Event::ParcelFound(_));
            assert!(!self.sim.told(*client).iter().any(found) && self.sim.downloads(*client).is_empty());
        }
        let (mut claimed, mut delivered) = (0, 0);
        for line in self.sim.told(self.sender) {
            match &line.event {
                Event::ParcelClaimed(claim) => {
                    claimed += u64::from(!claim.again);
                    outcome.again |= claim.again;
                }
                Event::ParcelDelivered(_) => delivered += 1,
                _ => {}
            }
        }
        assert!(claimed <= self.times, "good for {} and not for {claimed}", self.times);
        let have = self.receivers.iter().filter(|(client, _)| self.has_everything(*client)).count() as u64;
        assert!(delivered <= have, "{delivered} were said to have it, and {have} do");
        match self.answer(self.sender) {
            Some(Event::ParcelSent(sent)) => {
                assert_eq!(sent.times, delivered);
                outcome.sent = true;
            }
            Some(Event::Error(error)) => outcome.guessed = error.code == ErrorCode::CodeGuessed,
            Some(other) => panic!("{}", other.name()),
            None => panic!("the sender waits for ever"),
        }
        if self.is_calm {
            assert_eq!((outcome.received as u64, delivered, outcome.sent), (self.times, self.times, true));
        }
        self.check_guests();
        outcome
    }
}

#[test]
fn parcels_arrive_whole_or_both_sides_are_told() {
    let played = play_seeds(SEEDS, |seed| Run::new(seed).play());
    if !all_are_played() {
        return;
    }
    let runs: Vec<Outcome> = played.into_iter().flatten().collect();
    let count = |which: fn(&Outcome) -> bool| runs.iter().filter(|run| which(run)).count();
    let (sent, guessed, again) = (count(|run| run.sent), count(|run| run.guessed), count(|run| run.again));
    let received: usize = runs.iter().map(|run| run.received).sum();
    assert!(sent > 80 && guessed > 20 && again > 5 && received > 120, "{sent} {guessed} {again} {received}");
}
