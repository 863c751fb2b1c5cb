//! The connection to the hub: made, lost, made again.

use std::collections::VecDeque;
use std::time::Duration;

use super::farewell::{farewell, wrong_protocol};
use super::requests::Mark;
use super::{Again, Event, EventLine, Leaving, Origin, Output, Session};
use crate::core::link::Link;
use crate::core::time::Time;
use crate::protocol::wire::{Ask, ClientHello, FrameIn, HubHello, LINK_PROTOCOL, Publish};
use crate::protocol::{ErrorCode, Failure, Id, RequestLine, event, request, to_json};

/// What this program can do, for whoever reads `ready`.
const CAPABILITIES: [&str; 8] = ["files", "folders", "search", "push", "messages", "rooms", "private", "history"];

/// How long the hub may take to answer a hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(4);

/// The pause before the first try to reconnect, and the longest one. Each is twice the one before, and
/// half of it is chance, so that the clients of a restarted hub do not come all at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A link that lives so long is no part of the outage before it.
const STEADY: Duration = Duration::from_secs(10);

/// How it stands with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Connection {
    /// Being made for the first time.
    #[default]
    First,
    /// The hello has been said.
    Greeting { deadline: Time, lost: Option<Outage> },
    /// Carrying the link, since then; so many tries were in vain before.
    Up { since: Time, tries: u32 },
    /// The next try is at a moment.
    Pausing { until: Time, lost: Outage },
    /// Being made again.
    Again { lost: Outage },
}

/// An outage: since when, and how many tries were in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) since: Time,
    tries: u32,
}

impl Connection {
    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// When the hub must have said hello.
    pub(super) fn hello_due(&self) -> Option<Time> {
        match self {
            Self::Greeting { deadline, .. } => Some(*deadline),
            Self::First | Self::Up { .. } | Self::Pausing { .. } | Self::Again { .. } => None,
        }
    }

    /// When a lost hub is tried again.
    pub(super) fn reconnects_at(&self) -> Option<Time> {
        match self {
            Self::Pausing { until, .. } => Some(*until),
            Self::First | Self::Greeting { .. } | Self::Up { .. } | Self::Again { .. } => None,
        }
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        match self {
            Self::First | Self::Up { .. } => None,
            Self::Greeting { lost, .. } => *lost,
            Self::Pausing { lost, .. } | Self::Again { lost } => Some(*lost),
        }
    }
}

impl Session {
    pub(super) fn start(&mut self, now: Time) {
        let config = &self.config;
        let ready = event::Ready {
            protocol: crate::protocol::wire::USER_PROTOCOL.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            name: config.name.clone(),
            hub: config.hub.clone(),
            capabilities: CAPABILITIES.map(String::from).into(),
            settings: config.settings.clone(),
        };
        self.tell(now, ready);
        self.out.push_back(Output::Connect);
        self.start_limit(now);
    }

    pub(super) fn greet(&mut self, now: Time) {
        let hello = ClientHello {
            hello: LINK_PROTOCOL.into(),
            session: self.session.clone(),
            received: if self.session.is_some() { self.link.received() } else { 0 },
            port: self.config.settings.port,
            link_port: self.config.settings.link_port,
            instance: format!("{:016x}", self.config.seed),
            asked: self.next_ask - 1,
            invite: self.config.invite.clone(),
            follow: self.config.follow,
        };
        self.out.push_back(Output::Say(to_json(&hello)));
        self.connection = Connection::Greeting { deadline: now + HELLO_TIMEOUT, lost: self.connection.outage() };
    }

    pub(super) fn connect_failed(&mut self, now: Time, failure: Failure) {
        match self.connection.outage() {
            // Another key is not an outage: nothing may be sent there, now or later.
            Some(lost) if failure.code != ErrorCode::HubKeyChanged => self.pause(now, lost),
            _ => self.give_up(now, failure),
        }
    }

    fn pause(&mut self, now: Time, lost: Outage) {
        if now - lost.since >= self.config.give_up {
            let seconds = (now - lost.since).as_secs();
            let failure = Failure::new(ErrorCode::HubLost, format!("The hub has not answered for {seconds} s."));
            return self.give_up(now, failure);
        }
        let pause = (FIRST_PAUSE * 2u32.pow(lost.tries.min(16))).min(LONGEST_PAUSE);
        let half = pause / 2;
        let jitter = Duration::from_micros(self.rng.below(half.as_micros() as u64 + 1));
        let lost = Outage { tries: lost.tries + 1, ..lost };
        let until = (now + half + jitter).min(lost.since + self.config.give_up);
        self.connection = Connection::Pausing { until, lost };
    }

    /// The connection broke, or the hub is silent.
    pub(super) fn lose(&mut self, now: Time, reason: String) {
        if let Some(leaving) = self.leaving.take() {
            return self.end_without_answer(now, leaving);
        }
        self.out.push_back(Output::Disconnect);
        match self.connection {
            Connection::Up { since, tries } => {
                self.link.detach();
                self.settled = false;
                self.tell(now, event::HubLost { reason });
                // A hub that drops every link soon is tried less and less often.
                let tries = if now - since >= STEADY { 0 } else { tries };
                self.pause(now, Outage { since: now, tries });
                self.quit_without_hub(now);
            }
            Connection::Greeting { lost: Some(lost), .. } => self.pause(now, lost),
            Connection::Greeting { lost: None, .. } | Connection::First => {
                self.give_up(
                    now,
                    Failure::new(ErrorCode::HubUnreachable, format!("The hub closed the connection: {reason}.")),
                );
            }
            Connection::Pausing { .. } | Connection::Again { .. } => {}
        }
    }

    pub(super) fn hub_line(&mut self, now: Time, line: &[u8]) {
        let result = match self.connection {
            Connection::Greeting { lost, .. } => self.hub_hello(now, lost, line),
            Connection::Up { .. } => self.hub_frame(now, line),
            // A line that was on its way when the connection was given up.
            Connection::First | Connection::Pausing { .. } | Connection::Again { .. } => Ok(()),
        };
        match (result, self.connection) {
            (Ok(()), _) => {}
            // A hub that is restarted, or full for a moment, may be back soon.
            (Err(failure), Connection::Up { .. }) if failure.code == ErrorCode::HubStopping => {
                self.lose(now, failure.message.into())
            }
            (Err(failure), Connection::Greeting { lost: Some(lost), .. })
                if matches!(failure.code, ErrorCode::HubStopping | ErrorCode::HubFull) =>
            {
                self.out.push_back(Output::Disconnect);
                self.pause(now, lost);
            }
            (Err(failure), _) => self.give_up(now, failure),
        }
    }

    fn hub_hello(&mut self, now: Time, lost: Option<Outage>, line: &[u8]) -> Result<(), Failure> {
        let hello: HubHello = match serde_json::from_slice(line) {
            Ok(hello) => hello,
            Err(e) => return Err(farewell(line).unwrap_or_else(|| wrong_protocol(e))),
        };
        if hello.hello != LINK_PROTOCOL {
            return Err(ErrorCode::WrongProtocol.into());
        }
        let fresh = !hello.resumed || self.session.as_ref() != Some(&hello.session);
        if fresh {
            self.link = Link::new(self.config.link);
            self.session = Some(hello.session);
            // Another run of the hub counts its revisions from the start.
            self.replica.revision = 0;
        }
        let received = if fresh { 0 } else { hello.received };
        self.link.attach(now, received).map_err(|e| Failure::new(ErrorCode::WrongProtocol, e.to_string()))?;
        self.connection = Connection::Up { since: now, tries: lost.map_or(0, |lost| lost.tries) };
        match (lost, fresh) {
            (Some(lost), false) => {
                self.settled = !self.is_entering() && self.again.is_none();
                self.tell(now, event::HubBack { resumed: true, away: (now - lost.since).as_millis() as u64 });
            }
            (lost, _) => self.enter(now, lost),
        }
        Ok(())
    }

    /// The hub does not know us (any more).
    fn enter(&mut self, now: Time, lost: Option<Outage>) {
        self.ask_anew();
        self.holdings.untell();
        self.entry.start_over();
        self.pushes.forget_offered();
        self.running.values_mut().for_each(|running| running.push = None);
        if lost.is_some() {
            self.void_push_answers();
        }
        self.again = None;
        // A hub that was restarted counts anew.
        self.replica.revision = 0;
        self.privates.peers.forget_numbers();
        let first = self.registered.is_none() && self.parted.is_none();
        let name = self.registered.clone().or(first.then(|| self.config.name.clone()));
        if let Some(lost) = lost {
            self.tell(now, event::HubBack { resumed: false, away: (now - lost.since).as_millis() as u64 });
        }
        match name {
            Some(name) => {
                let origin = if first { Origin::Enter } else { Origin::Return };
                let request = match self.config.password.clone().filter(|_| first) {
                    Some(password) => request::Login { name, password }.into(),
                    None => request::Register { name }.into(),
                };
                self.ask(now, request, origin);
            }
            None => self.ask_again(now),
        }
    }

    /// The hub knows us again: it is told what it has forgotten.
    pub(super) fn ask_again(&mut self, now: Time) {
        let pieces = if self.registered.is_some() { self.pieces() } else { VecDeque::new() };
        self.again = Some(Again { pieces, then_ask: true });
        self.offer_next(now);
    }

    /// We are back in the table, and so are our offers before anything else is asked.
    pub(super) fn offer_again(&mut self, now: Time) {
        self.settled = false;
        self.again = Some(Again { pieces: self.pieces(), then_ask: false });
        self.offer_next(now);
    }

    /// The next piece of what is offered again. One at a time: the link does not hold all that may be offered.
    pub(super) fn offer_next(&mut self, now: Time) {
        let Some(again) = &mut self.again else { return };
        if let Some((publish, keep)) = again.pieces.pop_front() {
            let id = self.next_ask;
            self.next_ask += 1;
            let ask = Ask::Publish(Publish { id, publish, more: 0, keep });
            self.send(now, ask.to_body());
            self.asks.insert(id, (ask, Origin::OfferAgain));
            return;
        }
        let bodies: Vec<_> = match again.then_ask {
            true => self.asks.values().map(|(ask, _)| ask.to_body()).collect(),
            false => Vec::new(),
        };
        self.again = None;
        self.settled = true;
        for body in bodies {
            self.send(now, body);
        }
        if self.registered.is_some() {
            self.push_again(now);
        }
    }

    /// Passes a request on to the hub under a number of ours.
    pub(super) fn ask(&mut self, now: Time, request: crate::protocol::Request, origin: Origin) {
        let id = self.next_ask;
        self.next_ask += 1;
        let ask = Ask::Request(RequestLine { id: Some(Id::Number(id)), request });
        self.send(now, ask.to_body());
        self.asks.insert(id, (ask, origin));
    }

    pub(super) fn send(&mut self, now: Time, body: std::sync::Arc<str>) {
        if let Err(fault) = self.link.send(now, body) {
            self.give_up(now, Failure::new(ErrorCode::TooSlow, fault.to_string()));
        }
    }

    fn hub_frame(&mut self, now: Time, line: &[u8]) -> Result<(), Failure> {
        let frame: FrameIn<'_> = match serde_json::from_slice(line) {
            Ok(frame) => frame,
            Err(e) => return Err(farewell(line).unwrap_or_else(|| wrong_protocol(e))),
        };
        let fault = |e: crate::core::LinkFault| Failure::new(ErrorCode::WrongProtocol, e.to_string());
        let new = self.link.receive(now, frame.n, frame.ack, frame.probe).map_err(fault)?;
        if let (true, Some(body)) = (new, frame.body)
            && let Some(line) = EventLine::parse(body.get()).map_err(wrong_protocol)?
        {
            self.hub_event(now, line);
        }
        Ok(())
    }

    /// Nothing more can be had from the hub: every request fails, and the program ends.
    pub(super) fn give_up(&mut self, now: Time, failure: Failure) {
        if self.ended {
            return;
        }
        let quit = self.leaving.take().filter(|leaving| leaving.asked_for).map(|leaving| leaving.id);
        // What fails is told once: to those who have asked, or to whom it may concern.
        if !self.abandon(now, &failure) {
            self.tell(now, event::Error::from(failure.clone()));
        }
        // The failure has said the rest.
        self.end(now, failure.code.in_short(), failure.code.exit(), quit);
    }

    /// Leaves the hub, then ends.
    pub(super) fn leave(&mut self, now: Time, reason: String, code: u8, id: Mark, asked_for: bool) {
        if self.leaving.is_some() || self.ended {
            return;
        }
        self.close_privates(now);
        if !self.connection.is_up() {
            return self.end(now, reason, code, asked_for.then_some(id));
        }
        // What has waited is told before the end.
        self.release(now);
        let waits_for_output = !self.is_all_written();
        // Who wants to end now does not wait long for a slow reader; who has come to the end does.
        let deadline =
            if waits_for_output && !self.hurried { Time(u64::MAX) } else { now + self.config.link.patience() };
        self.leaving = Some(Leaving { reason, code, id, asked_for, waits_for_output, deadline });
        match waits_for_output {
            true => self.waits.end_unread(now),
            false => self.say_goodbye(now),
        }
    }

    pub(super) fn say_goodbye(&mut self, now: Time) {
        self.ask(now, request::Quit { now: false }.into(), Origin::Goodbye);
    }

    pub(super) fn goodbye_answered(&mut self, now: Time) {
        if let Some(Leaving { reason, code, id, asked_for, .. }) = self.leaving.take() {
            self.end(now, reason, code, asked_for.then_some(id));
        }
    }

    /// Only the goodbye was not answered: what was asked had its answer before.
    pub(super) fn end_without_answer(&mut self, now: Time, leaving: Leaving) {
        let reason = format!("{}; the hub does not answer", leaving.reason);
        self.end(now, reason, leaving.code, leaving.asked_for.then_some(leaving.id));
    }

    /// The last event. If a request asked for it, it is that request's answer. What was asked after that request
    /// is not begun, but it is answered.
    fn end(&mut self, now: Time, reason: String, code: u8, answers: Option<Mark>) {
        self.release(now);
        self.abandon(now, &Failure::new(ErrorCode::Interrupted, "Potluck has ended.").hint("Ask again the next time."));
        self.close_privates(now);
        self.ended = true;
        let bye = Event::from(event::Bye { reason, code, given_up: self.waits.take_given_up() });
        match answers {
            Some(id) => self.finish(now, id, bye),
            None => self.tell(now, bye),
        }
        self.out.push_back(Output::Disconnect);
        self.out.push_back(Output::End(code));
    }
}
