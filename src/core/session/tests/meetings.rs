//! Meetings that are asked for while the hub is there, lost, or was started again.

use super::*;
use crate::protocol::wire::{Meet, Purpose};

impl Rig {
    fn meet(&mut self, ask: u64) {
        let meet = Meet { meet: KEY.parse().unwrap(), name: None, ask, purpose: Purpose::Private };
        self.handle(Input::Meet(meet));
    }

    /// The asks for meetings that have come to the hub since this was looked at last.
    fn met(&mut self) -> Vec<u64> {
        let asks = self.asked.iter().filter_map(|ask| ask.get("meet").and_then(|_| ask["ask"].as_u64())).collect();
        self.asked.retain(|ask| ask.get("meet").is_none());
        asks
    }

    fn refuse_meeting(&mut self, ask: u64) {
        self.hub(&format!(r#"{{"event":"meeting-refused","ask":{ask},"code":"not-online","message":"No."}}"#));
    }
}

#[test]
fn what_was_asked_while_the_hub_was_lost_is_asked_once_it_is_back() {
    for resumed in [true, false] {
        let mut rig = Rig::welcomed(config());
        rig.meet(1);
        rig.meet(2);
        rig.refuse_meeting(1);
        assert_eq!(rig.met(), [1, 2]);
        rig.handle(Input::Disconnected("gone".into()));
        rig.meet(3);
        rig.pass(1_000);
        rig.meet(4);
        assert!(rig.met().is_empty());
        rig.connect(resumed);
        if !resumed {
            assert!(rig.met().is_empty(), "it does not know us yet");
            rig.meet(5);
            rig.welcome("anna");
        }
        // What a hub knows of that still remembers us is not asked twice.
        assert_eq!(rig.met(), if resumed { vec![3, 4] } else { vec![2, 3, 4, 5] });
        rig.meet(6);
        assert_eq!((rig.met(), rig.meetings.len()), (vec![6], 1));
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_not_asked() {
    for resumed in [true, false] {
        let mut rig = Rig::welcomed(config());
        rig.meet(1);
        assert_eq!(rig.met(), [1]);
        rig.handle(Input::Disconnected("gone".into()));
        rig.meet(2);
        rig.pass(6_000);
        rig.connect(resumed);
        if !resumed {
            rig.welcome("anna");
        }
        assert!(rig.met().is_empty());
    }
}
