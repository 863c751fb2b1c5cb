//! The way to the hub: the connection, the link that it carries, and what the hub is asked over it.
//!
//! While the hub is lost, the link keeps what was said. When the hub has forgotten us, all that is still wanted of it is
//! asked again: the registration first, then our offers, then the user's requests.

mod connection;
mod entrance;
mod farewell;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::SessionConfig;
use super::asks::{Asks, Origin};
use crate::core::link::{Link, LinkConfig, LinkFault};
use crate::core::time::{Rng, Time};
use crate::protocol::limits::{REQUEST_BYTES_IN_FLIGHT, REQUESTS_IN_FLIGHT};
use crate::protocol::wire::{Ask, ClientHello, Frame, FrameIn, HubHello, LINK_PROTOCOL, Publish};
use crate::protocol::{Content, ErrorCode, EventLine, Failure, Id, Offer, Request, RequestLine, to_json};
pub(super) use connection::{Connection, Outage};
use entrance::Entrance;
use farewell::{farewell, wrong_protocol};

/// How long the hub may take to answer a hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the hub may take to answer what it was asked. A hub that owes an answer for longer is taken for lost, as if it
/// did not answer probes, and asked again over a new link; who does that for as long as a lost hub is waited for is given
/// up.
const ANSWER: Duration = Duration::from_secs(30);

/// Offers on their way to a hub that does not have them, a piece after the other.
struct Reoffer {
    /// What is offered, and whether the hub is to keep it.
    pieces: VecDeque<(Vec<Content>, bool)>,
    /// Whether the user's requests follow, because the hub has forgotten these too.
    then_ask: bool,
}

/// The way to the hub. See the [module](self).
pub(super) struct Uplink {
    config: LinkConfig,
    /// How long a lost hub is tried again.
    give_up: Duration,
    rng: Rng,
    connection: Connection,
    entrance: Entrance,
    link: Link,
    /// The hub's name for this session.
    session: Option<String>,
    /// Whether requests may be passed on: the hub knows us, or is not to know us.
    settled: bool,
    reoffer: Option<Reoffer>,
    asks: Asks,
    /// Where we reach the hub.
    address: Option<IpAddr>,
    /// Why nothing more can be sent.
    fault: Option<Failure>,
}

/// The hub has said hello.
pub(super) struct Greeted {
    /// The outage that is over, if there was one.
    pub(super) lost: Option<Outage>,
    /// Whether the hub knows nothing of us.
    pub(super) fresh: bool,
}

impl Uplink {
    /// A way that is not taken yet.
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            config: config.link,
            give_up: config.give_up,
            rng: Rng(config.seed),
            connection: Connection::default(),
            entrance: Entrance::default(),
            link: Link::new(config.link),
            session: None,
            settled: false,
            reoffer: None,
            asks: Asks::default(),
            address: None,
            fault: None,
        }
    }

    /// How it stands with the connection.
    pub(super) fn connection(&self) -> Connection {
        self.connection
    }

    /// Whether the connection carries the link.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.connection, Connection::Up { .. })
    }

    /// The outage that there is.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.connection.outage()
    }

    /// Since when the hub has been lost, if it is.
    pub(super) fn lost_since(&self) -> Option<Time> {
        self.connection.outage().map(|lost| lost.since)
    }

    /// Whether the hub is lost, and tried again.
    pub(super) fn is_lost(&self) -> bool {
        self.connection.outage().is_some()
    }

    /// Whether requests may be passed on: the hub knows us, or is not to know us.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the hub has forgotten us and is being told who we are.
    pub(super) fn is_entering(&self) -> bool {
        let entering = self.asks.origins().any(|origin| matches!(origin, Origin::Enter | Origin::Return));
        entering || self.entrance.due().is_some() || self.reoffer.as_ref().is_some_and(|reoffer| reoffer.then_ask)
    }

    /// Whether our offers are being told again.
    pub(super) fn is_reoffering(&self) -> bool {
        self.reoffer.is_some()
    }

    /// Whether there is room for what can as well wait and coalesce.
    pub(super) fn takes_state(&self) -> bool {
        self.link.takes_state()
    }

    /// What the hub has been asked.
    pub(super) fn asks(&self) -> &Asks {
        &self.asks
    }

    /// The same, to be changed.
    pub(super) fn asks_mut(&mut self) -> &mut Asks {
        &mut self.asks
    }

    /// Whether the hub can be asked for one more thing: it keeps no more for us than so many requests and bytes.
    pub(super) fn may_ask_more(&self, one_at_a_time: bool) -> bool {
        let most = if one_at_a_time { 1 } else { REQUESTS_IN_FLIGHT };
        self.asks.len() < most && self.asks.bytes() < REQUEST_BYTES_IN_FLIGHT
    }

    /// The hub says of itself that it is anywhere: it is where we reach it.
    pub(super) fn place(&self, offer: &mut Offer) {
        if let Some(address) = self.address
            && offer.address.is_unspecified()
        {
            offer.address = address;
        }
    }

    /// The hub is reached under this address.
    pub(super) fn found_at(&mut self, address: IpAddr) {
        self.address = Some(address);
    }

    /// Passes a request on to the hub under a number of ours.
    pub(super) fn ask(&mut self, now: Time, request: Request, origin: Origin) {
        self.ask_by_number(now, |id| Ask::Request(RequestLine { id: Some(Id::Number(id)), request }), origin);
    }

    /// Asks the hub for something that is made of our number for it.
    pub(super) fn ask_by_number(&mut self, now: Time, ask: impl FnOnce(i64) -> Ask, origin: Origin) {
        let body = self.asks.open(ask, origin).to_body();
        self.send_body(now, body);
    }

    /// The same; but while we enter, it is sent after that, with all that is asked again.
    pub(super) fn ask_once_in(&mut self, now: Time, ask: impl FnOnce(i64) -> Ask, origin: Origin) {
        if self.is_entering() {
            self.asks.open(ask, origin);
        } else {
            self.ask_by_number(now, ask, origin);
        }
    }

    /// Tells the hub something that it does not answer.
    pub(super) fn send(&mut self, now: Time, ask: Ask) {
        self.send_body(now, ask.to_body());
    }

    fn send_body(&mut self, now: Time, body: Arc<str>) {
        if let Err(fault) = self.link.send(now, body) {
            self.fault.get_or_insert_with(|| Failure::new(ErrorCode::TooSlow, fault.to_string()));
        }
    }

    /// Why nothing more can be sent, if that is so.
    pub(super) fn take_fault(&mut self) -> Option<Failure> {
        self.fault.take()
    }

    /// There is a connection: what is said on it first.
    pub(super) fn hello(&mut self, now: Time, config: &SessionConfig) -> String {
        let lost = self.connection.outage();
        self.connection = Connection::Greeting { deadline: now + HELLO_TIMEOUT, lost };
        to_json(&ClientHello {
            hello: LINK_PROTOCOL.into(),
            session: self.session.clone(),
            received: if self.session.is_some() { self.link.received() } else { 0 },
            port: config.settings.port,
            link_port: config.settings.link_port,
            instance: format!("{:016x}", config.seed),
            asked: self.asks.last(),
            invite: config.invite.clone(),
            follow: config.follow,
        })
    }

    /// The hub answers our hello, after this outage, if there was one.
    ///
    /// # Errors
    /// What the hub says that is no hello of our protocol.
    pub(super) fn greeted(&mut self, now: Time, lost: Option<Outage>, line: &[u8]) -> Result<Greeted, Failure> {
        let hello: HubHello = match serde_json::from_slice(line) {
            Ok(hello) => hello,
            Err(e) => return Err(farewell(line).unwrap_or_else(|| wrong_protocol(e))),
        };
        if hello.hello != LINK_PROTOCOL {
            return Err(ErrorCode::WrongProtocol.into());
        }
        let fresh = !hello.resumed || self.session.as_ref() != Some(&hello.session);
        if fresh {
            self.link = Link::new(self.config);
            self.session = Some(hello.session);
        }
        let received = if fresh { 0 } else { hello.received };
        self.link.attach(now, received).map_err(broken)?;
        self.connection = Connection::Up { since: now, tries: lost.map_or(0, |lost| lost.tries) };
        if lost.is_some() && !fresh {
            self.settled = !self.is_entering() && self.reoffer.is_none();
        }
        Ok(Greeted { lost, fresh })
    }

    /// A frame of the hub: the event in it, if that is a new one.
    ///
    /// # Errors
    /// The hub's farewell, or that it does not keep to the protocol.
    pub(super) fn receive(&mut self, now: Time, line: &[u8]) -> Result<Option<EventLine>, Failure> {
        let frame: FrameIn<'_> = match serde_json::from_slice(line) {
            Ok(frame) => frame,
            Err(e) => return Err(farewell(line).unwrap_or_else(|| wrong_protocol(e))),
        };
        let new = self.link.receive(now, frame.n, frame.ack, frame.probe).map_err(broken)?;
        match frame.body.filter(|_| new) {
            Some(body) => EventLine::parse(body.get()).map_err(wrong_protocol),
            None => Ok(None),
        }
    }

    /// The next frame for the hub.
    pub(super) fn poll(&mut self, now: Time) -> Option<Frame> {
        if self.is_up() { self.link.poll(now) } else { None }
    }

    /// Lets time pass on the link. False if it is lost.
    pub(super) fn tick(&mut self, now: Time) -> bool {
        self.link.tick(now).is_ok()
    }

    /// The connection was up, and is lost.
    pub(super) fn lose(&mut self, now: Time, up: (Time, u32)) -> Outage {
        self.link.detach();
        self.settled = false;
        Outage::begin(now, up)
    }

    /// A try was in vain; the next one is after a pause.
    ///
    /// # Errors
    /// `hub-lost` if it has been tried for long enough.
    pub(super) fn pause(&mut self, now: Time, lost: Outage) -> Result<(), Failure> {
        if now - lost.since >= self.give_up {
            let seconds = (now - lost.since).as_secs();
            return Err(Failure::new(ErrorCode::HubLost, format!("The hub has not answered for {seconds} s.")));
        }
        let (until, lost) = lost.next_try(now, self.give_up, &mut self.rng);
        self.connection = Connection::Pausing { until, lost };
        Ok(())
    }

    /// The pause is over: the hub is tried again.
    pub(super) fn try_again(&mut self) {
        if let Connection::Pausing { lost, .. } = self.connection {
            self.connection = Connection::Again { lost };
        }
    }

    /// The hub does not know us (any more).
    pub(super) fn start_over(&mut self) {
        self.asks.begin_anew();
        self.entrance.start_over();
        self.reoffer = None;
    }

    /// The hub has let us in.
    pub(super) fn admitted(&mut self) {
        self.entrance.admitted();
    }

    /// The hub has no time for us, and is asked again for this later. False if that has gone on for too long.
    pub(super) fn hub_is_busy(&mut self, now: Time, wait: Duration, request: Request, origin: Origin) -> bool {
        self.entrance.is_busy(now, wait, self.give_up, &mut self.rng, (request, origin))
    }

    /// Asks again to be let in.
    pub(super) fn enter_again(&mut self, now: Time) {
        if let Some((request, origin)) = self.entrance.take() {
            self.ask(now, request, origin);
        }
    }

    /// The hub is told these offers again, before anything else is asked; `then_ask` says whether it has forgotten what
    /// it was asked, too.
    pub(super) fn reoffer(&mut self, pieces: VecDeque<(Vec<Content>, bool)>, then_ask: bool) {
        self.settled &= then_ask;
        self.reoffer = Some(Reoffer { pieces, then_ask });
    }

    /// Sends the next piece of what is offered again: one at a time, since the link does not hold all that may be
    /// offered. True if that was all, and everything else is asked again.
    pub(super) fn reoffer_next(&mut self, now: Time) -> bool {
        let Some(reoffer) = &mut self.reoffer else { return false };
        if let Some((publish, keep)) = reoffer.pieces.pop_front() {
            let ask = |id| Ask::Publish(Publish { id, publish, more: 0, keep });
            self.ask_by_number(now, ask, Origin::OfferAgain);
            return false;
        }
        let bodies: Vec<_> = match reoffer.then_ask {
            true => self.asks.all().map(Ask::to_body).collect(),
            false => Vec::new(),
        };
        (self.reoffer, self.settled) = (None, true);
        for body in bodies {
            self.send_body(now, body);
        }
        true
    }

    /// When a lost hub is tried again.
    pub(super) fn reconnects_at(&self) -> Option<Time> {
        match self.connection {
            Connection::Pausing { until, .. } => Some(until),
            Connection::First | Connection::Greeting { .. } | Connection::Up { .. } | Connection::Again { .. } => None,
        }
    }

    /// When the hub must have said hello.
    pub(super) fn hello_due(&self) -> Option<Time> {
        match self.connection {
            Connection::Greeting { deadline, .. } => Some(deadline),
            Connection::First | Connection::Up { .. } | Connection::Pausing { .. } | Connection::Again { .. } => None,
        }
    }

    /// When the link wants time to pass.
    pub(super) fn link_due(&self) -> Option<Time> {
        self.link.next_timeout().filter(|_| self.is_up())
    }

    /// When it is tried again to come in. A hub that is lost is not asked.
    pub(super) fn enters_at(&self) -> Option<Time> {
        self.entrance.due().filter(|_| self.is_up())
    }

    /// When the hub must have answered what it was asked.
    pub(super) fn answer_due(&self) -> Option<Time> {
        match self.connection {
            Connection::Up { since: up, .. } => self.asks.oldest_since().map(|since| up.max(since) + ANSWER),
            Connection::First | Connection::Greeting { .. } | Connection::Pausing { .. } | Connection::Again { .. } => {
                None
            }
        }
    }

    /// For how long the hub owes an answer, and whether that is too long for any hope.
    pub(super) fn owes_for(&self, now: Time) -> Option<(Duration, bool)> {
        let owes = now - self.asks.oldest_since()?;
        Some((owes, owes >= ANSWER + self.give_up))
    }
}

fn broken(fault: LinkFault) -> Failure {
    Failure::new(ErrorCode::WrongProtocol, fault.to_string())
}
