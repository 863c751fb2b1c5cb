//! What the hub does when time passes: its timers, each with its reason.

use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure};

/// The timers of a hub. Of several that fire at one moment, the one that stands first here fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection has not said hello in time: it is turned away.
    Hello,
    /// A session has been without a name for too long: it ends.
    Nameless,
    /// A session's link sends again or gives its connection up, its grace ends, or its name is contested.
    Session(PeerId),
    /// Nobody has said in time that a message has arrived: its sender is answered that it is stored.
    Receipt,
    /// The store has been in trouble for long: messages that wait for it are given up.
    GiveUp,
    /// The next portion of a change of very many offers.
    Chores,
    /// The log is told how many more requests were refused.
    Refusals,
    /// What people have received is written down.
    Received,
    /// Old messages are forgotten.
    Trim,
    /// Changes of the table, the roster and rooms are told.
    Gather,
    /// Those who are fetching something hear who has more of it.
    Holders,
}

/// All timers but those of sessions.
const OWN: [Timer; 10] = [
    Timer::Hello,
    Timer::Nameless,
    Timer::Receipt,
    Timer::GiveUp,
    Timer::Chores,
    Timer::Refusals,
    Timer::Received,
    Timer::Trim,
    Timer::Gather,
    Timer::Holders,
];

impl Hub {
    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// How many sessions have a timer.
    pub(super) fn session_timers(&self) -> usize {
        self.timers.len() - OWN.iter().filter(|timer| self.timers.at(**timer).is_some()).count()
    }

    /// Does what is due, and sets all timers anew.
    pub(super) fn tick(&mut self, now: Time) {
        self.set_timers();
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(now, timer);
            self.set_timers();
        }
    }

    pub(super) fn set_timers(&mut self) {
        for timer in OWN {
            let at = self.due(timer);
            self.timers.set_or_stop(timer, at);
        }
    }

    fn due(&self, timer: Timer) -> Option<Time> {
        match timer {
            Timer::Hello => self.strangers.oldest().map(|(_, deadline)| deadline),
            Timer::Nameless => self.places.next_due(),
            Timer::Session(id) => self.timers.at(Timer::Session(id)),
            Timer::Receipt => self.awaiting.values().next().map(|awaiting| awaiting.deadline),
            Timer::GiveUp => self.health.give_up_at(),
            Timer::Chores => self.chores.due(),
            Timer::Refusals => self.refusals.due(),
            Timer::Received => self.flush_at,
            Timer::Trim => self.trim_at,
            Timer::Gather => self.gather_at,
            Timer::Holders => self.holders.news_at(),
        }
    }

    fn fire(&mut self, now: Time, timer: Timer) {
        match timer {
            Timer::Hello => {
                if let Some((conn, _)) = self.strangers.oldest().filter(|(_, deadline)| *deadline <= now) {
                    self.turn_away(conn, Failure::new(ErrorCode::WrongProtocol, "no hello within 10 s"));
                }
            }
            Timer::Nameless => self.end_nameless(now),
            Timer::Session(id) => self.session_due(now, id),
            Timer::Receipt => {
                if let Some(late) = self.awaiting.first_entry().filter(|first| first.get().deadline <= now) {
                    let (number, awaiting) = late.remove_entry();
                    self.answer_awaiting(now, number, awaiting, 0);
                }
            }
            Timer::GiveUp => self.give_up(),
            Timer::Chores => self.go_on_with_chores(now),
            Timer::Refusals => self.log_left_out(now),
            Timer::Received => self.flush_received(),
            Timer::Trim => self.trim(now),
            Timer::Gather => {
                self.gather_at = None;
                self.tell_changes_to_all(now);
                self.tell_all_room_news(now);
            }
            Timer::Holders => self.tell_news(now),
        }
    }
}
