//! Sources that are lost, and dialled again.

use super::*;

fn lost() -> LaneError {
    LaneError::Lost(Failure::new(ErrorCode::PeerBroke, "The connection was closed."))
}

fn unreachable() -> LaneError {
    LaneError::Lost(ErrorCode::PeerUnreachable.into())
}

fn stalls(outputs: &[Output]) -> Vec<u64> {
    let left = |output: &Output| match output {
        Output::Note(TransferNote::Stalled { left }) => Some(*left),
        _ => None,
    };
    outputs.iter().filter_map(left).collect()
}

impl Rig {
    /// A file of which the first lane has brought something, so that its source is known to be there.
    fn under_way(size: u64, sources: u8) -> Self {
        let mut rig = Self::of_file(size, sources);
        rig.outputs();
        rig.open(true);
        let asked = rig.tell(Input::Connected(Lane(0), Route::Direct));
        assert!(matches!(asked[0], Output::AskChunks(Lane(0), _)), "{asked:?}");
        rig.tell(Input::Arrived { lane: Lane(0), piece: 0, bytes: MIB });
        rig.tell(Input::Written { lane: Lane(0), piece: 0, result: Ok(()) });
        rig
    }

    /// Lets every dial fail, until the transfer is over or the time is; gives what was said, and how many dials there were.
    fn fail_dials(&mut self, span: Duration) -> (Vec<Output>, usize) {
        let (end, mut said, mut dials) = (self.now + span, Vec::new(), 0);
        while self.now < end && self.fetch.outcome().is_none() {
            let Some(at) = self.fetch.next_timeout().filter(|at| *at <= end) else { break };
            self.now = at;
            let mut outputs = self.tell(Input::Tick);
            while !outputs.is_empty() {
                let dialled = dialled(&outputs);
                dials += dialled.len();
                let leaves = outputs.iter().any(|output| matches!(output, Output::Leave { .. }));
                said.append(&mut outputs);
                if leaves {
                    outputs = self.tell(Input::Placed { file: 0, result: Err(ErrorCode::Interrupted.into()) });
                }
                for lane in dialled {
                    outputs.extend(self.tell(Input::Ended(lane, Err(unreachable()))));
                }
            }
        }
        (said, dials)
    }
}

#[test]
fn the_only_source_that_breaks_is_dialled_again_at_once_and_nobody_hears_of_it() {
    let mut rig = Rig::under_way(3 * MIB, 1);
    assert_eq!(rig.tell(Input::Ended(Lane(0), Err(lost()))), []);
    let outputs = rig.wait(Duration::from_millis(250));
    assert_eq!(dialled(&outputs), [Lane(1)]);
    let asked = rig.tell(Input::Connected(Lane(1), Route::Direct));
    let pieces = asked.iter().find_map(|o| if let Output::AskChunks(_, run) = o { Some(run.clone()) } else { None });
    assert!(!pieces.unwrap().contains(&0), "what is there is not asked for again: {asked:?}");
    rig.take_in(Lane(1), &asked);
    let outputs = rig.tell(Input::Ended(Lane(1), Ok(())));
    assert_eq!(dropped(&outputs), []);
    rig.tell(Input::Placed { file: 0, result: Ok(("a".into(), true)) });
    assert_eq!(rig.fetch.outcome().unwrap().unwrap().from[0].bytes, 3 * MIB);
}

#[test]
fn the_only_source_that_does_not_come_back_is_given_up_after_half_a_minute() {
    let mut rig = Rig::under_way(3 * MIB, 1);
    let began = rig.now;
    rig.tell(Input::Ended(Lane(0), Err(lost())));
    let (said, dials) = rig.fail_dials(Duration::from_secs(60));
    assert_eq!(stalls(&said), [28_000], "told once, with what is left");
    assert_eq!(dropped(&said), [("s1", ErrorCode::PeerBroke)], "told once, at the end");
    assert!((12..30).contains(&dials), "{dials}");
    let failure = rig.fetch.outcome().unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::PeerBroke);
    assert_eq!(failure.message, "The connection was closed. It was not back within 30 s.");
    assert_eq!(rig.now - began, Duration::from_secs(30));
}

#[test]
fn a_source_that_never_answered_is_given_up_as_soon_as_its_dials_fail() {
    let mut rig = Rig::of_file(3 * MIB, 1);
    rig.outputs();
    rig.open(true);
    let outputs = rig.tell(Input::Ended(Lane(0), Err(unreachable())));
    assert_eq!(dropped(&outputs), [("s1", ErrorCode::PeerUnreachable)]);
    assert!(outputs.contains(&Output::Leave { file: 0, discard: true }), "{outputs:?}");
}

#[test]
fn who_is_to_blame_is_not_dialled_again() {
    for code in [ErrorCode::PeerRefused, ErrorCode::PeerKeyChanged, ErrorCode::SourceGone, ErrorCode::SourceChanged] {
        let mut rig = Rig::under_way(3 * MIB, 1);
        let outputs = rig.tell(Input::Ended(Lane(0), Err(LaneError::Broke(code.into()))));
        assert_eq!(dropped(&outputs), [("s1", code)]);
        assert!(outputs.contains(&Output::Leave { file: 0, discard: false }), "{outputs:?}");
    }
}

#[test]
fn who_is_lost_while_others_go_on_is_named_once_it_does_not_answer_and_used_again_when_it_does() {
    let mut rig = Rig::under_way(64 * MIB, 2);
    rig.tell(Input::Connected(Lane(1), Route::Direct));
    assert_eq!(dropped(&rig.tell(Input::Ended(Lane(0), Err(lost())))), []);
    let outputs = rig.wait(Duration::from_millis(200));
    let again = dialled(&outputs)[0];
    assert_eq!(dropped(&rig.tell(Input::Ended(again, Err(unreachable())))), [("s1", ErrorCode::PeerBroke)]);
    let outputs = rig.wait(Duration::from_secs(1));
    let again = dialled(&outputs)[0];
    assert_eq!((dropped(&outputs), stalls(&outputs)), (vec![], vec![]), "the other one goes on");
    let asked = rig.tell(Input::Connected(again, Route::Direct));
    assert!(asked.iter().any(|o| matches!(o, Output::AskChunks(lane, _) if *lane == again)), "{asked:?}");
}

#[test]
fn who_has_left_for_good_is_not_waited_for() {
    let mut rig = Rig::under_way(3 * MIB, 1);
    assert_eq!(rig.tell(Input::Whereabouts(source(1).key, None)), [], "it still sends");
    assert_eq!(dropped(&rig.tell(Input::Ended(Lane(0), Err(lost())))), [("s1", ErrorCode::PeerBroke)]);
    // It is told a moment later.
    let mut rig = Rig::under_way(3 * MIB, 1);
    rig.tell(Input::Ended(Lane(0), Err(lost())));
    assert_eq!(dropped(&rig.tell(Input::Whereabouts(source(1).key, None))), [("s1", ErrorCode::PeerBroke)]);
    // Who has come back meanwhile is.
    let mut rig = Rig::under_way(3 * MIB, 1);
    rig.tell(Input::Whereabouts(source(1).key, None));
    rig.tell(Input::Whereabouts(source(1).key, Some(source(1).address)));
    assert_eq!(dropped(&rig.tell(Input::Ended(Lane(0), Err(lost())))), []);
}

#[test]
fn who_is_back_somewhere_else_is_dialled_there_at_once() {
    let mut rig = Rig::under_way(3 * MIB, 1);
    rig.tell(Input::Ended(Lane(0), Err(lost())));
    rig.fail_dials(Duration::from_secs(20));
    let elsewhere = SocketAddr::from(([10, 0, 0, 9], 1_234));
    let outputs = rig.tell(Input::Whereabouts(source(1).key, Some(elsewhere)));
    let there = |output: &Output| matches!(output, Output::Dial { address, .. } if *address == elsewhere);
    assert!(outputs.iter().any(there), "{outputs:?}");
}

#[test]
fn small_files_are_asked_for_again_when_their_source_is_back() {
    let files: Vec<PlannedFile> = (0..40).map(|n| file(&format!("d/{n}"), 5, &[0])).collect();
    let mut rig = Rig::of_folder(files, 1);
    let stream = dialled(&rig.outputs())[0];
    let asked = rig.tell(Input::Connected(stream, Route::Direct));
    assert!(matches!(asked[..], [Output::AskFiles(..), ..]), "{asked:?}");
    rig.tell(Input::Arrived { lane: stream, piece: 0, bytes: 5 });
    rig.tell(Input::Written { lane: stream, piece: 0, result: Ok(()) });
    assert_eq!(dropped(&rig.tell(Input::Ended(stream, Err(lost())))), []);
    let outputs = rig.wait(Duration::from_millis(250));
    let first = dialled(&outputs)[0];
    rig.tell(Input::Ended(first, Err(unreachable())));
    let outputs = rig.wait(Duration::from_secs(4));
    assert_eq!(stalls(&outputs), [28_000]);
    let again = dialled(&outputs)[0];
    let asked = rig.tell(Input::Connected(again, Route::Direct));
    rig.take_in(again, &asked);
    rig.tell(Input::Ended(again, Ok(())));
    let got = rig.fetch.outcome().unwrap().unwrap();
    assert_eq!((got.complete, got.from[0].bytes), (true, 200));
}

#[test]
fn a_folder_whose_only_source_stays_away_fails_after_half_a_minute() {
    let files: Vec<PlannedFile> = (0..40).map(|n| file(&format!("d/{n}"), 5, &[0])).collect();
    let mut rig = Rig::of_folder(files, 1);
    let stream = dialled(&rig.outputs())[0];
    rig.tell(Input::Connected(stream, Route::Direct));
    rig.tell(Input::Ended(stream, Err(lost())));
    let (said, _) = rig.fail_dials(Duration::from_secs(60));
    assert_eq!((stalls(&said), dropped(&said)), (vec![28_000], vec![("s1", ErrorCode::PeerBroke)]));
    let failure = rig.fetch.outcome().unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::PeerBroke);
    assert!(failure.message.starts_with("40 of 40 files could not be had."), "{failure}");
}

#[test]
fn what_is_cancelled_while_its_source_is_away_ends_at_once() {
    let mut rig = Rig::under_way(3 * MIB, 1);
    rig.tell(Input::Ended(Lane(0), Err(lost())));
    assert!(rig.tell(Input::Cancel).contains(&Output::Leave { file: 0, discard: false }));
    rig.tell(Input::Placed { file: 0, result: Err(ErrorCode::Interrupted.into()) });
    assert_eq!(rig.fetch.outcome().unwrap().unwrap_err().code, ErrorCode::Interrupted);
}
