//! Which messages are kept, and for how long.

use super::messages::two;
use super::*;
use crate::protocol::record::Found;

#[test]
fn what_is_to_be_kept_for_ever_is_not_forgotten_at_once() {
    for seconds in [86_400, u64::MAX / 1_000, u64::MAX] {
        let keep = Some(Retention::For(Duration::from_secs(seconds)));
        let mut rig = Rig::new(HubConfig { keep, epoch: Timestamp(1_000_000), ..config() });
        rig.pass(1);
        let Some((_, Query::TrimPoint { since: Some(before), bytes: None })) = rig.asked.last() else {
            panic!("{:?}", rig.asked)
        };
        assert!(before.0 < 0, "{seconds} s before 1970-01-01T00:16:40Z is {before:?}");
    }
}

#[test]
fn what_is_forgotten_makes_room_in_mailboxes_and_only_goes_forward() {
    let limits = HubLimits { mailbox: 2, ..HubLimits::default() };
    let mut rig = two(HubConfig { keep: Some(Retention::Bytes(1_000)), limits, ..config() });
    rig.ask(2, r#"{"id":5,"request":"dereg"}"#);
    for id in 10..13 {
        rig.message(1, id, "ben");
        rig.commit();
    }
    assert_eq!([10, 11, 12].map(|id| rig.code(1, id)), [None, None, Some("mailbox-full")]);
    let trims = |rig: &Rig| -> Vec<u64> {
        let trims = rig.persisted.iter().filter_map(|(_, record)| match record {
            Record::Trim { below } => Some(*below),
            _ => None,
        });
        trims.collect()
    };
    // What an earlier question finds late does not bring anything back, and the newest stays.
    for (found, told, id) in [(2, vec![2], 13), (1, vec![2], 14), (99, vec![2, 3], 15)] {
        rig.pass(60_000);
        let Some((number, Query::TrimPoint { since: None, bytes: Some(1_000) })) = rig.asked.pop() else {
            panic!("{:?}", rig.asked)
        };
        rig.handle(Input::Found(number, Found::TrimPoint(found)));
        assert_eq!(trims(&rig), told);
        rig.message(1, id, "ben");
        rig.commit();
        assert_eq!(rig.code(1, id), (id == 14).then_some("mailbox-full"));
    }
}
