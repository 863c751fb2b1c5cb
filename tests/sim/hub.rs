//! Hub and clients in simulation: what must hold on any network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::seeds::play_seeds;
use crate::trouble::Trouble;
use potluck::core::Rng;
use potluck::protocol::{Client, ErrorCode, Event, EventLine, Follow, Follows, Id, Offer, Presence};
use potluck::sim::{ClientId, ClientOptions, Sim, SimConfig};

const SEEDS: u64 = 500;
const NAMES: [&str; 4] = ["anna", "ben", "cleo", "dora"];

/// One random run: four clients come and go, offer, withdraw and fetch, are killed and started again, over a
/// network that delays, breaks and falls silent, with a hub that crashes and loses what it was writing.
struct Run {
    sim: Sim,
    rng: Rng,
    clients: Vec<ClientId>,
    /// What each of them follows.
    follows: Vec<Follows>,
    asked: BTreeMap<(ClientId, i64), &'static str>,
    /// Requests that came after a registration, and may not be refused for want of one.
    must_be_registered: Vec<(ClientId, i64)>,
    next_id: i64,
}

impl Trouble for Run {
    fn parts(&mut self) -> (&mut Sim, &mut Rng) {
        (&mut self.sim, &mut self.rng)
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let ms = Duration::from_millis;
        let config = SimConfig { seed, latency: (ms(1), ms(60)), commit: (ms(1), ms(100)), ..SimConfig::default() };
        let mut sim = Sim::new(config);
        let mut rng = Rng(seed ^ 0xfeed);
        let mut any = || [Follow::None, Follow::Changes, Follow::Table, Follow::Table][rng.below(4) as usize];
        let follows: Vec<Follows> = NAMES.iter().map(|_| Follows { table: any(), roster: any() }).collect();
        let clients: Vec<ClientId> =
            follows.iter().enumerate().map(|(index, follows)| join(&mut sim, index, *follows)).collect();
        let mut run =
            Self { sim, rng, clients, follows, asked: BTreeMap::new(), must_be_registered: Vec::new(), next_id: 1 };
        for index in 0..run.clients.len() {
            run.ask(index, "setdir", r#""dir":"dir""#);
        }
        // A client that is refused at its first try ends; what is practised here is what comes after.
        run.sim.run_for(Duration::from_secs(1));
        run
    }

    /// A client's process or machine dies, and is started again with the same key and name.
    fn restart(&mut self, index: usize) {
        self.kill_somehow(self.clients[index]);
        self.pause(2_500);
        self.clients[index] = join(&mut self.sim, index, self.follows[index]);
        self.ask(index, "setdir", r#""dir":"dir""#);
        // Its predecessor may hold the name until the hub has asked for it in vain.
        self.sim.run_for(Duration::from_secs(3));
    }

    /// A client takes a new name while the hub dies, so that the commit is lost, or not quite.
    fn rename_in_a_crash(&mut self, index: usize) {
        let name = format!("{}-{}", NAMES[index], self.next_id);
        self.ask(index, "dereg", "");
        self.ask(index, "register", &format!(r#""name":"{name}""#));
        self.must_be_registered.push((self.clients[index], self.next_id));
        self.ask(index, "withdraw", r#""files":["none"]"#);
        self.pause(200);
        if self.rng.chance(50) {
            // Nobody is left to take the name again, should it be lost.
            self.sim.power_off(self.clients[index]);
        }
        self.crash_hub();
        if self.sim.ended(self.clients[index]).is_some() {
            self.restart(index);
        }
    }

    fn ask(&mut self, index: usize, request: &'static str, body: &str) {
        let (client, id) = (self.clients[index], self.next_id);
        self.next_id += 1;
        self.asked.insert((client, id), request);
        let comma = if body.is_empty() { "" } else { "," };
        self.sim.line(client, format!(r#"{{"id":{id},"request":"{request}"{comma}{body}}}"#));
    }

    fn act(&mut self) {
        let index = self.rng.below(4) as usize;
        let client = self.clients[index];
        let file = ["a", "b", "c"][self.rng.below(3) as usize];
        let owner = NAMES[self.rng.below(4) as usize];
        match self.rng.below(23) {
            0..=5 => self.ask(index, "offer", &format!(r#""files":["{file}"]"#)),
            6..=7 => self.ask(index, "withdraw", &format!(r#""files":["{file}"]"#)),
            8..=10 => {
                let body = format!(r#""file":"{file}","from":"{owner}","to":"{}""#, self.next_id);
                self.ask(index, "get", &body);
            }
            11 => self.ask(index, "list", ""),
            12 => self.ask(index, "dereg", ""),
            13 => self.ask(index, "rereg", ""),
            14 => self.ask(index, "who", ""),
            15..=16 => self.sim.break_client(client),
            17 => self.sim.silence_client(client),
            18 => self.crash_hub(),
            19..=20 => self.restart(index),
            21 => self.rename_in_a_crash(index),
            _ => self.cut_all(),
        }
    }

    fn check(&self) {
        let hub = self.sim.hub().expect("the hub runs at the end");
        let table: Vec<Offer> = hub.offers();
        for (&client, &follows) in self.clients.iter().zip(&self.follows) {
            let told = self.sim.told(client);
            assert_eq!(self.sim.ended(client), None, "nobody gives up");
            let last_lost = told.iter().rposition(|line| matches!(line.event, Event::HubLost(_)));
            let last_back = told.iter().rposition(|line| matches!(line.event, Event::HubBack(_)));
            assert!(last_lost <= last_back, "the hub is back for everyone");
            let replica: Vec<Offer> = self.sim.session(client).replica().offers().collect();
            let (whole_table, whole_roster) = (follows.table == Follow::Table, follows.roster == Follow::Table);
            assert_eq!(replica, if whole_table { table.clone() } else { vec![] }, "every table equals the hub's");
            let mut roster: Vec<_> = self.sim.session(client).replica().clients().cloned().collect();
            let mut here = hub.roster();
            roster.sort_by_key(|c| c.number);
            here.sort_by_key(|c| c.number);
            if whole_roster {
                assert_eq!(roster, here, "every roster equals the hub's");
            }
            for line in told {
                let Event::Table(answer) = &line.event else { continue };
                let was = |offers: &[Offer]| offers == answer.offers && answer.next.is_none();
                let revision = answer.revision;
                assert!(self.sim.offered_at(revision).any(was), "no such table at {revision}: {answer:?}");
            }
            assert!(here.iter().all(|client| client.state == Presence::Online), "everybody is back: {here:?}");
            let reader = Reader::of(told, follows);
            let mine = table.iter().filter(|offer| reader.name.as_deref() == Some(&offer.owner));
            let offered: BTreeSet<&str> = mine.map(|offer| offer.file.as_str()).collect();
            let acked = reader.acked.iter().map(String::as_str).filter(|_| reader.name.is_some());
            assert_eq!(offered, acked.collect(), "what was acknowledged is offered, and nothing else");
            if whole_table {
                assert_eq!(reader.offers.into_values().collect::<Vec<_>>(), table, "the events alone give the table");
            }
            let mut roster: Vec<_> = reader.clients.into_values().collect();
            roster.sort_by_key(|c| c.number);
            if whole_roster {
                assert_eq!(roster, here, "the events alone give the roster");
            }
        }
        let living = |((client, _), _): &(&(ClientId, i64), &&str)| self.clients.contains(client);
        for (&(client, id), request) in self.asked.iter().filter(living) {
            let about: Vec<_> = self.sim.told(client).iter().filter(|line| line.id == Some(Id::Number(id))).collect();
            let finals = about.iter().filter(|line| line.last).count();
            assert_eq!(finals, 1, "one final event for {request} {id}");
            assert!(about.last().is_some_and(|line| line.last), "nothing after the final event of {request} {id}");
            let started = about.iter().filter(|line| matches!(line.event, Event::TransferStarted(_))).count();
            assert!(started <= 1, "{request} {id} was done twice");
            let unregistered =
                |line: &&EventLine| matches!(&line.event, Event::Error(e) if e.code == ErrorCode::NotRegistered);
            let too_early = self.must_be_registered.contains(&(client, id)) && about.iter().any(unregistered);
            assert!(!too_early, "{request} {id} overtook a registration");
        }
    }
}

/// Starts a client with its files; its key is always the same.
fn join(sim: &mut Sim, index: usize, follow: Follows) -> ClientId {
    let options = ClientOptions { key: Some(index as u8 + 1), follow, ..ClientOptions::default() };
    let client = sim.join(NAMES[index], options);
    for file in ["a", "b", "c"] {
        sim.give_file(client, "dir", file, format!("{file} of {index}").as_bytes());
    }
    client
}

/// Somebody who knows nothing but the events.
#[derive(Default)]
struct Reader {
    offers: BTreeMap<(String, String), Offer>,
    clients: BTreeMap<String, Client>,
    /// The client's own name, if it is registered, and what it offers.
    name: Option<String>,
    acked: BTreeSet<String>,
    /// The newest revisions of table and roster in this run of the hub.
    seen: (u64, u64),
    follows: Follows,
}

impl Reader {
    fn of(told: &[EventLine], follows: Follows) -> Self {
        let mut reader = Self { follows, ..Self::default() };
        told.iter().for_each(|line| reader.read(&line.event));
        reader
    }

    fn read(&mut self, event: &Event) {
        match event {
            Event::Welcome(welcome) => self.name = Some(welcome.name.clone()),
            Event::Deregistered(_) => self.name = None,
            Event::OfferAcked(acked) => self.acked.extend(acked.offers.iter().map(|offer| offer.file.clone())),
            Event::Withdrawn(withdrawn) => self.acked.retain(|file| !withdrawn.files.contains(file)),
            Event::HubBack(back) if !back.resumed => self.seen = (0, 0),
            Event::TableUpdated(update) => {
                follow(&mut self.seen.0, update.revision, update.full);
                if update.full {
                    self.offers.clear();
                }
                let key = |file: &String, owner: &String| (file.clone(), owner.clone());
                for gone in &update.removed {
                    self.offers.remove(&key(&gone.file, &gone.owner));
                }
                self.offers.extend(update.added.iter().map(|offer| (key(&offer.file, &offer.owner), offer.clone())));
                assert_ne!(self.follows.table, Follow::None, "who follows nothing is told nothing");
                if self.follows.table == Follow::Table {
                    assert_eq!(self.offers.len() as u64, update.total, "the total that is told is right");
                }
            }
            Event::RosterUpdated(update) => {
                follow(&mut self.seen.1, update.revision, update.full);
                if update.full {
                    self.clients.clear();
                }
                for client in &update.clients {
                    match client.state {
                        Presence::Offline => self.clients.remove(&client.name),
                        _ => self.clients.insert(client.name.clone(), Client { you: false, ..client.clone() }),
                    };
                    // After `dereg`, our own going is told too.
                    let ours = self.name.as_ref() == Some(&client.name);
                    assert!(client.you == ours || client.state == Presence::Offline, "it says which are ourselves");
                }
                assert_ne!(self.follows.roster, Follow::None, "who follows nothing is told nothing");
                if self.follows.roster == Follow::Table {
                    assert_eq!(self.clients.len() as u64, update.total, "the total that is told is right");
                }
            }
            _ => {}
        }
    }
}

/// Revisions go forward; the same again is only told as a whole.
fn follow(seen: &mut u64, revision: u64, full: bool) {
    assert!(revision > *seen || (full && revision == *seen), "revision {revision} is told after {seen}");
    *seen = revision;
}

/// Whoever was welcomed under a name still owns it, whatever the hub has lost meanwhile.
fn check_names(mut run: Run) {
    let words = run.sim.all_told().filter_map(|line| match &line.event {
        Event::Welcome(welcome) => Some(welcome.name.clone()),
        _ => None,
    });
    let names: BTreeSet<String> = words.collect();
    run.sim.crash_hub();
    run.sim.start_hub();
    let impostors: Vec<_> = names
        .iter()
        .map(|name| (name, run.sim.join(name, ClientOptions { key: Some(99), ..ClientOptions::default() })))
        .collect();
    run.sim.run_for(Duration::from_secs(3));
    for (name, impostor) in impostors {
        assert_eq!(run.sim.ended(impostor), Some(4), "{name} was welcomed, and is given to somebody else");
    }
}

fn play(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..30 {
        run.pause(400);
        run.act();
    }
    // Long enough for every pause of reconnecting and for the grace.
    run.sim.run_for(Duration::from_secs(45));
    for index in 0..4 {
        run.ask(index, "list", "");
    }
    run.sim.run_for(Duration::from_secs(5));
    run.check();
    check_names(run);
}

#[test]
fn on_any_network_tables_agree_and_every_request_is_answered_once() {
    play_seeds(SEEDS, play);
}

/// A client is killed and started again, several times within a second. Nobody but the last one lives.
fn play_restarts(seed: u64) {
    let ms = Duration::from_millis;
    let config = SimConfig { seed, latency: (ms(1), ms(60)), commit: (ms(1), ms(100)), ..SimConfig::default() };
    let mut run = Run { sim: Sim::new(config), ..Run::new(seed) };
    run.clients = vec![join(&mut run.sim, 0, Follows::default())];
    run.pause(1_000);
    for _ in 0..1 + run.rng.below(5) {
        match run.rng.chance(30) {
            true => run.sim.kill(run.clients[0]),
            // Nobody closes the connection, as with a process that is killed on QUIC.
            false => run.sim.power_off(run.clients[0]),
        }
        run.pause(300);
        run.clients[0] = join(&mut run.sim, 0, Follows::default());
        run.pause(300);
    }
    run.sim.run_for(ms(1_500));
    let told = run.sim.told(run.clients[0]);
    assert!(told.iter().any(|line| matches!(line.event, Event::Welcome(_))), "the last one is let in: {told:?}");
    assert_eq!(run.sim.hub().expect("it runs").roster().len(), 1);
}

#[test]
fn a_client_that_is_started_again_and_again_is_let_in() {
    play_seeds(SEEDS, play_restarts);
}
