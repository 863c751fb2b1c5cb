//! Connections that are kept for the next lanes.

use super::*;
use crate::core::fetch::Input;
use crate::io::transfer::dial::dial;
use crate::io::transfer::pool::{Pool, Reached};

fn reach(giver: &Giver, route: Route) -> Reached {
    let source = giver.source("gil");
    let Ok(stream) = dial(source.address, source.key, &receiver(), &Hangup::default()) else {
        panic!("nobody is there");
    };
    Reached::new(stream, route)
}

/// Asks for the list of chunks, as a transfer of its own.
fn ask(reached: &mut Reached, hashed: &Hashed, transfer: &str) {
    reached.stream.set_patience(Duration::from_secs(60));
    let (transfer, hash, file) = (transfer.to_owned(), hashed.hash, "a".to_owned());
    let Ok(()) = reached.stream.send(&to_line(&DataRequest::Manifest { transfer: transfer.clone(), hash, file }))
    else {
        panic!("it broke");
    };
    let Ok(Some(line)) = reached.stream.read_line() else { panic!("no answer") };
    let DataAnswer::Manifest { chunks, .. } = serde_json::from_slice(&line).unwrap() else { panic!("another answer") };
    assert!(reached.stream.read_exact(&mut vec![0; chunks as usize * 32]).is_ok());
    assert!(reached.stream.send(&to_line(&DataRequest::Done { transfer })).is_ok());
}

fn token(number: usize) -> String {
    format!("{number:016x}")
}

#[test]
fn data_one_connection_carries_one_transfer_after_the_other_and_not_too_many() {
    let giver = Giver::new(1);
    let hashed = giver.offer("a", &content(3 * MIB));
    let pool = Pool::default();
    let mut reached = reach(&giver, Route::Relayed);
    let mut used = 0;
    loop {
        ask(&mut reached, &hashed, &token(used));
        used += 1;
        if let Some(given_back) = pool.give(giver.key, reached) {
            given_back.stream.finish();
            break;
        }
        reached = pool.take(&giver.key).expect("it stands");
    }
    assert_eq!(used, 48);
    let over = |n: &UploadEvent| matches!(n, UploadEvent::Completed { .. });
    let all = giver.notes.all.lock().unwrap();
    let all = giver.notes.more.wait_while(all, |all| all.iter().filter(|n| over(n)).count() < used).unwrap();
    assert!(!all.iter().any(|n| matches!(n, UploadEvent::Failed { .. })), "{all:?}");
}

#[test]
fn data_what_is_kept_is_hard_to_make_and_still_stands_and_is_the_best_there_is() {
    let giver = Giver::new(1);
    let pool = Pool::default();
    assert!(pool.give(giver.key, reach(&giver, Route::Direct)).is_some(), "that is soon dialled again");
    for route in [Route::Relayed, Route::Punched, Route::Relayed] {
        assert!(pool.give(giver.key, reach(&giver, route)).is_none());
    }
    assert!(pool.take(&PublicKey([9; 32])).is_none());
    assert_eq!(pool.take(&giver.key).map(|reached| reached.route), Some(Route::Punched));
    pool.keep_better(giver.key, reach(&giver, Route::Punched));
    assert_eq!(pool.take(&giver.key).map(|reached| reached.route), Some(Route::Punched));
    assert!(pool.take(&giver.key).is_none(), "there is a better way now");
    assert!(pool.give(giver.key, reach(&giver, Route::Punched)).is_none());
    pool.heed(&Input::NetworkChanged);
    assert!(pool.take(&giver.key).is_none(), "it may be lost");
    assert!(pool.give(giver.key, reach(&giver, Route::Punched)).is_none());
    let Giver { server, key, .. } = giver;
    server.stop();
    assert!(pool.take(&key).is_none(), "the other end has closed it");
}

#[test]
fn data_no_more_is_kept_than_there_is_room_for() {
    let giver = Giver::new(1);
    let pool = Pool::default();
    let kept = (0..10).filter(|_| pool.give(giver.key, reach(&giver, Route::Punched)).is_none()).count();
    assert_eq!(kept, 8);
}
