//! Better ways that come to stand while a transfer runs, and ways that may be lost.

use super::*;
use crate::core::fetch::machine::Stage;

/// A file that comes over one lane, this way; and what was asked over it.
fn over_one_lane(route: Route) -> (Rig, Vec<Output>) {
    let mut rig = Rig::of_file(64 * MIB, 1);
    rig.outputs();
    rig.open(true);
    rig.tell(Input::Ended(Lane(1), Ok(())));
    let asked = rig.tell(Input::Connected(Lane(0), route));
    (rig, asked)
}

fn asked_of(outputs: &[Output], of: Lane) -> Vec<u32> {
    let mut pieces = Vec::new();
    for output in outputs {
        if let Output::AskChunks(lane, run) = output
            && *lane == of
        {
            pieces.extend(run.clone());
        }
    }
    pieces
}

#[test]
fn a_better_way_takes_over_and_what_was_asked_for_still_comes() {
    let (mut rig, first) = over_one_lane(Route::Relayed);
    let better = dialled(&rig.tell(Input::Better(source(1).key, Route::Punched)));
    assert_eq!(better.len(), 1);
    assert_eq!(rig.tell(Input::Better(source(1).key, Route::Punched)), [], "it is being dialled");
    let second = rig.tell(Input::Connected(better[0], Route::Punched));
    let (first_asked, second_asked) = (asked_of(&first, Lane(0)), asked_of(&second, better[0]));
    assert!(!first_asked.is_empty() && !second_asked.is_empty());
    assert!(second_asked.iter().all(|chunk| !first_asked.contains(chunk)), "nothing is fetched twice");
    for piece in first_asked {
        let outputs = rig.tell(Input::Arrived { lane: Lane(0), piece, bytes: MIB });
        assert_eq!(outputs, [Output::Write(Lane(0), piece)], "it is wanted, and nothing more is asked for");
        let outputs = rig.tell(Input::Written { lane: Lane(0), piece, result: Ok(()) });
        assert_eq!(asked_of(&outputs, Lane(0)), [0_u32; 0]);
    }
    let outputs = rig.tell(Input::Tick);
    assert_eq!(outputs, [], "it was closed before");
    rig.tell(Input::Ended(Lane(0), Ok(())));
    assert_eq!(rig.tell(Input::Better(source(1).key, Route::Punched)), [], "it goes that way already");
    assert_eq!(dialled(&rig.tell(Input::Better(source(1).key, Route::Direct))).len(), 1);
}

#[test]
fn a_new_lane_that_is_no_better_goes_again() {
    let (mut rig, _) = over_one_lane(Route::Relayed);
    let better = dialled(&rig.tell(Input::Better(source(1).key, Route::Direct)))[0];
    let outputs = rig.tell(Input::Connected(better, Route::Relayed));
    assert_eq!(outputs, [Output::Close(better)]);
    // One that is not connected at all changes nothing.
    let better = dialled(&rig.tell(Input::Better(source(1).key, Route::Direct)))[0];
    let failed = LaneError::Lost(ErrorCode::PeerUnreachable.into());
    assert_eq!(rig.tell(Input::Ended(better, Err(failed))), []);
}

#[test]
fn who_is_elsewhere_is_dialled_there_and_what_is_stuck_at_the_old_place_is_asked_for_again() {
    let (mut rig, first) = over_one_lane(Route::Direct);
    let elsewhere = SocketAddr::from(([10, 0, 0, 9], 1_234));
    let outputs = rig.tell(Input::Whereabouts(source(1).key, Some(elsewhere)));
    assert!(matches!(outputs[..], [Output::Dial { address, .. }] if address == elsewhere), "{outputs:?}");
    let there = dialled(&outputs)[0];
    let second = rig.tell(Input::Connected(there, Route::Direct));
    let outputs = rig.wait(Duration::from_secs(2));
    assert!(outputs.contains(&Output::Cut(Lane(0))), "{outputs:?}");
    let outputs = rig.tell(Input::Ended(Lane(0), Ok(())));
    assert_eq!(dropped(&outputs), []);
    rig.take_in(there, &second);
    let over = matches!(rig.fetch.stage, Stage::Placing(_, present, Ok(())) if present == 64 * MIB);
    assert!(over, "all of it came over the new lane, also {:?}", asked_of(&first, Lane(0)));
}

#[test]
fn when_our_network_changes_each_source_is_dialled_anew() {
    let (mut rig, _) = over_one_lane(Route::Direct);
    let anew = dialled(&rig.tell(Input::NetworkChanged));
    assert_eq!(anew.len(), 1);
    assert_eq!(rig.tell(Input::NetworkChanged), [], "it is being dialled");
}

#[test]
fn a_replaced_lane_does_not_keep_its_source_when_the_new_one_is_lost() {
    let (mut rig, _) = over_one_lane(Route::Relayed);
    let better = dialled(&rig.tell(Input::Better(source(1).key, Route::Direct)))[0];
    rig.tell(Input::Connected(better, Route::Direct));
    let lost = LaneError::Lost(ErrorCode::PeerBroke.into());
    let outputs = rig.tell(Input::Ended(better, Err(lost)));
    assert_eq!(outputs, [Output::Cut(Lane(0))]);
    assert_eq!(rig.tell(Input::Ended(Lane(0), Ok(()))), []);
    assert_eq!(dialled(&rig.wait(Duration::from_millis(250))).len(), 1, "it is dialled again");
}

#[test]
fn the_way_is_told_with_the_beginning_and_whenever_it_changes() {
    let told = |outputs: &[Output]| -> Vec<TransferNote> {
        outputs.iter().filter_map(|o| if let Output::Note(note) = o { Some(note.clone()) } else { None }).collect()
    };
    let started = |route| TransferNote::Started { path: "a".into(), resumed: 0, route };
    let mut rig = Rig::of_file(64 * MIB, 1);
    rig.outputs();
    assert_eq!(told(&rig.open(true)), [], "nobody is connected");
    let outputs = rig.tell(Input::Connected(Lane(0), Route::Relayed));
    assert_eq!(told(&outputs), [started(Some(Route::Relayed))]);
    let better = dialled(&rig.tell(Input::Better(source(1).key, Route::Direct)))[0];
    let outputs = rig.tell(Input::Connected(better, Route::Direct));
    assert_eq!(told(&outputs), [TransferNote::Way(Route::Direct)]);
    // Whoever cannot be reached at once, is not waited for with that.
    let mut rig = Rig::of_file(64 * MIB, 1);
    rig.outputs();
    rig.open(true);
    assert_eq!(told(&rig.wait(Duration::from_secs(2))), [started(None)]);
    assert_eq!(told(&rig.tell(Input::Connected(Lane(1), Route::Direct))), [TransferNote::Way(Route::Direct)]);
}

#[test]
fn a_kept_connection_over_which_nothing_comes_is_soon_made_anew() {
    let mut rig = Rig::of_file(64 * MIB, 1);
    rig.outputs();
    rig.open(true);
    rig.tell(Input::Ended(Lane(1), Ok(())));
    assert_eq!(rig.tell(Input::Kept(Lane(0))), []);
    let asked = asked_of(&rig.tell(Input::Connected(Lane(0), Route::Punched)), Lane(0));
    assert!(!asked.is_empty());
    let cut = rig.wait(Duration::from_millis(1_000));
    assert!(cut.contains(&Output::Cut(Lane(0))), "{cut:?}");
    rig.tell(Input::Ended(Lane(0), Err(LaneError::Lost(ErrorCode::Interrupted.into()))));
    let again = dialled(&rig.wait(Duration::from_millis(200)));
    assert_eq!(again.len(), 1, "and nobody is told");
    let told = asked_of(&rig.tell(Input::Connected(again[0], Route::Punched)), again[0]);
    assert_eq!(told, asked);
    // One over which something has come has the usual patience.
    rig.tell(Input::Moved { lane: again[0], bytes: 1 });
    assert!(!rig.wait(Duration::from_millis(2_000)).contains(&Output::Cut(again[0])));
}
