//! The link: a reliable, ordered stream of frames over connections that come and go.
//!
//! A connection delivers frames in order or breaks. The link numbers each body, keeps it until the other side has
//! acknowledged it, and sends unacknowledged bodies again over the next connection. So bodies arrive in order, each
//! exactly once, as long as both sides keep their [`Link`] object.
//!
//! Silence is detected by probes. If something is unanswered for `ack_timeout`, a probe is sent; after `retries` probes
//! without a sign of life the link is lost. Anything that arrives is a sign of life. An idle link is probed every
//! `keep_alive`.
//!
//! A client's session has one to its hub, the hub one for each session, and [`Peers`](super::Peers) one for each direct
//! connection. Bodies to send and the heads of received frames go in; frames to send, and whether a received body is
//! new, come out. The connections themselves belong to the caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::time::Time;
use super::timers::Timers;
use crate::protocol::limits::{LINK_BYTES, LINK_FRAMES, LINK_STATE_BYTES};
use crate::protocol::wire::Frame;

/// How long an acknowledgement waits for a frame that can carry it.
const ACK_DELAY: Duration = Duration::from_millis(20);

/// The timing of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkConfig {
    /// How long an acknowledgement may take before a probe is sent.
    pub ack_timeout: Duration,
    /// How many probes are sent before the link counts as lost.
    pub retries: u32,
    /// How long a link may be idle before it is probed.
    pub keep_alive: Duration,
}

impl LinkConfig {
    /// The hub's timing. A client that falls silent is noticed at most 1.9 s after its last frame: 400 ms until the
    /// keep-alive probe, 500 ms for its answer, and 500 ms for the answer to each of the 2 retries.
    pub fn hub() -> Self {
        Self { ack_timeout: Duration::from_millis(500), retries: 2, keep_alive: Duration::from_millis(400) }
    }

    /// The client's timing. Its keep-alive only matters if the hub's probes do not arrive.
    pub fn client() -> Self {
        Self { keep_alive: Duration::from_millis(700), ..Self::hub() }
    }

    /// The longest silence before the link counts as lost.
    pub fn patience(&self) -> Duration {
        self.ack_timeout * (self.retries + 1)
    }
}

/// Why a link cannot go on: the other side has violated the protocol, or acknowledges too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// The number of a body is not the next one.
    #[error("a frame is missing before number {0}")]
    Missing(u64),
    /// It acknowledged a number that was never sent.
    #[error("frame {0} was acknowledged but never sent")]
    NeverSent(u64),
    /// Our queue of unacknowledged bodies is full: [`LINK_FRAMES`] or [`LINK_BYTES`].
    #[error("more is unacknowledged than a link keeps")]
    Overflow,
}

/// No sign of life after all probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLost;

struct Unacked {
    number: u64,
    sent: Time,
    body: Arc<str>,
}

/// The timers of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The acknowledgement has waited long enough for a frame to carry it, and is sent alone.
    Acknowledge,
    /// The other side has been silent too long: it is probed, or the link is lost.
    Silence,
}

/// One end of a link.
pub struct Link {
    config: LinkConfig,
    up: bool,
    last_number: u64,
    received: u64,
    unacked: VecDeque<Unacked>,
    unacked_bytes: usize,
    /// How many of `unacked`, from the front, were sent over the present connection.
    sent: usize,
    heard: Time,
    /// When a probe was sent while nothing else was unanswered.
    asked: Option<Time>,
    probes: u32,
    last_probe: Time,
    probe_now: bool,
    /// No timer is set while there is no connection.
    timers: Timers<Timer>,
}

impl Link {
    /// A new link, which has no connection yet.
    pub fn new(config: LinkConfig) -> Self {
        Self {
            config,
            up: false,
            last_number: 0,
            received: 0,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            sent: 0,
            heard: Time(0),
            asked: None,
            probes: 0,
            last_probe: Time(0),
            probe_now: false,
            timers: Timers::default(),
        }
    }

    /// The number of the last body received. The caller puts it into its hello, so that the other side knows from where
    /// to send again.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The number of the last body that the other side has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.last_number - self.unacked.len() as u64
    }

    /// The number of the last body that was given to the link.
    pub fn last_sent(&self) -> u64 {
        self.last_number
    }

    /// The bytes of unacknowledged bodies.
    pub fn unacked_bytes(&self) -> usize {
        self.unacked_bytes
    }

    /// Whether the link takes a state now. If not, the caller should wait, and send a newer state instead.
    pub fn takes_state(&self) -> bool {
        self.up && self.unacked_bytes < LINK_STATE_BYTES
    }

    /// Uses a new connection. `peer_received` is the number from the other side's hello; unacknowledged bodies after it
    /// are sent again. Fails with [`LinkFault::NeverSent`].
    pub fn attach(&mut self, now: Time, peer_received: u64) -> Result<(), LinkFault> {
        self.acknowledge(peer_received)?;
        self.up = true;
        self.sent = 0;
        self.timers.stop(Timer::Acknowledge);
        self.hear(now);
        self.watch_silence();
        Ok(())
    }

    /// The connection has gone.
    pub fn detach(&mut self) {
        self.up = false;
        self.probe_now = false;
        self.timers.clear();
    }

    /// Queues a body for the other side, or fails with [`LinkFault::Overflow`].
    pub fn send(&mut self, now: Time, body: Arc<str>) -> Result<(), LinkFault> {
        if self.unacked.len() >= LINK_FRAMES || self.unacked_bytes + body.len() > LINK_BYTES.max(body.len()) {
            return Err(LinkFault::Overflow);
        }
        self.last_number += 1;
        self.unacked_bytes += body.len();
        self.unacked.push_back(Unacked { number: self.last_number, sent: now, body });
        Ok(())
    }

    /// Handles the head of a received frame. Returns whether its body is new and must be handled.
    pub fn receive(&mut self, now: Time, number: Option<u64>, ack: u64, probe: bool) -> Result<bool, LinkFault> {
        self.acknowledge(ack)?;
        self.hear(now);
        self.watch_silence();
        if probe {
            self.acknowledge_by(now);
        }
        let Some(number) = number else { return Ok(false) };
        if number > self.received + 1 {
            return Err(LinkFault::Missing(number));
        }
        let new = number == self.received + 1;
        self.received = self.received.max(number);
        let due = if new { now + ACK_DELAY } else { now };
        self.acknowledge_by(due);
        Ok(new)
    }

    /// Probes the other side now.
    pub fn probe(&mut self, now: Time) {
        self.probe_now = true;
        self.asked.get_or_insert(now);
        self.watch_silence();
    }

    /// The next frame to send over the connection.
    pub fn poll(&mut self, now: Time) -> Option<Frame> {
        if !self.up {
            return None;
        }
        let body = self.unacked.get_mut(self.sent).map(|frame| {
            frame.sent = now;
            (frame.number, frame.body.clone())
        });
        let ack_now = self.timers.is_due(Timer::Acknowledge, now);
        if body.is_none() && !ack_now && !self.probe_now {
            return None;
        }
        self.sent += usize::from(body.is_some());
        self.timers.stop(Timer::Acknowledge);
        self.watch_silence();
        Some(Frame { body, ack: self.received, probe: std::mem::take(&mut self.probe_now) })
    }

    /// When [`Link::tick`] must be called at the latest.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Handles the timers that are due.
    pub fn tick(&mut self, now: Time) -> Result<(), LinkLost> {
        if !self.timers.is_due(Timer::Silence, now) {
            return Ok(());
        }
        if self.waiting_since().is_none() {
            self.probe(now);
            return Ok(());
        }
        if self.probes >= self.config.retries {
            return Err(LinkLost);
        }
        self.probes += 1;
        self.last_probe = now;
        self.probe_now = true;
        self.watch_silence();
        Ok(())
    }

    /// Makes sure that received bodies are acknowledged at this time at the latest.
    fn acknowledge_by(&mut self, due: Time) {
        if self.up {
            let due = self.timers.at(Timer::Acknowledge).map_or(due, |other| other.min(due));
            self.timers.set(Timer::Acknowledge, due);
        }
    }

    /// Sets the timer for the next probe, or for the loss of the link.
    fn watch_silence(&mut self) {
        if self.up {
            self.timers.set(Timer::Silence, self.silence_ends());
        }
    }

    /// Since when something has been unanswered.
    fn waiting_since(&self) -> Option<Time> {
        let frame = self.unacked.front().filter(|_| self.sent > 0).map(|frame| frame.sent);
        let since = match (frame, self.asked) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(since.max(self.heard))
    }

    /// When the present silence must lead to a probe, or to the loss of the link. Each probe is timed from the one
    /// before: after a pause of the whole process, the other side still gets its time for each.
    fn silence_ends(&self) -> Time {
        match self.waiting_since() {
            None => self.heard + self.config.keep_alive,
            Some(since) if self.probes == 0 => since + self.config.ack_timeout,
            Some(_) => self.last_probe + self.config.ack_timeout,
        }
    }

    fn hear(&mut self, now: Time) {
        self.heard = now;
        self.asked = None;
        self.probes = 0;
    }

    fn acknowledge(&mut self, ack: u64) -> Result<(), LinkFault> {
        if ack > self.last_number {
            return Err(LinkFault::NeverSent(ack));
        }
        while let Some(frame) = self.unacked.pop_front_if(|frame| frame.number <= ack) {
            self.unacked_bytes -= frame.body.len();
            self.sent = self.sent.saturating_sub(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Time {
        Time(millis * 1_000)
    }

    fn attached() -> Link {
        let mut link = Link::new(LinkConfig::hub());
        link.attach(ms(0), 0).unwrap();
        link
    }

    #[test]
    fn an_unanswered_frame_is_probed_twice_and_then_lost() {
        let mut link = attached();
        link.send(ms(0), "a".into()).unwrap();
        assert_eq!(link.poll(ms(0)).unwrap().body.unwrap().0, 1);
        for at in [500, 1_000] {
            assert_eq!(link.next_timeout(), Some(ms(at)));
            link.tick(ms(at)).unwrap();
            assert!(link.poll(ms(at)).unwrap().probe);
        }
        assert_eq!(link.next_timeout(), Some(ms(1_500)));
        assert_eq!(link.tick(ms(1_500)), Err(LinkLost));
    }

    #[test]
    fn silence_is_probed_and_any_sign_of_life_ends_the_count() {
        let mut link = attached();
        assert_eq!(link.next_timeout(), Some(ms(400)));
        link.tick(ms(400)).unwrap();
        assert!(link.poll(ms(400)).unwrap().probe);
        link.tick(ms(900)).unwrap();
        link.receive(ms(950), None, 0, false).unwrap();
        assert_eq!(link.next_timeout(), Some(ms(1_350)));
    }

    #[test]
    fn a_pause_of_the_process_does_not_lose_the_link_at_once() {
        let mut link = attached();
        link.send(ms(0), "a".into()).unwrap();
        link.poll(ms(0));
        link.tick(ms(60_000)).unwrap();
        link.tick(ms(60_001)).unwrap();
        assert_eq!(link.next_timeout(), Some(ms(60_500)));
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_and_seen_once() {
        let (mut a, mut b) = (attached(), attached());
        for body in ["1", "2", "3"] {
            a.send(ms(0), body.into()).unwrap();
        }
        for _ in 0..2 {
            let frame = a.poll(ms(1)).unwrap();
            assert!(b.receive(ms(1), frame.body.map(|b| b.0), frame.ack, frame.probe).unwrap());
        }
        a.detach();
        b.detach();
        a.attach(ms(9), 1).unwrap();
        b.attach(ms(9), 0).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = a.poll(ms(9)) {
            let number = frame.body.unwrap().0;
            seen.push((number, b.receive(ms(9), Some(number), frame.ack, frame.probe).unwrap()));
        }
        assert_eq!(seen, [(2, false), (3, true)]);
        assert_eq!(b.received(), 3);
    }

    #[test]
    fn faults_are_named() {
        let mut link = attached();
        assert_eq!(link.receive(ms(0), Some(2), 0, false), Err(LinkFault::Missing(2)));
        assert_eq!(link.receive(ms(0), None, 1, false), Err(LinkFault::NeverSent(1)));
        let mut sent = 0;
        while link.send(ms(0), "x".repeat(1 << 16).into()).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, LINK_BYTES >> 16);
    }

    #[test]
    fn an_acknowledgement_travels_with_the_next_frame_or_alone_a_little_later() {
        let mut link = attached();
        link.receive(ms(5), Some(1), 0, false).unwrap();
        assert_eq!(link.poll(ms(5)), None);
        assert_eq!(link.next_timeout(), Some(ms(25)));
        assert_eq!(link.poll(ms(25)).unwrap(), Frame { body: None, ack: 1, probe: false });
    }
}
