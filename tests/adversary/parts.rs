//! The smaller machines: links, transfers of chunks and of small files, and what waits for a slow reader.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use potluck::core::fetch::chunks::Chunks;
use potluck::core::fetch::chunks::invariants::Witness;
use potluck::core::fetch::invariants::Witness as FetchWitness;
use potluck::core::fetch::small_files::{Item, Room, SmallFiles};
use potluck::core::fetch::{
    Fetch, FetchPlan, Found, Input, Lane, LaneError, Opened, Output, PlannedFile, Source, Start,
};
use potluck::core::outbox::{Bounds, Outbox, Popped, Queued, StateKey};
use potluck::core::{Link, LinkConfig, Rng, Time};
use potluck::protocol::event::Kind;
use potluck::protocol::limits::{LINK_BYTES, LINK_FRAMES};
use potluck::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey, Route};

/// A link waits for something exactly while it has a connection.
fn is_up(link: &Link) -> bool {
    link.next_timeout().is_some()
}

/// Two ends whose connection breaks at any moment, and one that lies about what it has: what an honest end says arrives
/// once and in order.
fn link_run(seed: u64) {
    let mut rng = Rng(seed);
    let mut ends = [Link::new(LinkConfig::hub()), Link::new(LinkConfig::client())];
    let (mut now, mut said, mut heard) = (Time(0), [0_u64; 2], [0_u64; 2]);
    let liar = rng.chance(30);
    for _ in 0..rng.below(300) {
        let at = rng.below(2) as usize;
        now = now + Duration::from_millis([0, 1, 20, 400, 600, 5_000][rng.below(6) as usize]);
        match rng.below(8) {
            0 => {
                ends.iter_mut().for_each(Link::detach);
                let received = [ends[0].received(), ends[1].received()];
                assert!(ends[0].attach(now, received[1]).and(ends[1].attach(now, received[0])).is_ok());
            }
            1 => ends.iter_mut().for_each(Link::detach),
            2 => drop(ends[at].tick(now)),
            3 => ends[at].probe(now),
            4 if liar => {
                // A fault or not: it must only not count for what it is not.
                let (number, ack) = (rng.below(9), rng.below(9));
                let mut other = Link::new(LinkConfig::hub());
                let _ = other.attach(now, rng.below(3));
                let _ = other.receive(now, Some(number).filter(|_| rng.chance(70)), ack, rng.chance(20));
                let _ = other.poll(now);
                assert!(other.received() <= 1 && other.acknowledged() == 0);
            }
            5 | 6 => {
                if ends[at].send(now, "words".into()).is_ok() {
                    said[at] += 1;
                }
            }
            _ => {
                while let Some(frame) = ends[at].poll(now) {
                    let number = frame.body.as_ref().map(|(number, _)| *number);
                    if rng.chance(10) {
                        // It is lost, and the connection with it.
                        ends.iter_mut().for_each(Link::detach);
                        break;
                    }
                    if is_up(&ends[1 - at]) && ends[1 - at].receive(now, number, frame.ack, frame.probe) == Ok(true) {
                        heard[1 - at] += 1;
                        assert_eq!(number, Some(heard[1 - at]), "in order, each once");
                    }
                }
            }
        }
        assert!(heard[1] <= said[0] && heard[0] <= said[1]);
        assert!(ends[at].acknowledged() <= said[at]);
    }
}

fn link_is_bounded(seed: u64) {
    let mut rng = Rng(seed);
    let mut link = Link::new(LinkConfig::hub());
    let (mut frames, mut bytes) = (0, 0);
    let size = 1 + rng.below(1 << 20) as usize;
    while link.send(Time(0), "x".repeat(size).into()).is_ok() {
        (frames, bytes) = (frames + 1, bytes + size);
    }
    assert!(frames <= LINK_FRAMES && bytes <= LINK_BYTES);
}

#[test]
fn link() {
    crate::seeds::play_seeds(3_000, link_run);
    crate::seeds::play_seeds(20, link_is_bounded);
}

fn some_chunks(rng: &mut Rng) -> ChunkSet {
    (0..70).filter(|_| rng.chance(40)).collect()
}

/// Sources come, lie about what they have, and go; chunks that nobody asked for are said to be done.
fn swarm_run(seed: u64) {
    let mut rng = Rng(seed);
    let count = rng.below(64) as u32;
    let wanted = rng.chance(30).then(|| (0..count).filter(|_| rng.chance(50)).collect());
    let mut swarm = Chunks::new(count, wanted, rng.chance(50), seed);
    let (mut witness, mut lanes, mut sources): (_, Vec<Lane>, u32) = (Witness::default(), Vec::new(), 0);
    for _ in 0..rng.below(200) {
        let (source, chunk) = (rng.below(u64::from(sources) + 2) as u32, rng.below(66) as u32);
        let lane = (!lanes.is_empty()).then(|| lanes[rng.below(lanes.len() as u64) as usize]);
        match rng.below(12) {
            0 => {
                let has = some_chunks(&mut rng);
                swarm.add_source(Some(&has).filter(|_| rng.chance(70)));
                sources += 1;
            }
            1 => {
                let has = some_chunks(&mut rng);
                swarm.has_more(source, Some(&has).filter(|_| rng.chance(80)));
            }
            2 => swarm.drop_source(source),
            3 => swarm.claim(chunk),
            4 => swarm.disown(chunk),
            5 if source < sources => {
                lanes.push(Lane(lanes.len() as u32));
                swarm.join(lanes[lanes.len() - 1], source);
            }
            6 => {
                let Some(lane) = lane else { continue };
                swarm.leave(lane);
            }
            7 => drop(swarm.done(chunk)),
            8 => swarm.source_away(source),
            9 => swarm.source_here(source),
            _ => {
                let (Some(lane), max) = (lane, rng.below(5) as u32) else { continue };
                if let Some(run) = swarm.next(lane, max) {
                    witness.check_run(&swarm, lane, &run, max).unwrap();
                    if rng.chance(60) {
                        run.for_each(|chunk| _ = swarm.done(chunk));
                    }
                }
            }
        }
        let _ = (swarm.has(chunk), swarm.is_useful(source), swarm.can_give(source, chunk), swarm.next_claimed(chunk));
        let _ = (swarm.is_starved(), swarm.is_wanting(), swarm.is_complete(), swarm.is_whole());
        witness.check(&swarm).unwrap();
    }
}

#[test]
fn swarm() {
    crate::seeds::play_seeds(3_000, swarm_run);
}

/// Files are struck, claimed and done by lanes that never had them.
fn batch_run(seed: u64) {
    let mut rng = Rng(seed);
    let (files, sources) = (rng.below(30) as u32, 1 + rng.below(4) as u32);
    let item = |rng: &mut Rng| Item {
        size: rng.below(1_000),
        line: 10,
        sources: (0..sources).filter(|_| rng.chance(60)).collect(),
    };
    let items = (0..files).map(|_| item(&mut rng)).collect();
    let mut batch = SmallFiles::new(items, sources as usize, 1 + rng.below(4) as usize);
    let (mut lanes, mut failed, mut done): (Vec<Lane>, Vec<u32>, Vec<u32>) = Default::default();
    for _ in 0..rng.below(200) {
        let (source, file) = (rng.below(u64::from(sources)) as u32, rng.below(u64::from(files) + 2) as u32);
        let lane = (!lanes.is_empty()).then(|| lanes[rng.below(lanes.len() as u64) as usize]);
        let Some(lane) = lane else {
            lanes.push(Lane(0));
            batch.join(Lane(0), source);
            continue;
        };
        match rng.below(9) {
            0 => {
                lanes.push(Lane(lanes.len() as u32));
                batch.join(lanes[lanes.len() - 1], source);
            }
            1 => batch.leave(lane),
            2 => batch.drop_source(source, &ErrorCode::PeerBroke.into()),
            3 => batch.strike(lane, file, ErrorCode::SourceGone.into()),
            4 => batch.take_over(lane),
            5 => batch.fail(file, ErrorCode::DiskFull.into()),
            6 => {
                if batch.claim(lane, file) && rng.chance(80) {
                    assert!(!done.contains(&file), "file {file} is written twice");
                    batch.done(file);
                    done.push(file);
                }
            }
            _ => {
                let room = Room { bytes: rng.below(3_000), line: rng.below(50) as usize };
                for file in batch.take(lane, room) {
                    assert!(!done.contains(&file) && !failed.contains(&file), "file {file} is fetched again");
                }
            }
        }
        let _ = (batch.has_work(lane), batch.next_source(|source| source % 2 == 0), batch.dropped(source));
        failed.extend(batch.take_failed().into_iter().map(|(file, _)| file));
    }
    batch.fail_rest(&ErrorCode::Interrupted.into());
    failed.extend(batch.take_failed().into_iter().map(|(file, _)| file));
    assert!(batch.is_over());
    let mut all: Vec<u32> = failed.into_iter().chain(done).collect();
    all.sort_unstable();
    assert_eq!(all, (0..files).collect::<Vec<_>>(), "each file is done or has failed, once");
}

#[test]
fn batch() {
    crate::seeds::play_seeds(3_000, batch_run);
}

fn route(rng: &mut Rng) -> Route {
    [Route::Direct, Route::Punched, Route::Relayed][rng.below(3) as usize]
}

/// A driver that says anything at any time: of lanes that have ended, pieces that nobody asked for, files that are not
/// there.
fn fetch_run(seed: u64) {
    let mut rng = Rng(seed);
    let source = |number: u64| {
        let (address, key) = (SocketAddr::from(([10, 0, 0, 1], number as u16)), PublicKey([number as u8; 32]));
        Source { name: number.to_string(), address, key, has: None }
    };
    let files = if rng.chance(50) { 1 } else { rng.below(20) };
    let sizes = [0, 5, 5_000, 1 << 20, (1 << 20) + 1, 9 << 20];
    let file = |rng: &mut Rng| PlannedFile {
        file: "file".into(),
        target: "file".into(),
        hash: ContentHash([7; 32]),
        chunking: Chunking::for_size(sizes[rng.below(6) as usize], None),
        modified: None,
        sources: (0..5).filter(|_| rng.chance(60)).collect(),
    };
    let plan = FetchPlan {
        name: if files == 1 { "file".into() } else { "folder/".into() },
        hash: ContentHash([7; 32]),
        files: (0..files).map(|_| file(&mut rng)).collect(),
        sources: (0..rng.below(5)).map(source).collect(),
        from: None,
        chunks: rng.chance(30).then(|| some_chunks(&mut rng)),
        on_conflict: OnConflict::Fail,
        share: rng.chance(80),
        by_key: false,
        apart: false,
    };
    let found =
        (0..rng.below(20)).map(|_| if rng.chance(80) { Ok(Found::Missing) } else { Err(ErrorCode::Exists.into()) });
    let (found, cores) = (found.collect(), rng.below(20) as usize);
    let start = Start { seed, cores, trial: Duration::from_secs(1), limited: rng.chance(20), found, path: "d".into() };
    let (mut now, mut fetch) = (Time(0), Fetch::new(Time(0), Arc::new(plan), start));
    let (mut witness, mut open): (FetchWitness, Vec<Lane>) = Default::default();
    for _ in 0..rng.below(300) {
        now = now + Duration::from_millis([0, 1, 20, 600, 11_000][rng.below(5) as usize]);
        let (any, piece) = (Lane(rng.below(12) as u32), rng.below(24) as u32);
        let lane = if open.is_empty() || rng.chance(20) { any } else { open[rng.below(open.len() as u64) as usize] };
        let failure = || Failure::from(ErrorCode::PeerBroke);
        let input = match rng.below(17) {
            0 => {
                let claimed = some_chunks(&mut rng).iter().collect();
                let ready = Opened::Ready { path: "file".into(), claimed, manifest: rng.chance(50) };
                Input::Opened(piece % 20, Ok(ready))
            }
            1 | 2 => Input::Connected(lane, route(&mut rng)),
            3 => Input::Manifest { lane, fits: rng.chance(70) },
            4 => Input::Moved { lane, bytes: rng.below(1 << 20) },
            5 | 6 => Input::Arrived { lane, piece, bytes: rng.below(1 << 20) },
            7 => Input::Written { lane, piece, result: if rng.chance(80) { Ok(()) } else { Err(failure()) } },
            8 => Input::Refused { lane, piece, failure: failure() },
            9 => {
                open.retain(|known| *known != lane);
                let errors = [LaneError::Lost, LaneError::Silent, LaneError::Broke, LaneError::Lied, LaneError::Fatal];
                let error = errors[[0, 0, 0, 1, 2, 3, 4][rng.below(7) as usize]](failure());
                Input::Ended(lane, if rng.chance(30) { Ok(()) } else { Err(error) })
            }
            10 => Input::Checked { chunk: piece, right: rng.chance(50) },
            11 => Input::Placed { file: piece, result: Ok(("file".into(), rng.chance(50))) },
            12 => Input::Learned(vec![source(rng.below(9))]),
            13 => {
                let (Source { address, key, .. }, moves) = (source(rng.below(6)), rng.chance(50));
                let address =
                    SocketAddr::from(([10, 0, 0, if moves { rng.below(3) as u8 } else { 1 }], address.port()));
                Input::Whereabouts(key, rng.chance(80).then_some(address))
            }
            14 => Input::Better(source(rng.below(6)).key, route(&mut rng)),
            15 => Input::NetworkChanged,
            _ if rng.chance(5) => Input::Cancel,
            _ => Input::Tick,
        };
        fetch.handle(now, input);
        witness.check(&fetch).unwrap();
        while let Some(output) = fetch.poll() {
            if let Output::Dial { lane, .. } = output {
                open.push(lane);
            }
        }
        let _ = (fetch.next_timeout(), fetch.outcome(), fetch.missing());
    }
}

#[test]
fn fetch() {
    crate::seeds::play_seeds(3_000, fetch_run);
}

struct Note(u64, usize);

impl Queued for Note {
    fn stamp(&self) -> u64 {
        self.0
    }

    fn bytes(&self) -> usize {
        self.1
    }
}

/// Facts come out in order, or are counted in a gap at their place; nothing grows beyond its bounds.
fn outbox_run(seed: u64) {
    let mut rng = Rng(seed);
    let bounds = Bounds { facts: 1 + rng.below(8) as usize, bytes: 1 + rng.below(100) as usize };
    let mut outbox = Outbox::new(bounds);
    let (mut pushed, mut popped) = (0, 0);
    for step in 0..rng.below(300) {
        match rng.below(5) {
            0 | 1 => {
                pushed += 1;
                outbox.push_fact(Note(pushed, rng.below(50) as usize));
            }
            2 => {
                let kinds = [Kind::TableUpdated, Kind::RosterUpdated, Kind::OfferProgress, Kind::TransferProgress];
                let keys = kinds.map(|kind| StateKey { kind, of: if kind == kinds[3] { rng.below(3) } else { 0 } });
                // States have no number of their own.
                outbox.push_state(keys[rng.below(4) as usize], Note(0, 5), |old, new| *old = new);
            }
            _ => match outbox.pop() {
                Some(Popped::Item(Note(0, _))) | None => {}
                Some(Popped::Item(Note(stamp, _))) => {
                    assert_eq!(stamp, popped + 1, "step {step}: in order");
                    popped = stamp;
                }
                Some(Popped::Gap(gap)) => {
                    assert_eq!((gap.first, gap.last - gap.first + 1), (popped + 1, gap.dropped), "what is missing");
                    popped = gap.last;
                }
            },
        }
    }
    while let Some(next) = outbox.pop() {
        match next {
            Popped::Item(Note(stamp, _)) => popped = popped.max(stamp),
            Popped::Gap(gap) => popped = gap.last,
        }
    }
    assert!(popped == pushed && outbox.is_empty());
}

#[test]
fn outbox() {
    crate::seeds::play_seeds(3_000, outbox_run);
}
