//! Two machines and the wires between them, played by the test.

mod elsewhere;
mod opening;
mod talking;

use crate::protocol::Route;
use std::collections::VecDeque;

use super::*;

const NAMES: [&str; 2] = ["anna", "ben"];

fn person(who: usize) -> Person {
    let address = SocketAddr::from(([10, 0, 0, who as u8 + 1], 45_000));
    Person { name: NAMES[who].into(), number: who as u64 + 1, key: PublicKey([who as u8 + 1; 32]), address }
}

/// Something on its way to one of the two.
enum Way {
    Accepted(u64, PublicKey),
    Dialled(u64),
    Failed(u64, ErrorCode),
    Line(PeerConn, String),
    Broken(PeerConn),
    Pinned(u64, bool),
}

struct Rig {
    peers: [Peers; 2],
    now: Time,
    events: [Vec<PeerEvent>; 2],
    roster: Vec<Person>,
    wires: BTreeMap<(usize, PeerConn), (usize, PeerConn)>,
    ways: VecDeque<(usize, Way)>,
    /// Dials that wait for the test.
    held: Option<Vec<(usize, u64)>>,
    accepted: u64,
    /// Lines to this one vanish.
    deaf: Option<usize>,
    /// Whether keys are those that are known.
    known: bool,
    reachable: [bool; 2],
    /// Where nobody answers any more.
    gone: Option<SocketAddr>,
    /// Whether the hub answers where somebody is.
    answers: bool,
    /// Each dial, and where it went.
    dialled: BTreeMap<(usize, u64), SocketAddr>,
    /// What their users have not read: by whom, on which link, the number.
    unread: [Vec<(NameKey, u64, u64)>; 2],
    reads: [bool; 2],
}

impl Rig {
    fn new() -> Self {
        let mut peers = [(); 2].map(|()| Peers::new(LinkConfig::client(), Timestamp(0)));
        for (who, peers) in peers.iter_mut().enumerate() {
            peers.enter(NAMES[who], who as u64 + 1);
        }
        Self {
            peers,
            now: Time(0),
            events: [Vec::new(), Vec::new()],
            roster: vec![person(0), person(1)],
            wires: BTreeMap::new(),
            ways: VecDeque::new(),
            held: None,
            accepted: 0,
            deaf: None,
            known: true,
            reachable: [true; 2],
            gone: None,
            answers: true,
            dialled: BTreeMap::new(),
            unread: [Vec::new(), Vec::new()],
            reads: [true; 2],
        }
    }

    fn drain(&mut self) {
        loop {
            for who in 0..2 {
                while let Some(output) = self.peers[who].poll(self.now) {
                    self.perform(who, output);
                }
                while let Some(events) = self.peers[who].next_event() {
                    if let PeerEvent::Said { peer, link, number, .. } = &events {
                        self.unread[who].push((NameKey::of(peer), *link, *number));
                    }
                    if let (PeerEvent::Sought(peer), true) = (&events, self.answers) {
                        let name = NameKey::of(peer);
                        let found = self.roster.iter().find(|person| NameKey::of(&person.name) == name).cloned();
                        self.peers[who].found(self.now, &name, found);
                        while let Some(output) = self.peers[who].poll(self.now) {
                            self.perform(who, output);
                        }
                    }
                    self.events[who].push(events);
                }
                if self.reads[who] && !self.unread[who].is_empty() {
                    for (name, link, number) in std::mem::take(&mut self.unread[who]) {
                        self.peers[who].had(self.now, &name, link, number);
                    }
                    while let Some(output) = self.peers[who].poll(self.now) {
                        self.perform(who, output);
                    }
                }
                let late = self.peers[who].next_timeout().filter(|at| *at <= self.now);
                assert_eq!(late, None, "a timer that is due would spin");
            }
            let Some((who, way)) = self.ways.pop_front() else { return };
            self.arrive(who, way);
        }
    }

    fn perform(&mut self, who: usize, output: PeerOutput) {
        let other = 1 - who;
        match output {
            PeerOutput::Dial(number, person) => {
                self.dialled.insert((who, number), person.address);
                match &mut self.held {
                    Some(held) => held.push((who, number)),
                    None => self.connect(who, number),
                }
            }
            PeerOutput::Pin(conn, name, _) => {
                assert_eq!(name, NAMES[other]);
                self.ways.push_back((who, Way::Pinned(conn, self.known)));
            }
            PeerOutput::Say(conn, line) => self.line(who, conn, line),
            PeerOutput::Send(conn, frame) => {
                let mut line = Vec::new();
                frame.write(&mut line);
                self.line(who, conn, String::from_utf8(line).unwrap());
            }
            PeerOutput::Close(conn) => {
                if let Some(end) = self.wires.remove(&(who, conn)) {
                    self.wires.remove(&end);
                    self.ways.push_back((end.0, Way::Broken(end.1)));
                }
            }
        }
    }

    fn line(&mut self, who: usize, conn: PeerConn, line: String) {
        if let Some(&(to, conn)) = self.wires.get(&(who, conn))
            && self.deaf != Some(to)
        {
            self.ways.push_back((to, Way::Line(conn, line.trim_end().to_owned())));
        }
    }

    fn connect(&mut self, who: usize, number: u64) {
        let other = 1 - who;
        if !self.reachable[other] || self.dialled.get(&(who, number)).copied() == self.gone {
            return self.ways.push_back((who, Way::Failed(number, ErrorCode::PeerUnreachable)));
        }
        self.accepted += 1;
        let ends = [(who, PeerConn::Dialled(number)), (other, PeerConn::Accepted(self.accepted))];
        self.wires.extend([(ends[0], ends[1]), (ends[1], ends[0])]);
        self.ways.push_back((other, Way::Accepted(self.accepted, person(who).key)));
        self.ways.push_back((who, Way::Dialled(number)));
    }

    /// Has the dials arrive that were held.
    fn dial_held(&mut self) {
        for (who, number) in self.held.take().unwrap_or_default() {
            self.connect(who, number);
        }
        self.drain();
    }

    fn arrive(&mut self, who: usize, way: Way) {
        let roster = self.roster.clone();
        let find = |name: &NameKey| roster.iter().find(|person| NameKey::of(&person.name) == *name).cloned();
        let input = match &way {
            Way::Accepted(conn, key) => PeerInput::Accepted(*conn, *key, Route::Direct),
            Way::Dialled(number) => PeerInput::Dialled(*number, Route::Direct),
            Way::Failed(number, code) => PeerInput::DialFailed(*number, (*code).into()),
            Way::Line(conn, line) => PeerInput::Line(*conn, line.as_bytes()),
            Way::Broken(conn) => PeerInput::Broken(*conn, "reset".into()),
            Way::Pinned(conn, true) => PeerInput::Pinned(*conn, Ok(())),
            Way::Pinned(conn, false) => PeerInput::Pinned(*conn, Err(ErrorCode::PeerKeyChanged.into())),
        };
        self.peers[who].handle(self.now, input, &find);
    }

    fn send(&mut self, who: usize, text: &str) -> u64 {
        let ticket = self.peers[who].send(self.now, person(1 - who), text.into()).unwrap();
        self.drain();
        ticket
    }

    fn roster(&mut self, people: &[Person]) {
        self.roster = people.to_vec();
        let find = |name: &NameKey| people.iter().find(|person| NameKey::of(&person.name) == *name).cloned();
        for peers in &mut self.peers {
            peers.roster_changed(self.now, &find);
        }
        self.drain();
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.peers.iter().filter_map(Peers::next_timeout).min().filter(|at| *at <= end) {
            self.now = at;
            self.peers.iter_mut().for_each(|peers| peers.tick(at));
            self.drain();
        }
        self.now = end;
    }

    fn said(&self, who: usize) -> Vec<&str> {
        let events = self.events[who].iter();
        events
            .filter_map(|events| if let PeerEvent::Said { text, .. } = events { Some(text.as_str()) } else { None })
            .collect()
    }

    fn acked(&self, who: usize) -> Vec<u64> {
        let acked =
            |events: &PeerEvent| if let PeerEvent::Acked { ticket, .. } = events { Some(*ticket) } else { None };
        self.events[who].iter().filter_map(acked).collect()
    }

    fn failed(&self, who: usize) -> Vec<(u64, ErrorCode)> {
        let failed = |events: &PeerEvent| match events {
            PeerEvent::Failed { ticket, failure } => Some((*ticket, failure.code)),
            _ => None,
        };
        self.events[who].iter().filter_map(failed).collect()
    }

    fn opened(&self, who: usize) -> usize {
        self.events[who].iter().filter(|events| matches!(events, PeerEvent::Opened { .. })).count()
    }

    fn closed(&self, who: usize) -> Vec<&str> {
        let events = self.events[who].iter();
        events
            .filter_map(
                |events| if let PeerEvent::Closed { reason, .. } = events { Some(reason.as_str()) } else { None },
            )
            .collect()
    }

    fn doubts(&self, who: usize) -> usize {
        self.events[who].iter().filter(|events| matches!(events, PeerEvent::Doubted(_))).count()
    }

    /// A raw line to `ben` on a connection that somebody with this key has made.
    fn stranger(&mut self, key: PublicKey, line: &str) {
        self.accepted += 1;
        self.ways.push_back((1, Way::Accepted(self.accepted, key)));
        self.ways.push_back((1, Way::Line(PeerConn::Accepted(self.accepted), line.into())));
        self.drain();
    }
}
