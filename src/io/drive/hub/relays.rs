//! Halves of meetings that wait, and pairs of them that are joined, each with a task of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Mailbox, Message};
use crate::core::hub::{Access, HalfId, MeetingConfig, RelayLimits};
use crate::io::net::relay::{ByteRate, Half, Moved, abort, relay};
use crate::io::os::clock::random_bytes;
use crate::protocol::Failure;

/// How long nothing may move between two joined halves. Transfers and private connections send something every 10 s at
/// least.
const IDLE: Duration = Duration::from_secs(60);

/// How often a pair reports what it has moved.
const REPORT: Duration = Duration::from_secs(1);

/// Descriptors of a pair: two sockets, two pipes with two ends each.
const PAIR_DESCRIPTORS: usize = 6;

/// The most connections of a meeting that waits: a half of each side, and one of each over the other family.
const WAITING_DESCRIPTORS: usize = 4;

/// Meetings that wait, and pairs unless something else was said, if descriptors are plenty.
const PLENTY: usize = 1_024;

/// What a hub relays between clients that cannot reach each other.
///
/// Whoever wants a connection asks for it, and the bytes of both directions are counted to that client alone.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Whether it relays. By default it does, unless it is open to everybody and listens beyond this machine: then keys are
    /// free, and what counts by them limits nobody.
    pub on: Option<bool>,
    /// Bytes a second of one client; no limit by default.
    pub rate: Option<u64>,
    /// Bytes a second of all clients; no limit by default.
    pub rate_of_all: Option<u64>,
    /// Connections of one client at once; 32 by default.
    pub streams: usize,
    /// Connections of all clients at once; 1,024 by default. Never more than half of the file descriptors allow, of which
    /// each takes six.
    pub streams_of_all: usize,
    /// Bytes of one client in a day, from midnight to midnight UTC; no limit by default.
    pub day: Option<u64>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { on: None, rate: None, rate_of_all: None, streams: 32, streams_of_all: PLENTY, day: None }
    }
}

impl RelayOptions {
    /// How clients meet at a hub with this access that listens at this address.
    pub(super) fn meetings(&self, access: &Access, address: IpAddr) -> Result<MeetingConfig, Failure> {
        let descriptors = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |all| all as usize);
        // A quarter of the descriptors for meetings that wait, half of them for streams, the rest for everything else.
        let at_once = (descriptors / 4 / WAITING_DESCRIPTORS).clamp(1, PLENTY);
        let most = (descriptors / 2 / PAIR_DESCRIPTORS).max(1);
        let on = self.on.unwrap_or(*access != Access::Open || address.is_loopback());
        let limits = || RelayLimits {
            streams_each: self.streams,
            streams: self.streams_of_all.min(most),
            day: self.day.unwrap_or(u64::MAX),
        };
        let secret = random_bytes().map_err(Failure::internal)?;
        Ok(MeetingConfig { secret, at_once, relay: on.then(limits) })
    }

    /// The rates at which is relayed.
    pub(super) fn rates(&self) -> RelayRates {
        RelayRates {
            each: self.rate,
            all: self.rate_of_all.map(|rate| Arc::new(ByteRate::new(rate))),
            of: HashMap::new(),
        }
    }
}

/// The rates at which is relayed.
#[derive(Debug)]
pub struct RelayRates {
    /// The bytes a second of one client.
    each: Option<u64>,
    /// The rate that all share.
    all: Option<Arc<ByteRate>>,
    /// The rates of clients that have streams.
    of: HashMap<u64, Weak<ByteRate>>,
}

impl RelayRates {
    /// The rates that a new stream of this client keeps to.
    fn of(&mut self, payer: u64) -> Vec<Arc<ByteRate>> {
        let own = self.each.map(|each| {
            let known = self.of.get(&payer).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                self.of.retain(|_, rate| rate.strong_count() > 0);
                let new = Arc::new(ByteRate::new(each));
                self.of.insert(payer, Arc::downgrade(&new));
                new
            })
        });
        own.into_iter().chain(self.all.clone()).collect()
    }
}

/// The halves and pairs of a hub.
pub(super) struct Relays {
    mailbox: Mailbox,
    rates: RelayRates,
    next: HalfId,
    waiting: HashMap<HalfId, TcpStream>,
    /// Ends a pair when it is dropped, by its meeting.
    joined: HashMap<u64, oneshot::Sender<()>>,
}

impl Relays {
    pub(super) fn new(mailbox: Mailbox, rates: RelayRates) -> Self {
        Self { mailbox, rates, next: 1, waiting: HashMap::new(), joined: HashMap::new() }
    }

    /// Keeps a half until it is joined or dropped, and returns its number.
    pub(super) fn add(&mut self, half: Half) -> HalfId {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, half.stream);
        id
    }

    /// Takes a half, for the hub itself; dropping it closes it.
    pub(super) fn take(&mut self, half: HalfId) -> Option<TcpStream> {
        self.waiting.remove(&half)
    }

    /// Joins two halves. Their end is reported, and before it what they have moved.
    pub(super) fn join(&mut self, meeting: u64, halves: [HalfId; 2], payer: u64) {
        let (ends, stop) = oneshot::channel();
        let (mailbox, rates) = (self.mailbox.clone(), self.rates.of(payer));
        let [one, other] = halves.map(|half| self.waiting.remove(&half));
        self.joined.insert(meeting, ends);
        tokio::spawn(async move {
            let (moved, why) = match (one, other) {
                (Some(one), Some(other)) => run([one, other], &rates, meeting, &mailbox, stop).await,
                // The machine joins only what it was told of.
                (_, _) => (0, "a half is gone".to_owned()),
            };
            // If the hub has ended, nobody needs the message.
            let _ = mailbox.send(Message::RelayEnded(meeting, moved, why)).await;
        });
    }

    /// Ends the pair of a meeting, unless it has ended by itself, and forgets it.
    pub(super) fn end(&mut self, meeting: u64) {
        self.joined.remove(&meeting);
    }
}

/// Passes bytes between two halves until they end, stand still, or are stopped. Returns the bytes, and why it is over.
async fn run(
    halves: [TcpStream; 2],
    rates: &[Arc<ByteRate>],
    meeting: u64,
    mailbox: &Mailbox,
    mut stop: oneshot::Receiver<()>,
) -> (u64, String) {
    let moved = Moved::default();
    let mut passing = std::pin::pin!(relay(&halves, rates, &moved));
    let mut reports = interval(REPORT);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut since) = (0, Instant::now());
    let why = loop {
        tokio::select! {
            why = &mut passing => return (moved.bytes(), why),
            _ = &mut stop => break "cut by the hub".to_owned(),
            now = reports.tick() => {
                let bytes = moved.bytes();
                if bytes > told {
                    (told, since) = (bytes, now);
                    // If the hub is behind, the next report says the same and more.
                    let _ = mailbox.try_send(Message::Relayed(meeting, bytes));
                } else if now - since >= IDLE {
                    break format!("nothing was sent for {} s", IDLE.as_secs());
                }
            }
        }
    };
    abort(&halves);
    (moved.bytes(), why)
}
