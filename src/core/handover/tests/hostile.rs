//! Those who guess, hubs that lie, and whoever is in between.

use super::*;
use crate::core::exchange::{Binding, Maker, Typist};

/// A code with the same number and other words.
fn wrong(code: &Code) -> Code {
    (0..).map(|words| Code::new(code.nameplate(), words)).find(|other| other != code).unwrap()
}

#[test]
fn a_wrong_guess_ends_the_code_and_both_are_told() {
    let mut sender = Sender::new(3);
    let code = sender.code.clone();
    let mut guesser = Receiver::new(Time(0), RECEIVER, &wrong(&code), None);
    let share = guesser.knock().unwrap();
    guesser.answered(1, SENDER);
    sender.knocked(1, RECEIVER, share);
    guesser.says(&sender.hear(1).unwrap());
    sender.says(1, &guesser.hear().unwrap());
    assert_eq!((sender.failure(), sender.hung_up.as_slice()), (Some(ErrorCode::CodeGuessed), [(1, true)].as_slice()));
    assert_eq!((sender.hear(1), sender.admitted.len()), (None, 0), "nothing was given away");
    guesser.does(|receiving, now, _| receiving.hung_up(now, false));
    assert_eq!(guesser.failure(), Some(ErrorCode::WrongCode));
    let mut late = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut late, RECEIVER, 2);
    assert_eq!(late.failure(), Some(ErrorCode::CodeVoid), "not even the right words are good any more");
}

#[test]
fn who_breaks_off_or_takes_too_long_has_guessed() {
    let ends: [fn(&mut Sender); 3] = [
        |sender| sender.gone(1),
        |sender| sender.pass(30),
        |sender| sender.does(|sending, _, _| sending.hub_has_forgotten()),
    ];
    for end in ends {
        let mut sender = Sender::new(2);
        let mut guesser = Receiver::new(Time(0), RECEIVER, &wrong(&sender.code.clone()), None);
        let share = guesser.knock().unwrap();
        sender.knocked(1, RECEIVER, share);
        assert!(sender.failure().is_none() && sender.hear(1).is_some());
        end(&mut sender);
        assert_eq!(sender.failure(), Some(ErrorCode::CodeGuessed));
    }
}

#[test]
fn a_guess_does_not_stop_those_who_were_right() {
    let mut sender = Sender::new(3);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    let mut guesser = Receiver::new(Time(0), PublicKey([9; 32]), &wrong(&code), None);
    knock(&mut sender, &mut guesser, PublicKey([9; 32]), 2);
    assert_eq!((guesser.failure(), sender.failure()), (Some(ErrorCode::WrongCode), None));
    complete(&mut receiver);
    carry(&mut sender, &mut receiver, 1);
    assert!(receiver.has(&ReceivingStep::Told));
    assert_eq!(sender.failure(), Some(ErrorCode::CodeGuessed), "then it ends");
}

#[test]
fn a_hundred_wrong_guesses_at_a_hundred_codes_get_nowhere() {
    for n in 0..100u8 {
        let mut secrets = Secrets::new([n; 32]);
        let mut sender = Sender::new(2);
        sender.sending = Sending::new(SENDER, 2, word(), &mut secrets);
        let code = sender.sending.opened(u32::from(n) + 1).clone();
        let mut guesser = Receiver::new(Time(0), RECEIVER, &wrong(&code), None);
        knock(&mut sender, &mut guesser, RECEIVER, 1);
        assert_eq!((guesser.failure(), sender.failure()), (Some(ErrorCode::WrongCode), Some(ErrorCode::CodeGuessed)));
        assert!(sender.admitted.is_empty() && !guesser.has_found());
    }
}

#[test]
fn a_hub_that_names_other_keys_gets_nothing() {
    // To the receiver it is the sender, and to the sender the receiver: it relays, and both bind other keys.
    let mallory = PublicKey([66; 32]);
    for (shown_to_receiver, shown_to_sender) in [(mallory, RECEIVER), (SENDER, mallory), (mallory, mallory)] {
        let mut sender = Sender::new(1);
        let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
        let share = receiver.knock().unwrap();
        receiver.answered(1, shown_to_receiver);
        sender.knocked(1, shown_to_sender, share);
        carry(&mut sender, &mut receiver, 1);
        assert!(sender.admitted.is_empty() && !receiver.has_found());
        assert_eq!((receiver.failure(), sender.failure()), (Some(ErrorCode::WrongCode), Some(ErrorCode::CodeGuessed)));
    }
}

#[test]
fn a_hub_that_terminates_has_one_guess_on_each_side() {
    let mut sender = Sender::new(1);
    let (code, mallory) = (sender.code.clone(), PublicKey([66; 32]));
    let guess = wrong(&code);
    let mut secrets = Secrets::new([66; 32]);
    // As the maker, towards the receiver.
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    let share = receiver.knock().flatten().unwrap();
    receiver.answered(1, mallory);
    let binding = Binding { nameplate: NAMEPLATE, typist: RECEIVER, maker: mallory, exporter: None };
    let (maker, second) = Maker::answer(&guess, &binding, &share, &mut secrets).unwrap();
    receiver.says(&second);
    assert!(maker.finish(&receiver.hear().unwrap()).is_err(), "all that it learns");
    receiver.says(&[0; 32]);
    assert_eq!(receiver.failure(), Some(ErrorCode::WrongCode));
    // As the typist, towards the sender.
    let (typist, share) = Typist::start(&guess, &mut secrets);
    sender.knocked(1, mallory, Some(share.to_vec()));
    let binding = Binding { nameplate: NAMEPLATE, typist: mallory, maker: SENDER, exporter: None };
    let (_, third) = typist.confirm(&binding, &sender.hear(1).unwrap()).unwrap();
    sender.says(1, &third);
    assert_eq!((sender.failure(), sender.admitted.len()), (Some(ErrorCode::CodeGuessed), 0));
}

#[test]
fn reflected_messages_are_refused() {
    let mut sender = Sender::new(1);
    let code = sender.code.clone();
    // Its own share, as if it were the sender's; and its own confirmation.
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    let share = receiver.knock().flatten().unwrap();
    receiver.answered(1, SENDER);
    receiver.says(&share);
    assert_eq!(receiver.failure(), Some(ErrorCode::WrongCode));
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    let share = receiver.knock().unwrap();
    receiver.answered(1, SENDER);
    sender.knocked(1, RECEIVER, share);
    let makers = sender.hear(1).unwrap();
    receiver.says(&makers);
    let confirmation = receiver.hear().unwrap();
    receiver.says(&confirmation);
    assert_eq!(receiver.failure(), Some(ErrorCode::WrongCode));
    // The sender's share, as if it were a receiver's.
    let mut other = Sender::new(1);
    other.knocked(2, RECEIVER, Some(makers));
    // It gives nothing away, so the code is as good as before; the hub counts it.
    assert_eq!((other.hung_up.as_slice(), other.failure()), ([(2, true)].as_slice(), None));
    // The sealed word, as if it were the receiver's.
    sender.says(1, &confirmation);
    let sealed = [sender.hear(1), sender.hear(1)].into_iter().flatten().next_back().unwrap();
    sender.says(1, &sealed);
    assert!(sender.delivered.is_empty() && sender.hung_up == [(1, false)]);
}

#[test]
fn nobody_comes_back_who_was_never_right() {
    let mut sender = Sender::new(1);
    sender.knocked(1, RECEIVER, None);
    assert_eq!((sender.hung_up.as_slice(), sender.admitted.len()), ([(1, false)].as_slice(), 0));
    assert_eq!(sender.failure(), None, "and that was no guess");
    // Whoever returns under a right key without its secret is served nothing that it could not prove that key for, and
    // cannot say that everything has arrived.
    let mut receiver = Receiver::new(Time(0), RECEIVER, &sender.code.clone(), None);
    knock(&mut sender, &mut receiver, RECEIVER, 2);
    let received = {
        complete(&mut receiver);
        receiver.hear().unwrap()
    };
    sender.gone(2);
    sender.knocked(3, RECEIVER, None);
    sender.says(3, &[9; 32]);
    sender.says(3, &received);
    assert_eq!((sender.delivered.len(), sender.hung_up.last()), (0, Some(&(3, false))));
}

#[test]
fn a_hub_that_gives_one_number_twice_ends_both() {
    let mut sender = Sender::new(2);
    let code = sender.code.clone();
    let mut receiver = Receiver::new(Time(0), RECEIVER, &code, None);
    knock(&mut sender, &mut receiver, RECEIVER, 1);
    sender.knocked(1, PublicKey([9; 32]), None);
    assert!(!sender.sending.is_being_fetched());
    assert_eq!(sender.sending.admitted(), [RECEIVER]);
}

#[test]
fn a_sender_that_is_killed_in_an_exchange_has_been_guessed_at() {
    let mut sender = Sender::new(2);
    let mut guesser = Receiver::new(Time(0), RECEIVER, &wrong(&sender.code.clone()), None);
    let share = guesser.knock().unwrap();
    sender.knocked(1, RECEIVER, share);
    assert!(sender.hear(1).is_some(), "it was answered");
    assert!(!sender.is_killed(), "whoever makes it start again gets no second guess");
    sender.gone(1);
    assert!(!sender.is_killed());
}
