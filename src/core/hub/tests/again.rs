//! What is asked again after a crash.

use super::messages::{asked_again, two};
use super::*;
use crate::protocol::record::{Found, PastAnswer};

/// A request of anna's, and what it is answered with the first time.
const KEPT: [(&str, &str); 7] = [
    (r#""room-create","room":"kitchen""#, "room-created"),
    (r#""room-create","room":"+","members":["ben"]"#, "room-created"),
    (r#""room-invite","room":"kitchen","members":["ben"]"#, "room-invited"),
    (r#""room-leave","room":"kitchen""#, "room-left"),
    (r#""room-create","room":"hall","access":"open""#, "room-created"),
    (r#""block","name":"ben""#, "blocked"),
    (r#""unblock","name":"ben""#, "unblocked"),
];

#[test]
fn what_is_asked_again_after_a_crash_is_answered_the_same_and_done_once() {
    let mut before = two(config());
    for (id, (request, answer)) in (10..).zip(KEPT) {
        before.ask(1, &format!(r#"{{"id":{id},"request":{request}}}"#));
        before.commit();
        assert_eq!(before.answer(1, id).map(Event::name), Some(answer), "{request}");
    }
    let past = before.persisted.iter().filter_map(|(_, record)| match record {
        Record::Answered(answer) => Some((answer.idempotency_key.ask, PastAnswer::Answer(answer.answer.clone()))),
        _ => None,
    });
    let past: Vec<(i64, PastAnswer)> = past.collect();
    assert_eq!(past.len(), KEPT.len(), "each answer is on disk with what it is about");
    // The hub dies before any of the answers has arrived, or in between: some were never carried out.
    for known in 0..=KEPT.len() {
        let mut rig = asked_again();
        for (id, (request, _)) in (10..).zip(KEPT).take(known) {
            rig.ask(1, &format!(r#"{{"id":{id},"request":{request}}}"#));
        }
        if let Some((question, _)) = rig.asked.first() {
            rig.handle(Input::Found(*question, Found::PastAnswers(past.clone())));
        }
        let persisted = rig.persisted.len();
        for id in 10..10 + known as i64 {
            assert_eq!(rig.answer(1, id), before.answer(1, id), "{known}");
        }
        assert_eq!(rig.persisted.len(), persisted, "nothing is done twice");
        // Whoever does this for the first time is refused.
        rig.ask(1, r#"{"id":32,"request":"room-leave","room":"kitchen"}"#);
        assert_eq!(rig.refusal(1, 32), Some(ErrorCode::NoSuchRoom));
    }
}
