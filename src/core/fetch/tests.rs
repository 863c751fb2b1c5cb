//! The machine by itself, told step by step what happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::invariants::Witness;
use super::*;
use crate::core::flow::TRIAL;
use crate::core::time::Time;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey, Route};

mod redialling;
mod ways;

const MIB: u64 = 1 << 20;

fn source(number: u8) -> Source {
    let address = SocketAddr::from(([10, 0, 0, number], 47_000));
    Source { name: format!("s{number}"), address, key: PublicKey([number; 32]), has: None }
}

fn file(name: &str, size: u64, sources: &[u32]) -> PlannedFile {
    let hash = ContentHash(*blake3::hash(if size == 0 { b"" } else { name.as_bytes() }).as_bytes());
    let (file, target, chunking) = (name.to_owned(), name.to_owned(), Chunking::for_size(size, None));
    PlannedFile { file, target, hash, chunking, modified: None, sources: sources.to_vec() }
}

struct Rig {
    fetch: Fetch,
    witness: Witness,
    now: Time,
}

impl Rig {
    fn new(plan: FetchPlan) -> Self {
        let found = Vec::new();
        let start = Start { seed: 0, cores: 2, trial: TRIAL, limited: false, found, path: "downloads/d".into() };
        Self { fetch: Fetch::new(Time(0), Arc::new(plan), start), witness: Witness::default(), now: Time(0) }
    }

    fn of_file(size: u64, sources: u8) -> Self {
        let (file, sources) = (file("a", size, &[]), (1..=sources).map(source).collect());
        Self::new(FetchPlan::of_file("a", file.hash, file.chunking, sources))
    }

    fn of_folder(files: Vec<PlannedFile>, sources: u8) -> Self {
        Self::new(FetchPlan {
            name: "d/".into(),
            hash: ContentHash([3; 32]),
            files,
            sources: (1..=sources).map(source).collect(),
            from: None,
            chunks: None,
            on_conflict: OnConflict::Fail,
            share: true,
            by_key: false,
            apart: false,
        })
    }

    fn outputs(&mut self) -> Vec<Output> {
        assert_eq!(self.witness.check(&self.fetch), Ok(()));
        std::iter::from_fn(|| self.fetch.poll()).collect()
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.fetch.handle(self.now, input);
        self.outputs()
    }

    fn wait(&mut self, span: Duration) -> Vec<Output> {
        let (end, mut outputs) = (self.now + span, Vec::new());
        while let Some(at) = self.fetch.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            outputs.extend(self.tell(Input::Tick));
        }
        self.now = end;
        outputs
    }

    fn open(&mut self, manifest: bool) -> Vec<Output> {
        let ready = Opened::Ready { path: "a".into(), claimed: Vec::new(), manifest };
        self.tell(Input::Opened(0, Ok(ready)))
    }

    /// Takes in all that was asked over a lane, and asks on as it is told.
    fn take_in(&mut self, lane: Lane, asked: &[Output]) {
        let mut asked: Vec<Output> = asked.to_vec();
        while let Some(output) = (!asked.is_empty()).then(|| asked.remove(0)) {
            match output {
                Output::AskChunks(of, run) if of == lane => {
                    for piece in run {
                        asked.extend(self.tell(Input::Arrived { lane, piece, bytes: MIB }));
                    }
                }
                Output::AskFiles(of, files) if of == lane => {
                    for piece in files {
                        asked.extend(self.tell(Input::Arrived { lane, piece, bytes: 1 }));
                    }
                }
                Output::Write(of, piece) => {
                    asked.extend(self.tell(Input::Written { lane: of, piece, result: Ok(()) }));
                }
                _ => {}
            }
        }
    }
}

fn dialled(outputs: &[Output]) -> Vec<Lane> {
    outputs.iter().filter_map(|o| if let Output::Dial { lane, .. } = o { Some(*lane) } else { None }).collect()
}

fn dropped(outputs: &[Output]) -> Vec<(&str, ErrorCode)> {
    let mut dropped = Vec::new();
    for output in outputs {
        if let Output::Note(TransferNote::Dropped { peer, failure }) = output {
            dropped.push((peer.as_str(), failure.code));
        }
    }
    dropped
}

#[test]
fn a_file_comes_over_two_lanes_and_is_placed_once() {
    let mut rig = Rig::of_file(16 * MIB, 1);
    assert_eq!(rig.outputs(), [Output::Open(0)]);
    let lanes = dialled(&rig.open(false));
    assert_eq!(lanes, [Lane(0), Lane(1)]);
    let started = TransferNote::Started { path: "a".into(), resumed: 0, route: Some(Route::Direct) };
    let outputs = rig.tell(Input::Connected(Lane(0), Route::Direct));
    assert_eq!(outputs, [Output::AskManifest(Lane(0)), Output::Note(started)], "it begins, and how it goes is known");
    assert_eq!(rig.tell(Input::Connected(Lane(1), Route::Direct)), [], "one of them asks for the manifest");
    let asked = rig.tell(Input::Manifest { lane: Lane(0), fits: true });
    assert!(asked.iter().all(|output| matches!(output, Output::AskChunks(..))), "{asked:?}");
    rig.take_in(Lane(0), &asked);
    rig.take_in(Lane(1), &asked);
    assert!(rig.fetch.outcome().is_none(), "it is not placed yet");
    rig.tell(Input::Ended(Lane(0), Ok(())));
    rig.tell(Input::Placed { file: 0, result: Ok(("a".into(), true)) });
    assert!(rig.fetch.outcome().is_none(), "a lane has not ended yet");
    rig.tell(Input::Ended(Lane(1), Ok(())));
    let got = rig.fetch.outcome().unwrap().unwrap();
    assert_eq!((got.path.as_str(), got.complete, got.from[0].bytes), ("a", true, 16 * MIB));
}

#[test]
fn who_is_silent_is_cut_and_named_when_its_lane_has_ended() {
    let mut rig = Rig::of_file(2 * MIB, 2);
    rig.outputs();
    rig.open(true);
    let asked = rig.tell(Input::Connected(Lane(0), Route::Direct));
    assert!(matches!(asked[..], [Output::AskChunks(..), ..]), "{asked:?}");
    let outputs = rig.wait(Duration::from_secs(9));
    assert_eq!(dialled(&outputs), [Lane(1)], "after a moment the other source is called in");
    assert!(!outputs.contains(&Output::Cut(Lane(0))));
    assert!(rig.wait(Duration::from_secs(2)).contains(&Output::Cut(Lane(0))));
    // What comes now comes too late.
    assert_eq!(rig.tell(Input::Arrived { lane: Lane(0), piece: 0, bytes: MIB }), []);
    let outputs = rig.tell(Input::Ended(Lane(0), Ok(())));
    assert_eq!(dropped(&outputs), [("s1", ErrorCode::PeerBroke)]);
}

#[test]
fn who_lied_loses_all_lanes_and_is_never_asked_again() {
    let mut rig = Rig::of_file(16 * MIB, 1);
    rig.outputs();
    rig.open(true);
    rig.tell(Input::Connected(Lane(0), Route::Direct));
    rig.tell(Input::Connected(Lane(1), Route::Direct));
    rig.tell(Input::Learned(vec![Source { has: Some([0].into_iter().collect()), ..source(2) }]));
    let outputs = rig.tell(Input::Ended(Lane(0), Err(LaneError::Lied(ErrorCode::BadChunk.into()))));
    assert_eq!(dropped(&outputs), [("s1", ErrorCode::BadChunk)]);
    assert!(outputs.contains(&Output::Cut(Lane(1))));
    rig.tell(Input::Ended(Lane(1), Ok(())));
    assert_eq!(dialled(&rig.tell(Input::Learned(vec![source(1)]))), []);
    assert_eq!(dialled(&rig.tell(Input::Learned(vec![source(3)]))), [Lane(3)]);
}

#[test]
fn a_folder_makes_streams_and_fetches_and_tells_of_each_failure() {
    let files = vec![
        file("d/none", 0, &[0]),
        file("d/small", 5, &[0]),
        file("d/nobody", 5, &[]),
        file("d/large", 3 * MIB, &[0]),
    ];
    let mut rig = Rig::of_folder(files, 1);
    let outputs = rig.outputs();
    assert!(outputs.contains(&Output::Make(0)) && outputs.contains(&Output::Open(3)), "{outputs:?}");
    let failed =
        |output: &Output| matches!(output, Output::Note(TransferNote::FileFailed { file, .. }) if file == "d/nobody");
    assert_eq!(outputs.iter().filter(|output| failed(output)).count(), 1);
    rig.tell(Input::Placed { file: 0, result: Ok(("d/none".into(), true)) });
    let stream = dialled(&outputs)[0];
    let asked = rig.tell(Input::Connected(stream, Route::Direct));
    rig.take_in(stream, &asked);
    let full = Failure::new(ErrorCode::NotWritable, "It cannot be written.");
    rig.tell(Input::Opened(3, Err(full)));
    assert!(rig.fetch.outcome().is_none());
    rig.tell(Input::Ended(stream, Ok(())));
    let failure = rig.fetch.outcome().unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::SourceGone);
    assert!(failure.message.starts_with("2 of 4 files could not be had"), "{failure}");
}

#[test]
fn what_is_cancelled_ends_when_its_lanes_have() {
    let mut rig = Rig::of_file(16 * MIB, 1);
    rig.outputs();
    rig.open(true);
    rig.tell(Input::Connected(Lane(0), Route::Direct));
    let outputs = rig.tell(Input::Cancel);
    assert_eq!(outputs, [Output::Cut(Lane(0)), Output::Cut(Lane(1))]);
    rig.tell(Input::Ended(Lane(0), Ok(())));
    let outputs = rig.tell(Input::Ended(Lane(1), Ok(())));
    assert_eq!(outputs, [Output::Leave { file: 0, discard: true }]);
    rig.tell(Input::Placed { file: 0, result: Err(ErrorCode::Interrupted.into()) });
    assert_eq!(rig.fetch.outcome().unwrap().unwrap_err().code, ErrorCode::Interrupted);
}
