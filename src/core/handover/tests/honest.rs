//! Sender and receiver, with a hub that does what it should.

use super::*;

#[test]
fn who_knows_the_code_gets_the_parcel_and_its_sender_knows_it() {
    let mut sender = Sender::new(1);
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 4);
    assert!(receiver.has(&ReceivingStep::Found(Box::new(parcel()), SENDER)));
    assert_eq!(sender.admitted, [(4, RECEIVER, 1, false)]);
    assert!(sender.sending.is_being_fetched() && !sender.sending.is_received_by_all());
    complete(&mut receiver);
    carry(&mut sender, &mut receiver, 4);
    assert_eq!((sender.delivered.as_slice(), sender.sending.received()), ([(RECEIVER, 0)].as_slice(), 1));
    assert!(sender.sending.is_received_by_all() && receiver.has(&ReceivingStep::Told));
    assert!(receiver.has(&ReceivingStep::Forget));
}

#[test]
fn so_many_may_have_it_and_not_one_more() {
    let mut sender = Sender::new(2);
    let code = sender.code.clone();
    for n in 0..3u8 {
        let (key, conversation) = (PublicKey([10 + n; 32]), n.into());
        let mut receiver = Receiver::new(Time(0), key, &code, None);
        knock(&mut sender, &mut receiver, key, conversation);
        complete(&mut receiver);
        carry(&mut sender, &mut receiver, conversation);
        assert_eq!(receiver.has(&ReceivingStep::Told), n < 2);
        assert_eq!(receiver.failure(), (n == 2).then_some(ErrorCode::CodeVoid));
    }
    assert_eq!(sender.sending.received(), 2);
    assert!(sender.sending.is_received_by_all());
}

#[test]
fn two_who_knock_at_once_are_answered_one_after_the_other() {
    let mut sender = Sender::new(2);
    let code = sender.code.clone();
    let mut first = Receiver::new(Time(0), PublicKey([10; 32]), &code, None);
    let mut second = Receiver::new(Time(0), PublicKey([11; 32]), &code, None);
    for (receiver, conversation, key) in [(&mut first, 1, 10), (&mut second, 2, 11)] {
        let share = receiver.knock().unwrap();
        receiver.answered(conversation, SENDER);
        sender.knocked(conversation, PublicKey([key; 32]), share);
    }
    assert_eq!(sender.said.len(), 1, "one exchange at a time");
    carry(&mut sender, &mut first, 1);
    carry(&mut sender, &mut second, 2);
    assert!(first.has_found() && second.has_found());
}

#[test]
fn one_key_may_have_it_twice() {
    let mut sender = Sender::new(2);
    let code = sender.code.clone();
    for conversation in [1, 2] {
        let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
        knock(&mut sender, &mut receiver, RECEIVER, conversation);
        complete(&mut receiver);
        carry(&mut sender, &mut receiver, conversation);
    }
    assert_eq!((sender.sending.received(), sender.sending.is_received_by_all()), (2, true));
}

#[test]
fn who_was_killed_comes_back_without_another_exchange() {
    let mut sender = Sender::new(1);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    let ticket = receiver.ticket().unwrap();
    sender.gone(1);
    assert_eq!(sender.sending.admitted(), [RECEIVER]);
    assert_eq!(sender.left, [(RECEIVER, true)]);
    for conversation in 2..5 {
        let mut back = Receiver::new(Time(0), RECEIVER, &code, Some(ticket.clone()));
        assert_eq!(back.knock(), Some(None), "without a share");
        back.answered(conversation, SENDER);
        sender.knocked(conversation, RECEIVER, None);
        carry(&mut sender, &mut back, conversation);
        assert!(back.has_found());
        if conversation == 4 {
            complete(&mut back);
            carry(&mut sender, &mut back, conversation);
            assert!(back.has(&ReceivingStep::Told));
        }
    }
    // Each time as the first one, who has its place; the connections before are hung up.
    let again: Vec<_> = sender.admitted.iter().map(|(_, _, receiver, again)| (*receiver, *again)).collect();
    assert_eq!(again, [(1, false), (1, true), (1, true), (1, true)]);
    assert!(sender.sending.is_received_by_all());
    sender.knocked(9, RECEIVER, None);
    assert_eq!(sender.hung_up.last(), Some(&(9, false)), "it has everything");
}

#[test]
fn both_lose_the_hub_and_find_each_other_again() {
    let mut sender = Sender::new(1);
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    sender.does(|sending, _, _| sending.hub_has_forgotten());
    receiver.does(|receiving, now, _| receiving.hub_has_forgotten(now));
    receiver.pass(1);
    assert_eq!(receiver.knock(), Some(None));
    receiver.refused(ErrorCode::NoSuchCode);
    assert_eq!(receiver.failure(), None, "the sender may not be back");
    // Meanwhile everything has come, which is told as soon as it can be.
    complete(&mut receiver);
    receiver.pass(1);
    knock(&mut sender, &mut receiver, RECEIVER, 2);
    assert!(receiver.has(&ReceivingStep::Told) && sender.sending.is_received_by_all());
}

#[test]
fn a_sender_that_cannot_be_told_is_not_waited_for_without_end() {
    let mut sender = Sender::new(1);
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    receiver.does(|receiving, now, _| receiving.hung_up(now, true));
    complete(&mut receiver);
    for _ in 0..60 {
        receiver.pass(1);
    }
    assert!(receiver.has(&ReceivingStep::Told));
    assert_eq!(receiver.receiving.next_timeout(), None);
}

#[test]
fn a_sender_that_ends_is_told_and_one_that_is_gone_may_come_back() {
    let mut sender = Sender::new(1);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    let ticket = receiver.ticket();
    sender.does(|sending, _, _| sending.end());
    carry(&mut sender, &mut receiver, 1);
    assert!(receiver.has(&ReceivingStep::Gone));
    // With its ticket it tries for a while, and keeps it.
    let mut back = Receiver::new(Time(0), RECEIVER, &code, ticket);
    for _ in 0..30 {
        if back.knock().is_some() {
            back.refused(ErrorCode::NoSuchCode);
        }
        back.pass(1);
    }
    assert_eq!(back.failure(), Some(ErrorCode::ParcelGone));
    assert!(!back.has(&ReceivingStep::Forget));
}

#[test]
fn a_ticket_for_what_was_another_code_is_dropped() {
    let mut sender = Sender::new(1);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    let ticket = receiver.ticket().unwrap();
    let mut others = Sender::new(1);
    let mut back = Receiver::new(Time(0), RECEIVER, &code, Some(ticket));
    assert_eq!(back.knock(), Some(None));
    back.refused(ErrorCode::CodeVoid);
    assert!(back.has(&ReceivingStep::Forget));
    knock(&mut others, &mut back, RECEIVER, 1);
    assert!(back.has_found());
}

#[test]
fn a_busy_hub_is_asked_again_and_a_silent_one_is_not_waited_for() {
    let code = Sender::new(1).code;
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    for _ in 0..60 {
        if receiver.knock().is_some() {
            receiver.refused(ErrorCode::CodeBusy);
        }
        receiver.pass(1);
    }
    assert_eq!(receiver.failure(), Some(ErrorCode::CodeBusy));
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    receiver.pass(20);
    assert_eq!(receiver.failure(), Some(ErrorCode::ParcelGone));
    // As long as nothing was confirmed, it may begin again with a hub that has forgotten it.
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    let first = receiver.knock();
    receiver.does(|receiving, now, _| receiving.hub_has_forgotten(now));
    receiver.pass(1);
    let second = receiver.knock();
    assert!(second.is_some() && second != first);
}

#[test]
fn a_sender_that_was_killed_goes_on_with_those_who_were_right() {
    let mut sender = Sender::new(2);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    assert!(sender.is_killed());
    assert_eq!(sender.sending.admitted(), [RECEIVER]);
    receiver.does(|receiving, now, _| receiving.hung_up(now, true));
    receiver.pass(1);
    knock(&mut sender, &mut receiver, RECEIVER, 2);
    assert!(receiver.has(&ReceivingStep::Again(Box::new(parcel()))), "where it is served now");
    complete(&mut receiver);
    carry(&mut sender, &mut receiver, 2);
    assert!(receiver.has(&ReceivingStep::Told) && sender.is_killed());
    // One of two has it, and the other place is as good as before.
    let mut other = Receiver::new(Time(0), PublicKey([9; 32]), &code, None);
    knock(&mut sender, &mut other, PublicKey([9; 32]), 3);
    assert!(other.has_found());
    complete(&mut other);
    carry(&mut sender, &mut other, 3);
    assert!(sender.sending.is_received_by_all() && !sender.is_killed(), "it is over");
}

#[test]
fn whoever_comes_back_again_and_again_is_told_once_a_minute_and_hung_up_on() {
    let mut sender = Sender::new(1);
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    let mut told = 0;
    for conversation in 2..1_000 {
        sender.sending.knocked(sender.now, conversation, RECEIVER, None, &mut sender.secrets);
        while let Some(step) = sender.sending.poll() {
            told += usize::from(matches!(step, SendingStep::Admit { told: true, .. }));
            sender.admitted.extend(match step {
                SendingStep::Admit { conversation, key, receiver, again, .. } => {
                    Some((conversation, key, receiver, again))
                }
                _ => None,
            });
        }
    }
    assert_eq!((told, sender.admitted.len()), (1, 9), "the first time, and eight more");
    sender.pass(61);
    sender.knocked(1_000, RECEIVER, None);
    assert_eq!(sender.admitted.len(), 10);
}

#[test]
fn whoever_comes_and_goes_is_told_to_have_left_no_more_often_than_to_have_come() {
    let mut sender = Sender::new(1);
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    sender.gone(1);
    for conversation in 2..100 {
        sender.knocked(conversation, RECEIVER, None);
        sender.gone(conversation);
    }
    assert_eq!(sender.left, [(RECEIVER, true); 2], "after the first time, and after the return that was told");
}
