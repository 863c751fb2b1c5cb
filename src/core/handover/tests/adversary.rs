//! Anything, in any order: nobody panics, a code is good for no more than it may be, and whoever does not know the words
//! is never served.

use super::*;
use crate::core::time::Rng;

const CONVERSATIONS: u64 = 6;

struct World {
    rng: Rng,
    sender: Sender,
    times: u64,
    /// Whether its process was killed when its code was good for nobody any more.
    is_over: bool,
    /// How often a step is not what an honest hub would do, in percent.
    hostility: u64,
    /// The receivers: every other one has typed other words.
    receivers: Vec<Receiver>,
    /// In which conversation each receiver is, as the hub says.
    talks: Vec<u64>,
    /// Everything that was ever said.
    heard: Vec<Vec<u8>>,
}

fn key(receiver: usize) -> PublicKey {
    PublicKey([100 + receiver as u8; 32])
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let times = 1 + rng.below(3);
        let sender = Sender::new(times);
        let wrong = Code::new(NAMEPLATE, 0x1234);
        let code = |n: usize| if n.is_multiple_of(2) { sender.code.clone() } else { wrong.clone() };
        let receivers = (0..4).map(|n| Receiver::new(Time(0), key(n), &code(n), None)).collect();
        let hostility = [1, 5, 50][rng.below(3) as usize];
        Self {
            rng,
            sender,
            times,
            is_over: false,
            hostility,
            receivers,
            talks: vec![0; 4],
            heard: vec![vec![], vec![0; 32], vec![0; 33]],
        }
    }

    fn message(&mut self) -> Vec<u8> {
        let mut message = self.heard[self.rng.below(self.heard.len() as u64) as usize].clone();
        if self.rng.chance(20) && !message.is_empty() {
            let at = self.rng.below(message.len() as u64) as usize;
            message[at] ^= 1 << self.rng.below(8);
        }
        message
    }

    fn step(&mut self) {
        let who = self.rng.below(4) as usize;
        let conversation = self.rng.below(CONVERSATIONS);
        match if self.rng.chance(self.hostility) { 4 + self.rng.below(8) } else { self.rng.below(4) } {
            // What an honest hub does, mostly.
            0 => {
                if let Some(share) = self.receivers[who].knock() {
                    self.heard.extend(share.clone());
                    let honest = !self.rng.chance(self.hostility);
                    let (ours, theirs) = if honest { (SENDER, key(who)) } else { (key(3 - who), SENDER) };
                    self.talks[who] = conversation;
                    self.receivers[who].answered(conversation, ours);
                    self.sender.knocked(conversation, theirs, share);
                }
            }
            1..=3 => {
                let conversation = self.talks[who];
                if self.receivers[who].has_found() && self.rng.chance(10) {
                    complete(&mut self.receivers[who]);
                }
                if let Some(message) = self.receivers[who].hear() {
                    self.heard.push(message.clone());
                    self.sender.says(conversation, &message);
                }
                while let Some(message) = self.sender.hear(conversation) {
                    self.heard.push(message.clone());
                    self.receivers[who].says(&message);
                }
            }
            4 => {
                let message = self.message();
                self.sender.says(conversation, &message);
            }
            5 => {
                let message = self.message();
                self.receivers[who].says(&message);
            }
            6 => {
                let (share, theirs) = (self.message(), key(self.rng.below(4) as usize));
                let share = if self.rng.chance(50) { Some(share) } else { None };
                self.sender.knocked(conversation, theirs, share);
            }
            7 => self.sender.gone(conversation),
            8 => {
                let gone = self.rng.chance(70);
                self.receivers[who].does(|receiving, now, _| receiving.hung_up(now, gone));
            }
            9 => {
                complete(&mut self.receivers[who]);
                if self.rng.chance(20) {
                    self.sender.does(|sending, _, _| sending.hub_has_forgotten());
                    self.receivers[who].does(|receiving, now, _| receiving.hub_has_forgotten(now));
                    self.receivers[who].does(|receiving, now, _| receiving.hub_is_back(now));
                }
            }
            _ => {
                self.is_over |= self.rng.chance(30) && !self.sender.is_killed();
                let seconds = self.rng.below(12);
                self.sender.pass(seconds);
                self.receivers[who].pass(seconds);
                if self.rng.chance(30) {
                    let code = [ErrorCode::NoSuchCode, ErrorCode::CodeBusy, ErrorCode::TooMany];
                    self.receivers[who].refused(code[self.rng.below(3) as usize]);
                }
            }
        }
    }

    fn check(&self) {
        let fresh = self.sender.admitted.iter().filter(|(_, _, _, again)| !again).count() as u64;
        assert!(fresh <= self.times, "a code is good for {} and not for {fresh}", self.times);
        for (_, served, ..) in &self.sender.admitted {
            let typed_right = (0..4).step_by(2).any(|n| key(n) == *served);
            assert!(typed_right, "served without the words");
        }
        assert!((1..4).step_by(2).all(|n| !self.receivers[n].has_found()), "found without the words");
        assert!(self.sender.sending.received() <= self.times);
        let open = self.sender.sending.admitted().len() as u64;
        assert!(open <= self.times, "places that are kept: {open}");
    }
}

#[test]
fn anything_in_any_order() {
    let (mut found, mut delivered, mut guessed) = (0, 0, 0);
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..60 {
            world.step();
            world.check();
            if world.is_over {
                break;
            }
        }
        found += world.receivers.iter().filter(|receiver| receiver.has_found()).count();
        delivered += world.sender.delivered.len();
        guessed += usize::from(world.sender.failure() == Some(ErrorCode::CodeGuessed));
    }
    assert!(found > 5 && delivered > 3 && guessed > 5, "found {found}, delivered {delivered}, guessed {guessed}");
}
