//! Links: opened, used, ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::ends::End;
use super::reading::{LATE, Reading, Unread, not_read, too_late};
use super::timers::Timer;
use super::{Name, News, PeerConn, PeerOutput, Peers, Person};
use crate::core::link::Link;
use crate::core::time::Time;
use crate::protocol::limits::{MESSAGE_BYTES, PRIVATE_WINDOW};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{FrameIn, LINK_PROTOCOL, PeerBody, PeerHello, PrivateText};
use crate::protocol::{ErrorCode, Failure, to_json};

/// A link with somebody, or the way to it.
pub(super) struct PeerLink {
    pub(super) person: Person,
    /// Their number at this hub, as far as it is known.
    pub(super) number: Option<u64>,
    pub(super) conn: PeerConn,
    pub(super) stage: Stage,
    /// What has not been sent.
    pub(super) queue: VecDeque<Wanted>,
    /// What has not been acknowledged.
    sent: VecDeque<Sent>,
    sent_bytes: usize,
    /// Who wants to know the round trip, by their tickets, and since when.
    pub(super) measuring: VecDeque<(u64, Time)>,
    /// Messages, and frames.
    last_sent: u64,
    last_frame: u64,
    pub(super) reading: Reading,
    /// Which link it is: another one with the same person has another number.
    pub(super) id: u64,
}

/// How far a link is.
pub(super) enum Stage {
    /// The connection is being made.
    Dialling { until: Time },
    /// The hello has been said.
    Greeting { until: Time },
    /// It carries frames.
    Open(Box<Link>),
}

/// Something that is wanted of a link.
pub(super) struct Wanted {
    pub(super) ticket: u64,
    /// The message; none if only the link is wanted.
    pub(super) text: Option<String>,
    pub(super) since: Time,
}

/// A message that the other side's machine has not acknowledged.
struct Sent {
    frame: u64,
    bytes: usize,
    at: Time,
    /// Whether its deadline was put off.
    late: bool,
}

impl PeerLink {
    pub(super) fn new(person: Person, conn: PeerConn, stage: Stage) -> Self {
        Self {
            number: Some(person.number),
            person,
            conn,
            stage,
            queue: VecDeque::new(),
            sent: VecDeque::new(),
            sent_bytes: 0,
            measuring: VecDeque::new(),
            last_sent: 0,
            last_frame: 0,
            reading: Reading::default(),
            id: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    pub(super) fn poll(&mut self, now: Time) -> Option<PeerOutput> {
        match &mut self.stage {
            Stage::Open(link) => link.poll(now).map(|frame| PeerOutput::Send(self.conn, frame)),
            Stage::Dialling { .. } | Stage::Greeting { .. } => None,
        }
    }

    /// The timers of this link, and until when each waits.
    pub(super) fn deadlines(&self, ack_timeout: Duration) -> [(Timer, Option<Time>); 5] {
        let (opening, sent, queued, reading, link) = match &self.stage {
            Stage::Dialling { until } | Stage::Greeting { until } => (Some(*until), None, None, None, None),
            Stage::Open(link) => {
                let sent = self.sent.front().map(|sent| sent.at + ack_timeout);
                let queued = self.queue.front().map(|wanted| too_late(wanted.since));
                (None, sent, queued, self.reading.next_timeout(), link.next_timeout())
            }
        };
        let conn = self.conn;
        [
            (Timer::Opening(conn), opening),
            (Timer::Acknowledged(conn), sent),
            (Timer::Queued(conn), queued),
            (Timer::Read(conn), reading),
            (Timer::Link(conn), link),
        ]
    }
}

impl Peers {
    pub(super) fn dialled(&mut self, number: u64) {
        let conn = PeerConn::Dialled(number);
        let Some(me) = &self.me else { return };
        let Some(link) = self.conns.get(&conn).and_then(|name| self.links.get_mut(name)) else { return };
        if let Stage::Dialling { until } = link.stage {
            link.stage = Stage::Greeting { until };
            self.out.push_back(PeerOutput::Say(conn, hello(me)));
        }
    }

    pub(super) fn dial_failed(&mut self, now: Time, number: u64, failure: Failure) {
        if let Some(name) = self.conns.get(&PeerConn::Dialled(number)).cloned() {
            self.end_link(now, &name, End::Unopened(failure));
        }
    }

    pub(super) fn broken(&mut self, now: Time, conn: PeerConn, reason: String) {
        if let PeerConn::Accepted(number) = conn {
            self.pending.remove(&number);
            self.timers.stop(Timer::Pending(number));
        }
        let Some(name) = self.conns.get(&conn).cloned() else { return };
        let Some(link) = self.links.get(&name) else { return };
        let end = match link.stage {
            Stage::Open(_) => End::Broken(reason),
            Stage::Dialling { .. } | Stage::Greeting { .. } => {
                let message = format!("{} has broken off the direct connection: {reason}.", link.person.name);
                End::Unopened(unreachable(message))
            }
        };
        self.end_link(now, &name, end);
    }

    pub(super) fn link_line(&mut self, now: Time, conn: PeerConn, line: &[u8]) {
        // A line that was on its way when the connection was closed.
        let Some(name) = self.conns.get(&conn).cloned() else { return };
        let Some(link) = self.links.get(&name) else { return };
        let end = match link.stage {
            Stage::Dialling { .. } => None,
            Stage::Greeting { .. } => self.greeted(now, &name, line).err(),
            Stage::Open(_) => self.frame(now, &name, line).err(),
        };
        if let Some(end) = end {
            self.end_link(now, &name, end);
        }
    }

    /// The other side answers our hello.
    fn greeted(&mut self, now: Time, name: &NameKey, line: &[u8]) -> Result<(), End> {
        let Some(link) = self.links.get_mut(name) else { return Ok(()) };
        let peer = &link.person.name;
        if let Ok(PeerBody::Close(_)) = serde_json::from_slice(line) {
            let message = format!("{peer} takes no direct connection from us.");
            let hint = "Both must be registered at the same hub; ask again, or `message` them.";
            return Err(End::Unopened(Failure::new(ErrorCode::PeerRefused, message).hint(hint)));
        }
        let answer = serde_json::from_slice::<PeerHello>(line).ok();
        let Some(answer) = answer.filter(|hello| hello.hello == LINK_PROTOCOL && NameKey::of(&hello.private) == *name)
        else {
            let message = format!("What answers for {peer} is not them, or speaks another version of potluck.");
            return Err(End::Unopened(Failure::new(ErrorCode::PeerBroke, message).hint("Use the same version.")));
        };
        link.number = Some(answer.number);
        self.opened(now, name, false);
        Ok(())
    }

    /// A link carries frames from now on.
    pub(super) fn opened(&mut self, now: Time, name: &NameKey, theirs: bool) {
        let mut carrier = Link::new(self.config);
        let attached = carrier.attach(now, 0);
        let Some(link) = self.links.get_mut(name) else { return };
        debug_assert!(attached.is_ok(), "a new link has nothing to resume");
        link.stage = Stage::Open(Box::new(carrier));
        link.id = self.next_link;
        self.next_link += 1;
        let ticket = link.queue.front().map(|wanted| wanted.ticket);
        // Who wanted only the link has it.
        link.queue.pop_front_if(|wanted| wanted.text.is_none());
        self.news.push_back(News::Opened { peer: link.person.name.clone(), theirs, ticket });
        self.pump(now, name);
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn pump(&mut self, now: Time, name: &NameKey) {
        let stamp = self.calendar(now);
        let Some(link) = self.links.get_mut(name).filter(|link| link.is_open()) else { return };
        let mut bodies = Vec::new();
        for body in link.reading.confirm() {
            link.last_frame += 1;
            bodies.push(body);
        }
        let mut bytes = link.sent_bytes;
        let takes = |link: &PeerLink, bytes| (link.sent.is_empty() || bytes < PRIVATE_WINDOW) && link.reading.takes();
        while takes(link, bytes) || link.queue.front().is_some_and(|wanted| wanted.text.is_none()) {
            let Some(Wanted { ticket, text, .. }) = link.queue.pop_front() else { break };
            let Some(text) = text else {
                // It is open already.
                let peer = link.person.name.clone();
                self.news.push_back(News::Opened { peer, theirs: false, ticket: Some(ticket) });
                continue;
            };
            link.last_sent += 1;
            link.last_frame += 1;
            let (number, size) = (link.last_sent, text.len());
            bytes += size;
            link.sent.push_back(Sent { frame: link.last_frame, bytes: size, at: now, late: false });
            link.reading.sent(Unread { ticket: Some(ticket), number, bytes: size, at: now, stamp });
            bodies.push(PeerBody::Private(PrivateText { number, text, sent: stamp }));
        }
        link.sent_bytes = bytes;
        let Stage::Open(carrier) = &mut link.stage else { return };
        for body in bodies {
            // Cannot be but by abuse: the window is far below what a link keeps.
            if carrier.send(now, to_json(&body).into()).is_err() {
                return self.end_link(now, name, End::Broken("too much was said at once".into()));
            }
        }
        self.talking.insert(name.to_owned());
    }

    fn frame(&mut self, now: Time, name: &NameKey, line: &[u8]) -> Result<(), End> {
        let broken = |what: &str| End::Broken(format!("it does not keep to the protocol: {what}"));
        let Some(link) = self.links.get_mut(name) else { return Ok(()) };
        let Stage::Open(carrier) = &mut link.stage else { return Ok(()) };
        let Ok(frame) = serde_json::from_slice::<FrameIn<'_>>(line) else { return Err(broken("not a frame")) };
        if frame.n.is_some() != frame.body.is_some() {
            return Err(broken("a body and its number belong together"));
        }
        let received = carrier.receive(now, frame.n, frame.ack, frame.probe);
        let new = received.map_err(|fault| broken(&fault.to_string()))?;
        let acknowledged = carrier.acknowledged();
        // A frame that carries nothing and asks nothing is the answer to our probe.
        self.news.extend(link.measured(now, frame.n.is_none() && !frame.probe));
        let peer = &link.person.name;
        while let Some(sent) = link.sent.pop_front_if(|sent| sent.frame <= acknowledged) {
            link.sent_bytes -= sent.bytes;
        }
        self.talking.insert(name.to_owned());
        if let (true, Some(body)) = (new, frame.body) {
            match serde_json::from_str(body.get()) {
                Ok(PeerBody::Private(PrivateText { number, text, sent })) => {
                    if number != link.reading.heard + 1 || text.is_empty() || text.len() > MESSAGE_BYTES {
                        return Err(broken("not a message"));
                    }
                    link.reading.heard = number;
                    self.news.push_back(News::Said { peer: peer.clone(), link: link.id, number, text, sent });
                }
                Ok(PeerBody::Had(number)) => {
                    let (peer, released) = (peer.clone(), link.reading.released(number));
                    let delivered = released.into_iter().map(|number| News::Delivered { peer: peer.clone(), number });
                    self.news.extend(delivered);
                    let read = link.reading.read(now, number, link.last_sent);
                    for Unread { ticket, number, stamp, .. } in read.ok_or_else(|| broken("it was never said"))? {
                        let news = |ticket| News::Acked { ticket, peer: peer.clone(), number, sent: stamp };
                        self.news.extend(ticket.map(news));
                    }
                }
                Ok(PeerBody::Held(number)) => {
                    let held = link.reading.held(now, number, link.last_sent);
                    for Unread { ticket, number, stamp, .. } in held.ok_or_else(|| broken("it was never said"))? {
                        let news = |ticket| News::Held { ticket, peer: peer.clone(), number, sent: stamp };
                        self.news.extend(ticket.map(news));
                    }
                }
                Ok(PeerBody::Close(_)) => return Err(End::Theirs),
                Err(_) => return Err(broken("not a message")),
            }
        }
        self.pump(now, name);
        Ok(())
    }

    pub(super) fn link_tick(&mut self, now: Time, name: &NameKey) {
        let (ack_timeout, patience) = (self.config.ack_timeout, self.config.patience());
        let Some(link) = self.links.get_mut(name) else { return };
        let peer = &link.person.name;
        let failed = |ticket, sent| News::Failed { ticket, failure: not_read(peer, sent) };
        if link.is_open() {
            self.news.extend(link.reading.expire(now).into_iter().map(|ticket| failed(ticket, true)));
            if link.queue.front().is_some_and(|wanted| too_late(wanted.since) + LATE <= now) {
                link.queue.iter_mut().for_each(|wanted| wanted.since = now);
            }
            while let Some(wanted) = link.queue.pop_front_if(|wanted| too_late(wanted.since) <= now) {
                self.news.push_back(failed(wanted.ticket, false));
            }
        }
        let end = match &mut link.stage {
            Stage::Dialling { .. } | Stage::Greeting { .. } => {
                let message = format!("{} does not answer on a direct connection.", link.person.name);
                Some(End::Unopened(unreachable(message)))
            }
            Stage::Open(carrier) => {
                let lost = carrier.tick(now).is_err();
                let overdue = link.sent.front().is_some_and(|sent| sent.at + ack_timeout <= now);
                let slept = link.sent.front().is_some_and(|sent| !sent.late && now - sent.at > ack_timeout + LATE);
                if overdue && slept {
                    link.sent.iter_mut().for_each(|sent| (sent.at, sent.late) = (now, true));
                }
                match (lost, overdue && !slept) {
                    (_, true) => Some(End::Silent(ack_timeout)),
                    (true, false) => Some(End::Silent(patience)),
                    (false, false) => None,
                }
            }
        };
        match end {
            Some(end) => self.end_link(now, name, end),
            None => drop(self.talking.insert(name.to_owned())),
        }
    }

    /// Ends a link, if there is one: everybody who waits for something is answered, and whoever has waited with a
    /// connection of their own gets the place.
    pub(super) fn end_link(&mut self, now: Time, name: &NameKey, end: End) {
        let Some(mut link) = self.links.remove(name) else { return };
        self.conns.remove(&link.conn);
        self.stop_timers(link.conn);
        self.talking.remove(name);
        let goodbye: Arc<str> = to_json(&PeerBody::Close(end.reason(self.me.as_ref(), &link.person.name))).into();
        if let (Stage::Open(carrier), true) = (&mut link.stage, end.is_said()) {
            // A link that is too full for a goodbye is closed without one.
            let _ = carrier.send(now, goodbye);
            while let Some(frame) = carrier.poll(now) {
                self.out.push_back(PeerOutput::Send(link.conn, frame));
            }
        }
        self.out.push_back(PeerOutput::Close(link.conn));
        let parked = self.parked(name);
        if let (Some((conn, person)), End::Unopened(_)) = (&parked, &end) {
            // The other side has reached us where we have not reached it.
            return self.take_in(now, *conn, person.clone(), link.queue);
        }
        let peer = link.person.name.clone();
        let measuring = link.measuring.iter().map(|(ticket, _)| *ticket);
        let tickets = link.reading.tickets().chain(link.queue.iter().map(|wanted| wanted.ticket)).chain(measuring);
        for ticket in tickets {
            self.news.push_back(News::Failed { ticket, failure: end.failure(&peer) });
        }
        if link.is_open() {
            let reason = end.reason(self.me.as_ref(), &peer);
            self.news.push_back(News::Closed { peer: peer.clone(), reason });
        }
        if end.is_doubtful() {
            self.news.push_back(News::Doubted(peer));
        }
        if let Some((conn, person)) = parked {
            self.take_in(now, conn, person, VecDeque::new());
        }
    }
}

pub(super) fn hello(me: &Name) -> String {
    to_json(&PeerHello { hello: LINK_PROTOCOL.into(), private: me.name.clone(), number: me.number })
}

pub(super) fn unreachable(message: String) -> Failure {
    Failure::new(ErrorCode::PeerUnreachable, message)
        .hint("It may be behind a firewall; it needs its --link-port open. `message` reaches them through the hub.")
}
