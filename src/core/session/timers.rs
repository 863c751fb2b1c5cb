//! What a session waits for, and what it does when the time has come.
//!
//! A deadline follows from how the parts stand: it is read off after each input, so that no timer can be left over from
//! what is past.

use super::connection::Connection;
use super::{Output, Session};
use crate::core::time::Time;

/// The timers of a session. Of several that are due at one moment, the first here fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The pause after a connection that was lost is over: the hub is tried again.
    Reconnect,
    /// The hub has been connected to, and does not say hello.
    Hello,
    /// The link to the hub wants to acknowledge, to probe, or to be given up.
    Link,
    /// The session has taken as long as its user lets it.
    Limit,
    /// The hub had no time for us at its entrance, and is asked again.
    Enter,
    /// One of the direct connections waits for something.
    Peers,
    /// Places in the queue of downloads have changed since they were told.
    Places,
    /// We have said goodbye, and the hub does not answer.
    Goodbye,
    /// The hub is there, and owes an answer for too long.
    Answer,
    /// Hashing has held up for long enough what may go past it.
    Hashing,
    /// The hub has been lost for so long that those who wait for it should know.
    RequestsWait,
    /// The end has waited for so long that the user should know for what.
    EndWaits,
    /// Only pushes that nobody takes are left, and the end waits for them no longer.
    UntakenPushes,
    /// The end waits for a reader, who should know that, though they do not read.
    Unread,
}

impl Timer {
    const ALL: [Self; 14] = [
        Self::Reconnect,
        Self::Hello,
        Self::Link,
        Self::Limit,
        Self::Enter,
        Self::Peers,
        Self::Places,
        Self::Goodbye,
        Self::Answer,
        Self::Hashing,
        Self::RequestsWait,
        Self::EndWaits,
        Self::UntakenPushes,
        Self::Unread,
    ];
}

impl Session {
    /// Sets each timer to its deadline.
    pub(super) fn set_timers(&mut self, now: Time) {
        for timer in Timer::ALL {
            let deadline = if self.ended { None } else { self.deadline(now, timer) };
            self.timers.set_or_stop(timer, deadline);
        }
    }

    /// Until when a timer waits, as things stand.
    fn deadline(&self, now: Time, timer: Timer) -> Option<Time> {
        // What is said again and again, as long as it is true, needs no timer once its time has come.
        let later = |at: &Time| *at > now;
        match timer {
            Timer::Reconnect => self.connection.reconnects_at(),
            Timer::Hello => self.connection.hello_due(),
            Timer::Link => self.link.next_timeout().filter(|_| self.connection.is_up()),
            Timer::Limit => self.limit.deadline(),
            Timer::Enter => self.enters_at(),
            Timer::Peers => self.privates.peers.next_timeout(),
            Timer::Places => self.queue.places_due(),
            Timer::Goodbye => self.leaving.as_ref().map(|leaving| leaving.deadline),
            Timer::Answer => self.answer_due(),
            Timer::Hashing => self.hold_ends(),
            Timer::RequestsWait => self.requests_wait_until().filter(later),
            Timer::EndWaits => self.end_waits_until().filter(later),
            Timer::UntakenPushes => self.pushes_wait_until().filter(later),
            Timer::Unread => self.unread_until(),
        }
    }

    /// Does what timers are for whose time has come.
    pub(super) fn fire_timers(&mut self, now: Time) {
        self.set_timers(now);
        while let Some(timer) = self.timers.pop_due(now) {
            // An earlier one may have made it void.
            if !self.ended && self.deadline(now, timer).is_some_and(|at| at <= now) {
                self.fire(now, timer);
            }
        }
    }

    fn fire(&mut self, now: Time, timer: Timer) {
        match timer {
            Timer::Reconnect => {
                if let Connection::Pausing { lost, .. } = self.connection {
                    self.connection = Connection::Again { lost };
                    self.out.push_back(Output::Connect);
                }
            }
            Timer::Hello => self.lose(now, "the hub does not say hello".into()),
            Timer::Link => {
                if self.link.tick(now).is_err() {
                    let patience = self.config.link.patience().as_millis();
                    self.lose(now, format!("no answer for {patience} ms"));
                }
            }
            Timer::Limit => self.check_limit(now),
            Timer::Enter => self.enter_again(now),
            Timer::Peers => self.private_tick(now),
            Timer::Places => self.tell_places(now),
            Timer::Goodbye => {
                if let Some(leaving) = self.leaving.take() {
                    self.end_without_answer(now, leaving);
                }
            }
            Timer::Unread => self.say_unread(),
            // These are looked at after each input, so that a tick is enough.
            Timer::Answer | Timer::Hashing | Timer::RequestsWait | Timer::EndWaits | Timer::UntakenPushes => {}
        }
    }
}
