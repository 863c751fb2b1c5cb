//! The way to the hub: the connection, the link that it carries, and what the hub is asked over it.
//!
//! While the hub is lost, the link keeps the frames. A restarted hub has forgotten us: it is asked again for everything
//! that is still open, the registration first, then our offers, then the user's requests.

mod connection;
mod deadlines;
mod entrance;
mod farewell;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::asks::{Asks, Origin};
use super::{Entry, SessionConfig};
use crate::core::link::{Link, LinkConfig, LinkFault};
use crate::core::time::{Rng, Time};
use crate::protocol::limits::{REQUEST_BYTES_IN_FLIGHT, REQUESTS_IN_FLIGHT};
use crate::protocol::wire::{Ask, ClientHello, Frame, FrameIn, HubHello, LINK_PROTOCOL, Publish};
use crate::protocol::{Content, ErrorCode, EventLine, Failure, Id, Offer, PublicKey, Request, RequestLine, to_json};
pub(super) use connection::{HubConnection, Outage};
use entrance::Entrance;
use farewell::{farewell, wrong_protocol};

/// How long the hub may take to answer a hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the hub may take to answer what it was asked. After that, it is taken for lost and asked again over a new
/// link, even if it acknowledges every frame.
const ANSWER: Duration = Duration::from_secs(30);

/// Our offers on their way to a restarted hub, one piece at a time.
struct Reoffer {
    /// Contents that one frame can hold, and whether the hub is to keep copies of them.
    pieces: VecDeque<(Vec<Content>, bool)>,
    /// Whether the open requests follow, because the hub has forgotten those too.
    then_ask: bool,
}

/// The way to the hub. See the [module](self).
pub(super) struct Uplink {
    config: LinkConfig,
    /// How long a lost hub is tried again.
    give_up: Duration,
    rng: Rng,
    connection: HubConnection,
    entrance: Entrance,
    link: Link,
    /// The hub's name for this session.
    session: Option<String>,
    /// Whether requests may be passed on: the hub has let us in, or the user does not want to be in.
    takes_requests: bool,
    reoffer: Option<Reoffer>,
    asks: Asks,
    /// Where we reach the hub, and its key.
    place: Option<(IpAddr, PublicKey)>,
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
    /// A hub that we have not connected to.
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            config: config.link,
            give_up: config.patience.give_up,
            rng: Rng(config.chance.seed),
            connection: HubConnection::default(),
            entrance: Entrance::default(),
            link: Link::new(config.link),
            session: None,
            takes_requests: false,
            reoffer: None,
            asks: Asks::default(),
            place: None,
            fault: None,
        }
    }

    /// How it stands with the connection.
    pub(super) fn connection(&self) -> HubConnection {
        self.connection
    }

    /// Whether the connection carries the link.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.connection, HubConnection::Up { .. })
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

    /// Whether requests may be passed on: the hub has let us in, or the user does not want to be in.
    pub(super) fn takes_requests(&self) -> bool {
        self.takes_requests
    }

    /// Whether the hub does not know us yet, or has forgotten us, and we are registering and offering again.
    pub(super) fn is_entering(&self) -> bool {
        let entering = self.asks.origins().any(|origin| matches!(origin, Origin::Enter | Origin::Return));
        entering || self.entrance.due().is_some() || self.reoffer.as_ref().is_some_and(|reoffer| reoffer.then_ask)
    }

    /// Whether our offers are being told again.
    pub(super) fn is_reoffering(&self) -> bool {
        self.reoffer.is_some()
    }

    /// Whether the link has room for state, which can as well wait.
    pub(super) fn takes_state(&self) -> bool {
        self.link.takes_state()
    }

    /// What the hub has been asked.
    pub(super) fn asks(&self) -> &Asks {
        &self.asks
    }

    /// What the hub has been asked, to be changed.
    pub(super) fn asks_mut(&mut self) -> &mut Asks {
        &mut self.asks
    }

    /// Whether the hub may be asked one more thing. It takes only so many requests and bytes of a client at a time.
    pub(super) fn may_ask_more(&self, one_at_a_time: bool) -> bool {
        let most = if one_at_a_time { 1 } else { REQUESTS_IN_FLIGHT };
        self.asks.len() < most && self.asks.bytes() < REQUEST_BYTES_IN_FLIGHT
    }

    /// Puts the hub's address into an offer of its own: the hub does not know under which address we reach it.
    pub(super) fn set_hub_address(&self, offer: &mut Offer) {
        if let Some((address, _)) = self.place
            && offer.address.is_unspecified()
        {
            offer.address = address;
        }
    }

    /// The hub is reached under this address, and has this key.
    pub(super) fn found_at(&mut self, address: IpAddr, key: PublicKey) {
        self.place = Some((address, key));
    }

    /// The address at which we reach the hub, once it has been reached.
    pub(super) fn hub_address(&self) -> Option<IpAddr> {
        self.place.map(|(address, _)| address)
    }

    /// The key of the hub, once it has been reached.
    pub(super) fn hub_key(&self) -> Option<PublicKey> {
        self.place.map(|(_, key)| key)
    }

    /// Passes a request on to the hub under a number of ours.
    pub(super) fn ask(&mut self, now: Time, request: Request, origin: Origin) {
        self.ask_by_number(now, |id| Ask::Request(RequestLine { id: Some(Id::Number(id)), request }), origin);
    }

    /// Asks the hub for something; `ask` makes it of our number for it.
    pub(super) fn ask_by_number(&mut self, now: Time, ask: impl FnOnce(i64) -> Ask, origin: Origin) {
        let body = self.asks.open(ask, origin).to_body();
        self.send_body(now, body);
    }

    /// The same; but while we are registering, it is sent afterwards, with everything that is asked again.
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

    /// A connection is there. Returns our hello, the first line on it.
    pub(super) fn hello(&mut self, now: Time, config: &SessionConfig) -> String {
        let lost = self.connection.outage();
        self.connection = HubConnection::Greeting { deadline: now + HELLO_TIMEOUT, lost };
        to_json(&ClientHello {
            hello: LINK_PROTOCOL.into(),
            session: self.session.clone(),
            received: if self.session.is_some() { self.link.received() } else { 0 },
            port: config.settings.port,
            link_port: config.settings.link_port,
            instance: format!("{:016x}", config.chance.seed),
            asked: self.asks.last(),
            invite: config.invite.clone(),
            guest: config.entry == Entry::Guest,
            follow: config.follow,
        })
    }

    /// Takes the hub's hello; `lost` is the outage before it, if there was one.
    ///
    /// # Errors
    /// The hub's farewell, or that it does not speak our protocol.
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
        self.connection = HubConnection::Up { since: now, tries: lost.map_or(0, |lost| lost.tries) };
        if lost.is_some() && !fresh {
            self.takes_requests = !self.is_entering() && self.reoffer.is_none();
        }
        Ok(Greeted { lost, fresh })
    }

    /// Takes a frame of the hub. Returns the event in it, if it has a new one.
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

    /// Has the hub answer at once, if it is there.
    pub(super) fn probe(&mut self, now: Time) {
        if self.is_up() {
            self.link.probe(now);
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
        self.takes_requests = false;
        Outage::begin(now, up)
    }

    /// A try was in vain: the next one is after a pause.
    ///
    /// # Errors
    /// `hub-lost` if it has been tried for long enough.
    pub(super) fn pause(&mut self, now: Time, lost: Outage) -> Result<(), Failure> {
        if now - lost.since >= self.give_up {
            let seconds = (now - lost.since).as_secs();
            return Err(Failure::new(ErrorCode::HubLost, format!("The hub has not answered for {seconds} s.")));
        }
        let (until, lost) = lost.next_try(now, self.give_up, &mut self.rng);
        self.connection = HubConnection::Pausing { until, lost };
        Ok(())
    }

    /// The pause is over: the hub is tried again.
    pub(super) fn try_again(&mut self) {
        if let HubConnection::Pausing { lost, .. } = self.connection {
            self.connection = HubConnection::Again { lost };
        }
    }

    /// The hub does not know us, or has forgotten us.
    pub(super) fn start_over(&mut self) {
        self.asks.begin_anew();
        self.entrance.start_over();
        self.reoffer = None;
    }

    /// The hub has let us in.
    pub(super) fn admitted(&mut self) {
        self.entrance.admitted();
    }

    /// The hub is too busy to let us in: asks it again after `wait` or more. False if that has gone on for too long.
    pub(super) fn hub_is_busy(&mut self, now: Time, wait: Duration, request: Request, origin: Origin) -> bool {
        self.entrance.is_busy(now, wait, self.give_up, &mut self.rng, (request, origin))
    }

    /// Asks again to be let in.
    pub(super) fn enter_again(&mut self, now: Time) {
        if let Some((request, origin)) = self.entrance.take() {
            self.ask(now, request, origin);
        }
    }

    /// The hub is to be told these offers again before it is asked anything else. `then_ask` says that it has forgotten
    /// the open requests as well.
    pub(super) fn reoffer(&mut self, pieces: VecDeque<(Vec<Content>, bool)>, then_ask: bool) {
        self.takes_requests &= then_ask;
        self.reoffer = Some(Reoffer { pieces, then_ask });
    }

    /// Sends the next piece of our offers. One at a time, since the link cannot hold all that may be offered. True if
    /// none was left, and everything else is asked again.
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
        (self.reoffer, self.takes_requests) = (None, true);
        for body in bodies {
            self.send_body(now, body);
        }
        true
    }
}

fn broken(fault: LinkFault) -> Failure {
    Failure::new(ErrorCode::WrongProtocol, fault.to_string())
}
