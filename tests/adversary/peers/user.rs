//! What the user does: asks for connections and talks on them, and reads or does not.

use potluck::protocol::limits::PRIVATE_EACH;
use potluck::protocol::name::NameKey;

use super::World;
use crate::far::NAMES;

impl World {
    pub(super) fn user(&mut self) {
        let who = self.rng.below(4) as usize;
        let Some(whom) = self.roster[who].clone().filter(|_| self.here) else { return };
        let of = |(to, _): &&(usize, bool)| *to == who;
        match self.rng.below(8) {
            0 => drop(self.peers.close(self.now, &NameKey::of(NAMES[who]))),
            1 => {
                let ticket = self.peers.open(self.now, whom).unwrap();
                self.open.insert(ticket, (who, false));
            }
            2..4 if self.peers.is_open(&NameKey::of(NAMES[who])) => {
                let ticket = self.peers.round_trip(self.now, whom).unwrap();
                self.open.insert(ticket, (who, true));
            }
            // As the session does.
            _ if self.open.values().filter(of).count() < PRIVATE_EACH => {
                let text = "x".repeat([1, 100, 16 << 10][self.rng.below(3) as usize]);
                let ticket = self.peers.send(self.now, whom, text).unwrap();
                self.open.insert(ticket, (who, true));
            }
            _ => {}
        }
        self.drain();
    }

    /// The user has some of what was said, or it is held back, or cannot be shown.
    pub(super) fn reader(&mut self) {
        if self.unread.is_empty() {
            return;
        }
        let some = 1 + self.rng.below(self.unread.len() as u64) as usize;
        match self.rng.below(10) {
            0 => {
                let (name, link, _) = self.unread.pop().unwrap();
                self.peers.unheard(self.now, &name, link);
            }
            1..=3 => {
                for (name, link, number) in self.unread.clone().into_iter().take(some) {
                    self.peers.held(self.now, &name, link, number);
                }
            }
            _ => {
                for (name, link, number) in self.unread.drain(..some).collect::<Vec<_>>() {
                    self.peers.had(self.now, &name, link, number);
                }
            }
        }
        // Of links that never were.
        if self.rng.chance(5) {
            self.peers.had(self.now, &NameKey::of("ben"), self.rng.below(9), self.rng.below(99));
        }
        self.drain();
    }
}
