//! Parcels by a code: numbers are opened, and strangers knock, talk and hang up in any order, as members and as guests.

use std::collections::BTreeSet;

use potluck::core::Rng;
use potluck::core::hub::Input;
use potluck::protocol::wire::{Admit, Ask, CloseCode, HangUp, Knock, Meet, Octets, OpenCode, Purpose, Say};
use potluck::protocol::{Event, PublicKey};

use crate::hub::{KEYS, World};

/// What everybody knows of codes, since it is guessed soon enough.
#[derive(Default)]
pub struct Handovers {
    numbers: Vec<u32>,
    talks: Vec<u64>,
}

/// What one session knows of its conversations.
#[derive(Default)]
pub struct Talks(BTreeSet<u64>);

impl Handovers {
    /// Somebody was told of a number or of a conversation.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::CodeOpened(opened) => self.numbers.push(opened.nameplate),
            Event::Knocked(knocked) => self.talks.push(knocked.conversation),
            _ => {}
        }
    }

    /// Something about a parcel, mostly about numbers and conversations that there were of late.
    pub fn ask(&self, rng: &mut Rng, ask: u64) -> Ask {
        let recent = |rng: &mut Rng, len: usize| len.checked_sub(1 + [0, 0, 1, 2, 5][rng.below(5) as usize]);
        let number = recent(rng, self.numbers.len()).map_or(2 * rng.below(4) as u32, |at| self.numbers[at]);
        let talk = recent(rng, self.talks.len()).map_or(rng.below(3), |at| self.talks[at]);
        let key = |rng: &mut Rng| PublicKey([rng.below(KEYS) as u8; 32]);
        match rng.below(18) {
            0 | 1 => Ask::OpenCode(OpenCode { open_code: ask, nameplate: None, admitted: Vec::new() }),
            2 => {
                let admitted = (0..rng.below(3)).map(|_| key(rng)).collect();
                Ask::OpenCode(OpenCode { open_code: ask, nameplate: Some(number), admitted })
            }
            3 => Ask::CloseCode(CloseCode { close_code: number }),
            4..9 => {
                let share =
                    rng.chance(80).then(|| Octets(vec![7; if rng.chance(80) { 33 } else { rng.below(40) as usize }]));
                Ask::Knock(Knock { knock: number, ask, share })
            }
            9..12 => {
                let long = if rng.chance(2) { 40_000 } else { rng.below(40) as usize };
                Ask::Say(Say { say: talk, message: Octets(vec![1; long]) })
            }
            14 | 15 => {
                let purpose = Purpose::Content(crate::words::hash(rng));
                Ask::Meet(Meet { meet: key(rng), name: None, ask, purpose })
            }
            12 | 13 => Ask::Admit(Admit { admit: talk }),
            _ => Ask::HangUp(HangUp { hang_up: talk, guessed: rng.chance(30) }),
        }
    }
}

impl Talks {
    /// A session is told of its conversations: nothing of others, nothing after the end, and the end once.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::Knocked(knocked) => assert!(self.0.insert(knocked.conversation), "it begins once"),
            Event::KnockAnswered(answered) => assert!(self.0.insert(answered.conversation), "it begins once"),
            Event::Said(said) => assert!(self.0.contains(&said.conversation), "what is said is said to two"),
            Event::HungUp(over) => assert!(self.0.remove(&over.conversation), "it ends once"),
            _ => {}
        }
    }

    /// A conversation is over for whoever has hung up.
    pub fn hung_up(&mut self, talk: u64) {
        self.0.remove(&talk);
    }
}

/// What a guest may be told.
pub fn is_for_guests(event: &Event) -> bool {
    matches!(
        event,
        Event::CodeRefused(_)
            | Event::KnockAnswered(_)
            | Event::Admitted(_)
            | Event::KnockRefused(_)
            | Event::Said(_)
            | Event::HungUp(_)
            | Event::Meeting(_)
            | Event::MeetingPlaces(_)
            | Event::MeetingRefused(_)
            | Event::Error(_)
            | Event::Bye(_)
    )
}

impl World {
    /// Somebody who has said nothing yet asks whether a number is open.
    pub fn seek(&mut self, who: usize) {
        let Some(conn) = self.clients[who] else { return };
        let number = self.rng.below(12);
        let line = format!(r#"{{"seek":"potluck-seek/1","nameplate":{number}}}"#);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }
}
