//! The links with other clients: how they open, carry texts and receipts, and end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::link_end::LinkEnd;
use super::receipts::{LATE, Receipts, UnreadText, not_read, too_late};
use super::timers::Timer;
use super::{Name, PeerConn, PeerEvent, PeerOutput, Peers, Person};
use crate::core::link::Link;
use crate::core::time::Time;
use crate::protocol::limits::{MESSAGE_BYTES, PRIVATE_WINDOW};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{FrameIn, LINK_PROTOCOL, PeerBody, PeerHello, PrivateText};
use crate::protocol::{ErrorCode, Failure, Route, to_json};

/// A link with one person, open or opening.
pub(super) struct PeerLink {
    pub(super) person: Person,
    /// The person's number in the roster; `None` while a restarted hub assigns new numbers.
    pub(super) number: Option<u64>,
    pub(super) conn: PeerConn,
    /// The way that the connection takes, once it is made.
    pub(super) route: Route,
    pub(super) stage: LinkStage,
    /// How often the person was dialled.
    pub(super) dials: u8,
    /// Texts, and requests for the link itself, that wait to be sent.
    pub(super) queue: VecDeque<QueuedText>,
    /// Sent texts that the other side's machine has not acknowledged.
    sent: VecDeque<SentText>,
    sent_bytes: usize,
    /// Measurements of the round trip: the ticket and the start of each.
    pub(super) measuring: VecDeque<(u64, Time)>,
    /// The numbers of the last text and of the last frame sent.
    last_sent: u64,
    last_frame: u64,
    pub(super) receipts: Receipts,
    /// The number of the link. A later link with the same person has another one.
    pub(super) id: u64,
}

/// The state of a link.
pub(super) enum LinkStage {
    /// The connection is being made.
    Dialling { until: Time },
    /// The connection is made, and the hello was sent.
    Greeting { until: Time },
    /// It was in vain, for this reason. The hub is asked whether the person is somewhere else by now.
    Seeking { until: Time, failure: Failure },
    /// The link carries frames.
    Open(Box<Link>),
}

/// A request that waits for the link, or for room on it.
pub(super) struct QueuedText {
    pub(super) ticket: u64,
    /// The text; `None` if only the link is wanted.
    pub(super) text: Option<String>,
    pub(super) since: Time,
}

/// A sent text that the other side's machine has not acknowledged.
struct SentText {
    frame: u64,
    bytes: usize,
    at: Time,
    /// Whether its deadline was extended once, because our machine had slept.
    late: bool,
}

impl PeerLink {
    pub(super) fn new(person: Person, conn: PeerConn, stage: LinkStage) -> Self {
        Self {
            number: Some(person.number),
            person,
            conn,
            route: Route::Direct,
            stage,
            dials: 0,
            queue: VecDeque::new(),
            sent: VecDeque::new(),
            sent_bytes: 0,
            measuring: VecDeque::new(),
            last_sent: 0,
            last_frame: 0,
            receipts: Receipts::default(),
            id: 0,
        }
    }

    /// Whether the person was dialled in vain, and is looked for.
    pub(super) fn is_sought(&self) -> bool {
        matches!(self.stage, LinkStage::Seeking { .. })
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, LinkStage::Open(_))
    }

    pub(super) fn poll(&mut self, now: Time) -> Option<PeerOutput> {
        match &mut self.stage {
            LinkStage::Open(link) => link.poll(now).map(|frame| PeerOutput::Send(self.conn, frame)),
            LinkStage::Dialling { .. } | LinkStage::Greeting { .. } | LinkStage::Seeking { .. } => None,
        }
    }

    /// The timers of this link, each with its deadline.
    pub(super) fn deadlines(&self, ack_timeout: Duration) -> [(Timer, Option<Time>); 5] {
        let (opening, sent, queued, receipts, link) = match &self.stage {
            LinkStage::Dialling { until } | LinkStage::Greeting { until } | LinkStage::Seeking { until, .. } => {
                (Some(*until), None, None, None, None)
            }
            LinkStage::Open(link) => {
                let sent = self.sent.front().map(|sent| sent.at + ack_timeout);
                let queued = self.queue.front().map(|wanted| too_late(wanted.since));
                (None, sent, queued, self.receipts.next_timeout(), link.next_timeout())
            }
        };
        let conn = self.conn;
        [
            (Timer::Opening(conn), opening),
            (Timer::Acknowledged(conn), sent),
            (Timer::Queued(conn), queued),
            (Timer::Read(conn), receipts),
            (Timer::Link(conn), link),
        ]
    }
}

impl Peers {
    pub(super) fn broken(&mut self, now: Time, conn: PeerConn, reason: String) {
        if let PeerConn::Accepted(number) = conn {
            self.pending.remove(&number);
            self.timers.stop(Timer::Pending(number));
        }
        let Some(name) = self.conns.get(&conn).cloned() else { return };
        let Some(link) = self.links.get(&name) else { return };
        match link.stage {
            LinkStage::Open(_) => self.end_link(now, &name, LinkEnd::Broken(reason)),
            LinkStage::Dialling { .. } | LinkStage::Greeting { .. } => {
                let message = format!("{} has broken off the direct connection: {reason}.", link.person.name);
                self.unopened(now, &name, unreachable(message));
            }
            LinkStage::Seeking { .. } => {}
        }
    }

    pub(super) fn link_line(&mut self, now: Time, conn: PeerConn, line: &[u8]) {
        // The line arrived after the connection was closed.
        let Some(name) = self.conns.get(&conn).cloned() else { return };
        let Some(link) = self.links.get(&name) else { return };
        let end = match link.stage {
            LinkStage::Dialling { .. } | LinkStage::Seeking { .. } => None,
            LinkStage::Greeting { .. } => self.greeted(now, &name, line).err(),
            LinkStage::Open(_) => self.frame(now, &name, line).err(),
        };
        if let Some(end) = end {
            self.end_link(now, &name, end);
        }
    }

    /// The other side has answered our hello.
    fn greeted(&mut self, now: Time, name: &NameKey, line: &[u8]) -> Result<(), LinkEnd> {
        let Some(link) = self.links.get_mut(name) else { return Ok(()) };
        let peer = &link.person.name;
        if let Ok(PeerBody::Close(_)) = serde_json::from_slice(line) {
            let message = format!("{peer} takes no direct connection from us.");
            let hint = "Both must be registered at the same hub; ask again, or `message` them.";
            return Err(LinkEnd::Unopened(Failure::new(ErrorCode::PeerRefused, message).hint(hint)));
        }
        let answer = serde_json::from_slice::<PeerHello>(line).ok();
        let Some(answer) = answer.filter(|hello| hello.hello == LINK_PROTOCOL && NameKey::of(&hello.private) == *name)
        else {
            let message = format!("What answers for {peer} is not them, or speaks another version of potluck.");
            return Err(LinkEnd::Unopened(Failure::new(ErrorCode::PeerBroke, message).hint("Use the same version.")));
        };
        link.number = Some(answer.number);
        self.opened(now, name, false);
        Ok(())
    }

    /// The link is open. `theirs` says whether the other side made the connection.
    pub(super) fn opened(&mut self, now: Time, name: &NameKey, theirs: bool) {
        let mut carrier = Link::new(self.config);
        let attached = carrier.attach(now, 0);
        let Some(link) = self.links.get_mut(name) else { return };
        debug_assert!(attached.is_ok(), "a new link has nothing to resume");
        link.stage = LinkStage::Open(Box::new(carrier));
        link.id = self.next_link;
        self.next_link += 1;
        let ticket = link.queue.front().map(|wanted| wanted.ticket);
        // Requests for the link alone are done.
        link.queue.pop_front_if(|wanted| wanted.text.is_none());
        self.events.push_back(PeerEvent::Opened { peer: link.person.name.clone(), theirs, ticket });
        self.pump(now, name);
    }

    /// Sends receipts, and as many waiting texts as the windows allow.
    pub(super) fn pump(&mut self, now: Time, name: &NameKey) {
        let stamp = self.calendar(now);
        let Some(link) = self.links.get_mut(name).filter(|link| link.is_open()) else { return };
        let mut bodies = Vec::new();
        for body in link.receipts.confirm() {
            link.last_frame += 1;
            bodies.push(body);
        }
        let mut bytes = link.sent_bytes;
        let takes = |link: &PeerLink, bytes| (link.sent.is_empty() || bytes < PRIVATE_WINDOW) && link.receipts.takes();
        while takes(link, bytes) || link.queue.front().is_some_and(|wanted| wanted.text.is_none()) {
            let Some(QueuedText { ticket, text, .. }) = link.queue.pop_front() else { break };
            let Some(text) = text else {
                // The link was open already.
                let peer = link.person.name.clone();
                self.events.push_back(PeerEvent::Opened { peer, theirs: false, ticket: Some(ticket) });
                continue;
            };
            link.last_sent += 1;
            link.last_frame += 1;
            let (number, size) = (link.last_sent, text.len());
            bytes += size;
            link.sent.push_back(SentText { frame: link.last_frame, bytes: size, at: now, late: false });
            link.receipts.sent(UnreadText { ticket: Some(ticket), number, bytes: size, at: now, stamp });
            bodies.push(PeerBody::Private(PrivateText { number, text, sent: stamp }));
        }
        link.sent_bytes = bytes;
        let LinkStage::Open(carrier) = &mut link.stage else { return };
        for body in bodies {
            // Only reachable by abuse: the window is far below what a link keeps.
            if carrier.send(now, to_json(&body).into()).is_err() {
                return self.end_link(now, name, LinkEnd::Broken("too much was said at once".into()));
            }
        }
        self.talking.insert(name.to_owned());
    }

    fn frame(&mut self, now: Time, name: &NameKey, line: &[u8]) -> Result<(), LinkEnd> {
        let broken = |what: &str| LinkEnd::Broken(format!("it does not keep to the protocol: {what}"));
        let Some(link) = self.links.get_mut(name) else { return Ok(()) };
        let LinkStage::Open(carrier) = &mut link.stage else { return Ok(()) };
        let Ok(frame) = serde_json::from_slice::<FrameIn<'_>>(line) else { return Err(broken("not a frame")) };
        if frame.n.is_some() != frame.body.is_some() {
            return Err(broken("a body and its number belong together"));
        }
        let received = carrier.receive(now, frame.n, frame.ack, frame.probe);
        let new = received.map_err(|fault| broken(&fault.to_string()))?;
        let acknowledged = carrier.acknowledged();
        // A frame without a body and without a probe is the answer to our probe.
        self.events.extend(link.measured(now, frame.n.is_none() && !frame.probe));
        let peer = &link.person.name;
        while let Some(sent) = link.sent.pop_front_if(|sent| sent.frame <= acknowledged) {
            link.sent_bytes -= sent.bytes;
        }
        self.talking.insert(name.to_owned());
        if let (true, Some(body)) = (new, frame.body) {
            match serde_json::from_str(body.get()) {
                Ok(PeerBody::Private(PrivateText { number, text, sent })) => {
                    if number != link.receipts.heard + 1 || text.is_empty() || text.len() > MESSAGE_BYTES {
                        return Err(broken("not a message"));
                    }
                    link.receipts.heard = number;
                    self.events.push_back(PeerEvent::Said { peer: peer.clone(), link: link.id, number, text, sent });
                }
                Ok(PeerBody::Had(number)) => {
                    let (peer, released) = (peer.clone(), link.receipts.released(number));
                    let delivered =
                        released.into_iter().map(|number| PeerEvent::Delivered { peer: peer.clone(), number });
                    self.events.extend(delivered);
                    let read = link.receipts.read(now, number, link.last_sent);
                    for UnreadText { ticket, number, stamp, .. } in read.ok_or_else(|| broken("it was never said"))? {
                        let events = |ticket| PeerEvent::Acked { ticket, peer: peer.clone(), number, sent: stamp };
                        self.events.extend(ticket.map(events));
                    }
                }
                Ok(PeerBody::Held(number)) => {
                    let held = link.receipts.held(now, number, link.last_sent);
                    for UnreadText { ticket, number, stamp, .. } in held.ok_or_else(|| broken("it was never said"))? {
                        let events = |ticket| PeerEvent::Held { ticket, peer: peer.clone(), number, sent: stamp };
                        self.events.extend(ticket.map(events));
                    }
                }
                Ok(PeerBody::Close(_)) => return Err(LinkEnd::Theirs),
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
        let failed = |ticket, sent| PeerEvent::Failed { ticket, failure: not_read(peer, sent) };
        if link.is_open() {
            self.events.extend(link.receipts.expire(now).into_iter().map(|ticket| failed(ticket, true)));
            if link.queue.front().is_some_and(|wanted| too_late(wanted.since) + LATE <= now) {
                link.queue.iter_mut().for_each(|wanted| wanted.since = now);
            }
            while let Some(wanted) = link.queue.pop_front_if(|wanted| too_late(wanted.since) <= now) {
                self.events.push_back(failed(wanted.ticket, false));
            }
        }
        let end = match &mut link.stage {
            LinkStage::Dialling { .. } | LinkStage::Greeting { .. } => {
                let message = format!("{peer} does not answer on a direct connection.");
                return self.unopened(now, name, unreachable(message));
            }
            LinkStage::Seeking { failure, .. } => Some(LinkEnd::Unopened(failure.clone())),
            LinkStage::Open(carrier) => {
                let lost = carrier.tick(now).is_err();
                let overdue = link.sent.front().is_some_and(|sent| sent.at + ack_timeout <= now);
                let slept = link.sent.front().is_some_and(|sent| !sent.late && now - sent.at > ack_timeout + LATE);
                if overdue && slept {
                    link.sent.iter_mut().for_each(|sent| (sent.at, sent.late) = (now, true));
                }
                match (lost, overdue && !slept) {
                    (_, true) => Some(LinkEnd::Silent(ack_timeout)),
                    (true, false) => Some(LinkEnd::Silent(patience)),
                    (false, false) => None,
                }
            }
        };
        match end {
            Some(end) => self.end_link(now, name, end),
            None => drop(self.talking.insert(name.to_owned())),
        }
    }

    /// Ends a link if there is one. Requests that wait for it fail, and a pending connection of the same person takes
    /// its place.
    pub(super) fn end_link(&mut self, now: Time, name: &NameKey, end: LinkEnd) {
        let Some(mut link) = self.links.remove(name) else { return };
        self.conns.remove(&link.conn);
        self.stop_timers(link.conn);
        self.talking.remove(name);
        let goodbye: Arc<str> = to_json(&PeerBody::Close(end.reason(self.me.as_ref(), &link.person.name))).into();
        if let (LinkStage::Open(carrier), true) = (&mut link.stage, end.is_said()) {
            // If the link is too full for a goodbye, it is closed without one.
            let _ = carrier.send(now, goodbye);
            while let Some(frame) = carrier.poll(now) {
                self.out.push_back(PeerOutput::Send(link.conn, frame));
            }
        }
        self.out.push_back(PeerOutput::Close(link.conn));
        let parked = self.parked(name);
        if let (Some((conn, person)), LinkEnd::Unopened(_)) = (&parked, &end) {
            // The other side has reached us although we could not reach it: its connection becomes the link.
            return self.take_in(now, *conn, person.clone(), link.queue);
        }
        let peer = link.person.name.clone();
        let measuring = link.measuring.iter().map(|(ticket, _)| *ticket);
        let tickets = link.receipts.tickets().chain(link.queue.iter().map(|wanted| wanted.ticket)).chain(measuring);
        for ticket in tickets {
            self.events.push_back(PeerEvent::Failed { ticket, failure: end.failure(&peer) });
        }
        if link.is_open() {
            let reason = end.reason(self.me.as_ref(), &peer);
            self.events.push_back(PeerEvent::Closed { peer: peer.clone(), reason });
        }
        if end.is_doubtful() {
            self.events.push_back(PeerEvent::Doubted(peer));
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
        .hint("Ask again when they are back; `message` reaches them through the hub.")
}
