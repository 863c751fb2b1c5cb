//! What those may not do who hand over parcels, or only so often: guesses, floods, silence.

use super::handovers::{parcel_hub, told};
use super::*;
use crate::core::exchange::{Binding, Maker, Typist, Wrong};
use crate::core::secrets::Secrets;
use crate::protocol::Code;
use crate::protocol::limits::{CODE_GUESSES, CODES_EACH, CONVERSATION_BYTES, KNOCK_TIME, RECEIVER_BYTES, SAY_BYTES};

/// The last thing that was said to a client in a conversation, or shown at its door.
fn last_said(rig: &Rig, conn: ConnId) -> Vec<u8> {
    let said = told(rig, conn, |event| match event {
        Event::Said(said) => Some(said.message.0.clone()),
        Event::Knocked(knocked) => knocked.share.as_ref().map(|share| share.0.clone()),
        _ => None,
    });
    said[0].clone()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A guest types a code, and the sender answers as potluck does. Returns whether it was right, or why it was refused.
fn exchange(
    rig: &mut Rig,
    sender: ConnId,
    made: &Code,
    guest: (ConnId, u8),
    typed: &Code,
) -> Result<bool, &'static str> {
    let nameplate = made.nameplate();
    let binding = Binding { nameplate, typist: PublicKey([guest.1; 32]), maker: PublicKey([1; 32]), exporter: None };
    let mut secrets = Secrets::new([5; 32]);
    let (typist, share) = Typist::start(typed, &mut secrets);
    let talk = rig.knock_with(guest.0, nameplate, &format!(r#","share":"{}""#, hex(&share)))?;
    let (maker, share) = Maker::answer(made, &binding, &last_said(rig, sender), &mut secrets).unwrap();
    rig.says(sender, talk, &hex(&share));
    let (_, confirmation) = typist.confirm(&binding, &last_said(rig, guest.0)).unwrap();
    rig.says(guest.0, talk, &hex(&confirmation));
    match maker.finish(&last_said(rig, sender)) {
        Ok((confirmation, _)) => {
            rig.says(sender, talk, &hex(&confirmation));
            rig.admit_to(sender, talk);
            Ok(true)
        }
        Err(Wrong) => {
            rig.hang_up(sender, talk, r#","guessed":true"#);
            rig.ask(sender, &format!(r#"{{"close_code":{nameplate}}}"#));
            assert_eq!(rig.hung_up(guest.0).last(), Some(&(talk, false)));
            Ok(false)
        }
    }
}

fn guesses(rig: &Rig) -> usize {
    rig.log.iter().filter(|event| matches!(event, LogEvent::ParcelGuessed(_))).count()
}

#[test]
fn a_hundred_wrong_guesses_at_a_hundred_codes_get_nowhere_and_are_told() {
    let mut rig = parcel_hub();
    let (mut right, mut wrong, mut refused) = (0, 0, 0);
    for n in 0..100_u16 {
        let made = Code::new(rig.open(1, "").unwrap(), n);
        let guess = Code::new(made.nameplate(), n ^ 0x5555);
        // It comes with a new key each time, over the same network.
        let conn = 100 + ConnId::from(n);
        rig.pass(1_100);
        rig.guest_from(conn, 20 + n as u8, "203.0.113.66:5000");
        match exchange(&mut rig, 1, &made, (conn, 20 + n as u8), &guess) {
            Ok(true) => right += 1,
            Ok(false) => wrong += 1,
            Err(code) => {
                assert_eq!(code, "too-many");
                refused += 1;
                rig.ask(1, &format!(r#"{{"close_code":{}}}"#, made.nameplate()));
            }
        }
    }
    assert_eq!((right, wrong, refused), (0, CODE_GUESSES, 100 - CODE_GUESSES));
    assert_eq!(guesses(&rig), CODE_GUESSES);
    // They count at the codes of invites as well, and for nobody else.
    rig.connect_from(300, 9, "203.0.113.66:5000");
    rig.line(300, r#"{"exchange":"potluck-exchange/1","nameplate":7,"share":"41"}"#);
    assert_eq!(rig.turned_away(300), Some(ErrorCode::TooMany));
    let made = Code::new(rig.open(1, "").unwrap(), 7);
    rig.guest_from(301, 9, "203.0.113.67:5000");
    assert_eq!(exchange(&mut rig, 1, &made, (301, 9), &made), Ok(true));
    for conn in rig.wires.iter().filter(|(_, wire)| !wire.closed).map(|(conn, _)| *conn).collect::<Vec<_>>() {
        rig.handle(Input::Disconnected { conn, reason: "gone".into() });
    }
    rig.pass(86_400_000);
    rig.hello(400, 1);
    let made = Code::new(rig.open(400, "").unwrap(), 7);
    rig.guest_from(401, 10, "203.0.113.66:5000");
    assert_eq!(exchange(&mut rig, 400, &made, (401, 10), &made), Ok(true), "another day");
}

#[test]
fn whoever_breaks_off_when_the_sender_has_answered_has_guessed() {
    for (answered, how, counts) in [
        (true, "quit", 1),
        (true, "hang up", 1),
        (true, "gone", 1),
        (false, "quit", 0),
        (true, "admitted", 0),
        (true, "sender", 0),
    ] {
        let mut rig = parcel_hub();
        rig.open(1, "").unwrap();
        let talk = rig.knock(2, 4).unwrap();
        if answered {
            rig.says(1, talk, "42");
        }
        match how {
            "quit" => rig.ask(2, r#"{"id":9,"request":"quit"}"#),
            "hang up" => rig.hang_up(2, talk, ""),
            "gone" => {
                rig.handle(Input::Disconnected { conn: 2, reason: "gone".into() });
                rig.pass(31_000);
            }
            "admitted" => {
                rig.admit_to(1, talk);
                rig.hang_up(2, talk, "");
            }
            _ => rig.hang_up(1, talk, ""),
        }
        assert_eq!(guesses(&rig), counts, "{how}");
        assert_eq!(rig.counted("conversations"), 0);
    }
}

#[test]
fn one_at_a_time_exchanges_a_code_and_not_for_long() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let talk = rig.knock(2, 4).unwrap();
    assert_eq!(rig.knock(3, 4), Err("code-busy"));
    rig.pass(KNOCK_TIME.as_millis() as u64);
    assert_eq!((rig.hung_up(1), rig.hung_up(2)), (vec![(talk, true)], vec![(talk, true)]));
    let talk = rig.knock(3, 4).unwrap();
    rig.admit_to(1, talk);
    rig.pass(2 * KNOCK_TIME.as_millis() as u64);
    assert!(rig.hung_up(3).is_empty(), "who is admitted has all the time");
    assert!(rig.knock(2, 4).is_ok(), "and the next one may come meanwhile");
    assert_eq!((rig.knock(2, 8), rig.knock(2, 0)), (Err("no-such-code"), Err("no-such-code")));
}

#[test]
fn what_is_said_has_bounds() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let talk = rig.knock(2, 4).unwrap();
    let long = "00".repeat(SAY_BYTES);
    let most = CONVERSATION_BYTES / SAY_BYTES;
    (0..most).for_each(|_| rig.says(1, talk, &long));
    // The share counts, too.
    assert_eq!(rig.heard_of(2).len(), most - 1);
    assert_eq!((rig.hung_up(1), rig.hung_up(2)), (vec![(talk, true)], vec![(talk, true)]));
    let talk = rig.knock(2, 4).unwrap();
    rig.says(1, talk, &(long + "00"));
    assert_eq!(rig.hung_up(2).len(), 2, "one thing is too long");
    // Whoever knocks has little to say, whether it is admitted or not.
    for admitted in [false, true] {
        let talk = rig.knock(2, 4).unwrap();
        if admitted {
            rig.admit_to(1, talk);
        }
        rig.says(2, talk, &"00".repeat(RECEIVER_BYTES - 100));
        assert_eq!(rig.heard_of(1).pop().map(|(heard, _)| heard), Some(talk));
        rig.says(2, talk, "00");
        assert_eq!(rig.hung_up(1).pop(), Some((talk, true)));
    }
    assert_eq!((rig.turned_away(1), rig.turned_away(2)), (None, None));
    let share = format!(r#","share":"{}""#, "00".repeat(RECEIVER_BYTES + 1));
    assert_eq!(rig.knock_with(2, 2, &share), Err("wrong-protocol"));
}

#[test]
fn nobody_fills_the_link_of_a_sender_who_does_not_read() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    rig.silence(1);
    let mut begun = 0;
    for n in 0..300 {
        let guest = 100 + n / 10;
        if n % 10 == 0 {
            rig.guest_from(guest, (guest % 200) as u8, &format!("203.0.{}.1:5000", guest % 250));
        }
        let Ok(talk) = rig.knock(guest, 4) else { continue };
        begun += 1;
        rig.says(guest, talk, &"00".repeat(RECEIVER_BYTES - 100));
        rig.hang_up(guest, talk, "");
    }
    assert!((10..100).contains(&begun), "{begun}");
    assert_eq!(rig.turned_away(1), None);
}

#[test]
fn codes_of_a_key_of_a_network_and_of_all_are_limited() {
    let mut rig = Rig::new(config());
    let opened = |rig: &mut Rig, conn| (0..600).map_while(|_| rig.open(conn, "").ok()).count();
    rig.hello_from(1, 1, "203.0.113.1:5000");
    assert_eq!((opened(&mut rig, 1), rig.open(1, "")), (CODES_EACH, Err("too-many")));
    // Another session of the same key has no more, unless it is the number of the other one.
    rig.hello_from(2, 1, "203.0.113.2:5000");
    assert_eq!((opened(&mut rig, 2), rig.open(2, r#","nameplate":4"#)), (0, Ok(4)));
    let mut all = 0;
    for key in 10..40 {
        rig.hello_from(key.into(), key, "203.0.113.3:5000");
        all += opened(&mut rig, key.into());
    }
    assert_eq!(all, 256);
    let many = format!(r#","admitted":[{}]"#, vec![format!(r#""{}""#, PublicKey([9; 32])); 65].join(","));
    rig.hello_from(50, 50, "203.0.113.4:5000");
    assert_eq!((rig.open(50, &many), rig.open(50, "").is_ok()), (Err("too-many"), true));
    assert_eq!(rig.counted("codes of parcels"), CODES_EACH + 256 + 1);
}

#[test]
fn a_client_above_its_rate_is_told_to_wait() {
    let limits = HubLimits { request_rate: 1, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.hello(1, 1);
    rig.guest(2, 2);
    rig.open(1, "").unwrap();
    let refused = (0..20).map(|_| rig.knock(2, 8)).filter(|knock| *knock == Err("slow-down")).count();
    assert_eq!(refused, 19, "a knock costs more than it may have at once");
    let waits = told(&rig, 2, |event| match event {
        Event::KnockRefused(refused) => Some(refused.wait.is_some()),
        _ => None,
    });
    assert!(waits[0]);
    // What is said then is passed on, whatever the rate: the code would be lost otherwise.
    rig.pass(15_000);
    let talk = rig.knock(2, 4).unwrap();
    (0..20).for_each(|n| rig.says(2, talk, &format!("{n:02}")));
    assert_eq!((rig.heard_of(1).len(), rig.hung_up(1)), (20, vec![]));
}

#[test]
fn whether_a_number_is_open_is_said_to_anybody_and_no_more() {
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let seek = |rig: &mut Rig, conn, address: &str, line: &str| {
        rig.connect_from(conn, 77, address);
        rig.line(conn, line);
        assert!(rig.wires[&conn].closed, "that is all there is");
        rig.wires[&conn].said.clone()
    };
    let line = |number: u32| format!(r#"{{"seek":"potluck-seek/1","nameplate":{number}}}"#);
    assert_eq!(seek(&mut rig, 10, "203.0.113.5:1", &line(4)), [r#"{"opened":true}"#]);
    assert_eq!(seek(&mut rig, 11, "203.0.113.5:1", &line(8)), [r#"{"opened":false}"#]);
    for (conn, wrong) in [(12, line(4).replace("/1", "/2")), (13, r#"{"seek":"potluck-seek/1"}"#.to_owned())] {
        seek(&mut rig, conn, "203.0.113.5:1", &wrong);
        assert_eq!(rig.turned_away(conn), Some(ErrorCode::WrongProtocol));
    }
    (20..60).for_each(|conn| drop(seek(&mut rig, conn, "203.0.113.5:1", &line(4))));
    assert_eq!(rig.turned_away(59), Some(ErrorCode::SlowDown));
    assert_eq!(seek(&mut rig, 60, "203.0.113.6:1", &line(4)), [r#"{"opened":true}"#]);
    assert_eq!(rig.counted("pending connections"), 0);
}
