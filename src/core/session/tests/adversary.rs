//! A user who says anything, a hub and other clients that lie in whole sentences, a disk that answers when it likes, and a
//! clock that jumps: a session, its direct connections among it, neither panics nor answers a request twice.
//!
//! `POTLUCK_RUNS=1000000 cargo test --lib session::tests::adversary` plays for hours, `POTLUCK_SEED=<seed>` one run again.

use std::collections::BTreeMap;

use super::*;
use crate::core::time::Rng;
use crate::protocol::name::NameKey;
use crate::protocol::parcel::Ticket;
use crate::protocol::{Event, PublicKey, Route};

const NAMES: [&str; 4] = ["anna", "erin", "dora", "hub"];

/// Where the driver is with the connection to the hub.
#[derive(Clone, Copy)]
enum AtHub {
    Away,
    Dialling,
    There,
}

struct World {
    rng: Rng,
    at_hub: AtHub,
    now: Time,
    session: Session,
    /// What it has sent and heard in its session with the hub.
    received: u64,
    sent: u64,
    lines: u64,
    open: BTreeMap<i64, u64>,
    asked: Asked,
    tasks: Vec<u64>,
    fetches: Vec<u64>,
    /// What is to be done for parcels.
    parcels: Vec<ParcelOutput>,
    ended: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let entry = match rng.below(6) {
            0 => Entry::Guest,
            1 => Entry::Member,
            _ => config().entry,
        };
        let config = SessionConfig {
            entry,
            inbox: rng.chance(70),
            linger: rng.chance(50),
            fail_fast: rng.chance(10),
            downloads: DownloadConfig {
                accept_from: if rng.chance(50) { AcceptFrom::All } else { AcceptFrom::Nobody },
                max_transfers: 1 + rng.below(2) as usize,
                ..config().downloads
            },
            ..config()
        };
        let session = Session::new(config);
        Self {
            rng,
            at_hub: AtHub::Away,
            now: Time(0),
            session,
            received: 0,
            sent: 0,
            lines: 0,
            open: BTreeMap::new(),
            asked: Asked::default(),
            tasks: Vec::new(),
            fetches: Vec::new(),
            parcels: Vec::new(),
            ended: false,
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        while let Some(output) = self.session.poll(self.now) {
            match output {
                Output::Tell(line) => {
                    assert_eq!(self.mistake(&line), None);
                    let EventLine { id: Some(Id::Number(id)), last: true, .. } = *line else { continue };
                    let open = self.open.get_mut(&id).unwrap_or_else(|| panic!("nobody asked {id}"));
                    *open = open.checked_sub(1).unwrap_or_else(|| panic!("{id} was answered twice"));
                }
                Output::Send(frame) => self.received = frame.body.map_or(self.received, |(number, _)| number),
                Output::CheckDir(task, _) | Output::Grant { task, .. } | Output::Verify { task, .. } => {
                    self.tasks.push(task)
                }
                Output::Fetch(transfer, _) => self.fetches.push(transfer),
                Output::Parcel(parcel) => self.parcels.push(parcel),
                Output::End(_) => self.ended = true,
                Output::Connect => self.at_hub = AtHub::Dialling,
                Output::Disconnect => self.at_hub = AtHub::Away,
                _ => {}
            }
        }
        let due = self.session.next_timeout().filter(|at| *at <= self.now);
        assert_eq!(due, None, "a timer that is due would spin");
    }

    /// An answer that the request's row does not allow; errors that this hub, disk or client has made up are passed on.
    fn mistake(&self, line: &EventLine) -> Option<String> {
        let Event::Error(error) = &line.event else { return self.asked.mistake(line) };
        let of_hub = Event::WORDS.iter().find(|word| word.name == "error").map(|word| word.example);
        let is_made_up = of_hub.is_some_and(|example| example.contains(error.code.name()))
            || [ErrorCode::NoSuchFile, ErrorCode::PeerBroke, ErrorCode::PeerUnreachable].contains(&error.code);
        self.asked.mistake(line).filter(|_| !is_made_up)
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.rng.below(4) as usize]
    }

    fn user(&mut self) {
        let words = Request::WORDS;
        let word = words[self.rng.below(words.len() as u64) as usize];
        if matches!(word.name, "quit") && self.rng.chance(90) {
            return;
        }
        let id = self.rng.below(20) as i64;
        let fields = word.example.trim_start_matches('{').trim_end_matches('}');
        let comma = if fields.is_empty() { "" } else { "," };
        let line = format!(r#"{{"id":{id},"request":"{}"{comma}{fields}}}"#, word.name);
        self.lines = self.asked.by_user(line.as_bytes());
        *self.open.entry(id).or_default() += 1;
        self.handle(Input::Line(self.lines, line.as_bytes()));
    }

    /// Something that the hub could say, at a time when it has no sense.
    fn hub(&mut self) {
        let words = Event::WORDS;
        let word = words[self.rng.below(words.len() as u64) as usize];
        let fields = word.example.trim_start_matches('{').trim_end_matches('}');
        let comma = if fields.is_empty() { "" } else { "," };
        let last =
            if self.rng.chance(50) { format!(r#""id":{},"final":true,"#, self.rng.below(12)) } else { String::new() };
        let n = if self.rng.chance(98) { self.sent + 1 } else { self.rng.below(self.sent + 3) };
        self.sent = self.sent.max(n);
        let ack = if self.rng.chance(98) { self.received } else { self.rng.below(9) };
        let line = format!(r#"{{"n":{n},"ack":{ack},"body":{{"event":"{}",{last}"v":1{comma}{fields}}}}}"#, word.name);
        let line = line.replace(r#""v":1,"#, "").replace(r#","v":1"#, "");
        self.handle(Input::HubLine(line.as_bytes()));
    }

    fn connection(&mut self) {
        match self.at_hub {
            AtHub::Away => {}
            AtHub::Dialling if self.rng.chance(20) => {
                self.at_hub = AtHub::Away;
                self.handle(Input::ConnectFailed(ErrorCode::HubUnreachable.into()));
            }
            AtHub::Dialling => {
                self.at_hub = AtHub::There;
                self.handle(Input::Connected);
                if self.rng.chance(95) {
                    self.hello();
                }
            }
            AtHub::There => match self.rng.below(4) {
                0 => {
                    let farewell = br#"{"farewell":{"code":"hub-full","message":"The hub is full.","retry":"later"}}"#;
                    self.handle(Input::HubLine(farewell));
                }
                1 => self.hello(),
                _ => {
                    self.at_hub = AtHub::Away;
                    self.handle(Input::Disconnected("gone".into()));
                }
            },
        }
    }

    fn hello(&mut self) {
        let resumed = self.rng.chance(40);
        let received = if resumed { self.received } else { 0 };
        if !resumed {
            self.sent = 0;
        }
        let session = self.rng.below(3);
        let hello = format!(
            r#"{{"hello":"potluck-link/1","session":"7-{session}","resumed":{resumed},"received":{received}}}"#
        );
        self.handle(Input::HubLine(hello.as_bytes()));
    }

    fn disk(&mut self) {
        let content: Content = serde_json::from_str(&format!("{SONG}}}")).unwrap();
        let task = match self.tasks.pop() {
            Some(task) => task,
            None => self.rng.below(9),
        };
        let transfer = match self.fetches.first() {
            Some(transfer) => *transfer,
            None => self.rng.below(5),
        };
        match self.rng.below(11) {
            9 => self.handle(Input::VerifiedKeys(vec![(NameKey::of("erin"), PublicKey([9; 32]))])),
            10 => self.handle(Input::Verified(task, Err(ErrorCode::NumberDiffers.into()))),
            0 => self.handle(Input::DirChecked(task, Ok("/music".into()))),
            1 => self.handle(Input::Granted(task, Ok(content))),
            2 => self.handle(Input::Hashed(task, Err(ErrorCode::NoSuchFile.into()))),
            3 => self.handle(Input::Hashed(task, Ok(Hashed { contents: vec![content], skipped: Vec::new() }))),
            4 => self.handle(Input::FilesChanged(FilesChanged { changed: vec![content], gone: vec!["x".into()] })),
            5 => self.handle(Input::Transfer(
                transfer,
                TransferNote::Started { path: "song".into(), resumed: 0, route: None },
            )),
            6 => self.handle(Input::Transfer(transfer, TransferNote::Progress(3))),
            7 => {
                let done = TransferNote::Completed { path: "song".into(), complete: true, sources: Vec::new() };
                self.fetches.retain(|other| *other != transfer);
                self.handle(Input::Transfer(transfer, done));
            }
            _ => {
                self.fetches.retain(|other| *other != transfer);
                self.handle(Input::Transfer(transfer, TransferNote::Failed(ErrorCode::PeerBroke.into())));
            }
        }
    }

    /// What becomes of parcels on the disk.
    fn parcel(&mut self) {
        let file = || super::parcels::file("albums/song", 5);
        let failed = self.rng.chance(20);
        let parcel = super::parcels::parcel(&[file()]);
        match self.parcels.pop() {
            Some(ParcelOutput::Prepare { parcel: number, .. }) if failed => {
                self.handle(Input::Parcel(ParcelInput::Prepared(number, Err(ErrorCode::NoSuchFile.into()))));
            }
            Some(ParcelOutput::Prepare { parcel: number, .. }) => {
                self.handle(Input::Parcel(ParcelInput::Prepared(number, Ok(parcel))));
            }
            Some(ParcelOutput::FindTicket(task, code)) => {
                let ticket = || Ticket { code, sender: PublicKey([9; 32]), parcel, resumption: [1; 32].into() };
                let ticket = self.rng.chance(50).then(|| Box::new(ticket()));
                self.handle(Input::Parcel(ParcelInput::TicketFound(task, ticket)));
            }
            Some(ParcelOutput::FetchListing(task, _)) if failed => {
                self.handle(Input::Parcel(ParcelInput::Listed(task, Err(ErrorCode::PeerUnreachable.into()))));
            }
            Some(ParcelOutput::FetchListing(task, _)) => {
                self.handle(Input::Parcel(ParcelInput::Listed(task, Ok(vec![file()]))))
            }
            Some(ParcelOutput::Serve(..) | ParcelOutput::Drop(_) | ParcelOutput::KeepCode(..)) => {}
            Some(ParcelOutput::KeepTicket(_) | ParcelOutput::DropTicket(_)) => {}
            None => {
                let number = self.rng.below(4);
                self.handle(Input::Parcel(ParcelInput::Prepared(number, Ok(parcel))));
            }
        }
    }

    /// What the hub says about parcels, about numbers that may be in use.
    fn hub_of_parcels(&mut self) {
        let (ask, conversation) = (1 + self.rng.below(4), self.rng.below(4));
        let nameplate = 2 * self.rng.below(4);
        let key = PublicKey([9; 32]);
        let message = "ab".repeat([0, 16, 32, 33, 60][self.rng.below(5) as usize]);
        let body = match self.rng.below(9) {
            7 => format!(r#"{{"event":"admitted","conversation":{conversation},"address":"127.0.0.1"}}"#),
            0 | 1 => format!(r#"{{"event":"code-opened","ask":{ask},"nameplate":{nameplate}}}"#),
            2 => {
                format!(r#"{{"event":"knocked","conversation":{conversation},"nameplate":{nameplate},"key":"{key}"}}"#)
            }
            3 => format!(
                r#"{{"event":"knocked","conversation":{conversation},"nameplate":{nameplate},"key":"{key}","share":"{message}"}}"#
            ),
            4 | 5 => format!(r#"{{"event":"knock-answered","ask":{ask},"conversation":{conversation},"key":"{key}"}}"#),
            6 => format!(r#"{{"event":"said","conversation":{conversation},"message":"{message}"}}"#),
            _ => {
                let gone = self.rng.chance(50);
                format!(r#"{{"event":"hung-up","conversation":{conversation},"gone":{gone}}}"#)
            }
        };
        self.sent += 1;
        let line = format!(r#"{{"n":{},"ack":{},"body":{body}}}"#, self.sent, self.received);
        self.handle(Input::HubLine(line.as_bytes()));
    }

    /// Other clients, on direct connections.
    fn peer(&mut self) {
        use crate::core::peers::PeerConn;
        let (number, name, running) = (self.rng.below(3), self.name(), self.rng.below(3) + 3);
        let conn = if self.rng.chance(50) { PeerConn::Accepted(number) } else { PeerConn::Dialled(number) };
        let key = PublicKey([self.rng.below(2) as u8; 32]);
        let (n, ack) = (self.rng.below(4), self.rng.below(2));
        let hello = format!(r#"{{"hello":"potluck-link/1","private":"{name}","number":{running}}}"#);
        let said = format!(
            r#"{{"n":{n},"ack":{ack},"body":{{"private":{{"number":{n},"text":"psst","sent":"2026-01-02T03:04:05.678Z"}}}}}}"#
        );
        let close = format!(r#"{{"n":{n},"ack":{ack},"body":{{"close":"bye"}}}}"#);
        let input = match self.rng.below(9) {
            0 => PeerInput::Accepted(number, key, Route::Direct),
            1 => PeerInput::Dialled(number, Route::Direct),
            2 => PeerInput::DialFailed(number, ErrorCode::PeerUnreachable.into()),
            3 => PeerInput::Pinned(number, Ok(())),
            4 => PeerInput::Broken(conn, "gone".into()),
            5 => PeerInput::Line(conn, close.as_bytes()),
            6 => PeerInput::Line(conn, said.as_bytes()),
            _ => PeerInput::Line(conn, hello.as_bytes()),
        };
        self.handle(Input::Peer(input));
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..30 => self.user(),
            30..50 if matches!(self.at_hub, AtHub::There) => self.hub(),
            50..60 if matches!(self.at_hub, AtHub::There) => self.hub_of_parcels(),
            30..68 => self.connection(),
            68..76 => self.disk(),
            76..80 => self.parcel(),
            80..88 => self.peer(),
            88 => {
                let (name, received) = (self.name(), self.rng.below(50));
                self.handle(Input::InboxOpened(name, &Received { received, except: Vec::new() }));
            }
            89 => {
                let numbers = [self.rng.below(50)];
                self.handle(Input::Written(&numbers));
            }
            90 if self.rng.chance(10) => self.handle(Input::EndOfInput),
            91 if self.rng.chance(10) => self.handle(Input::Interrupt(130)),
            _ => {
                let millis = [0, 1, 20, 400, 700, 5_000, 100_000][self.rng.below(7) as usize];
                self.now = self.now + Duration::from_millis(millis);
                self.handle(Input::Tick);
            }
        }
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    world.handle(Input::Start);
    for _ in 0..world.rng.below(300) {
        if world.ended {
            return;
        }
        world.step();
    }
}

#[test]
fn nothing_that_comes_in_any_order_breaks_a_session() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let seeds = match number("POTLUCK_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("POTLUCK_RUNS").unwrap_or(1_000),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| play(seed)) {
            eprintln!("seed {seed} failed; again with: POTLUCK_SEED={seed} cargo test --lib session::tests::adversary");
            std::panic::resume_unwind(panic);
        }
    }
}
