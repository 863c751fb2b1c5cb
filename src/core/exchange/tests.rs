//! The exchange among honest sides, and against those who guess, relay, reflect, or are in between.

use super::*;
use crate::core::time::Rng;

const EXPORTER: Option<[u8; 32]> = Some([5; 32]);

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn binding() -> Binding {
    Binding { nameplate: 7, typist: key(1), maker: key(2), exporter: EXPORTER }
}

fn secrets(n: u8) -> Secrets {
    Secrets::new([n; 32])
}

fn code() -> Code {
    "7-crossover-clockwork".parse().unwrap()
}

/// An exchange from the first message to the last, with each side's code and view.
fn exchange(typed: &Code, made: &Code, typists: Binding, makers: Binding) -> Result<(Channel, Channel), Wrong> {
    let (typist, first) = Typist::start(typed, &mut secrets(1));
    let (maker, second) = Maker::answer(made, &makers, &first, &mut secrets(2))?;
    let (typist, third) = typist.confirm(&typists, &second)?;
    let (fourth, makers) = maker.finish(&third)?;
    Ok((typist.finish(&fourth)?, makers))
}

#[test]
fn both_come_to_a_channel_that_keeps_order() {
    let (mut typist, mut maker) = exchange(&code(), &code(), binding(), binding()).unwrap();
    let sealed: Vec<_> = (0..3u8).map(|n| maker.seal(&[n; 40])).collect();
    assert!(sealed.iter().all(|message| message.len() == 40 + SEALED_BYTES));
    assert_eq!(typist.open(&sealed[0]), Ok(vec![0; 40]));
    assert_eq!(typist.open(&sealed[2]), Err(NotOpened), "one is missing");
    let (mut typist, mut maker) = exchange(&code(), &code(), binding(), binding()).unwrap();
    let ours = typist.seal(b"soup");
    assert_eq!(typist.open(&ours), Err(NotOpened), "reflected");
    assert_eq!(maker.open(&ours), Ok(b"soup".to_vec()));
    assert_eq!(maker.open(&ours), Err(NotOpened), "repeated");
}

#[test]
fn who_comes_back_gets_a_channel_of_its_own_without_an_exchange() {
    let (typist, maker) = exchange(&code(), &code(), binding(), binding()).unwrap();
    assert_eq!(typist.resumption(), maker.resumption());
    let kept = Resumption::recalled(&typist.resumption().to_keep()).unwrap();
    let channels = |typists: u8, makers: u8| {
        let (typists, makers) = ([typists; 32], [makers; 32]);
        (kept.typist(&typists, &makers).unwrap(), maker.resumption().maker(&typists, &makers).unwrap())
    };
    let (mut typist, mut maker) = channels(1, 2);
    let received = typist.seal(b"received");
    assert_eq!(maker.open(&received), Ok(b"received".to_vec()));
    // A message of one return is of no use at another, and neither is one that is reflected.
    for (typists, makers) in [(1, 3), (3, 2), (2, 1)] {
        assert_eq!(channels(typists, makers).1.open(&received), Err(NotOpened));
    }
    assert_eq!(channels(1, 2).0.open(&received), Err(NotOpened));
    assert!(Resumption::recalled(&[0; 31]).is_err());
    let other = exchange(&code(), &code(), binding(), Binding { exporter: EXPORTER, ..binding() }).unwrap().0;
    assert_eq!(format!("{:?}", other.resumption()), "Resumption");
}

#[test]
fn a_wrong_word_is_refused_by_the_maker_before_it_confirms() {
    for typed in ["7-crossover-cactus", "7-cactus-clockwork", "7-clockwork-crossover"] {
        assert!(exchange(&typed.parse().unwrap(), &code(), binding(), binding()).is_err(), "{typed}");
    }
}

#[test]
fn whatever_the_two_see_differently_ends_it() {
    let (honest, other) = (binding(), |change: fn(&mut Binding)| {
        let mut seen = binding();
        change(&mut seen);
        seen
    });
    let views = [
        ("nameplate", other(|b| b.nameplate = 8)),
        ("typist's key", other(|b| b.typist = key(9))),
        ("maker's key", other(|b| b.maker = key(9))),
        ("keys exchanged", other(|b| (b.typist, b.maker) = (b.maker, b.typist))),
        ("exporter", other(|b| b.exporter = Some([6; 32]))),
        ("no exporter", other(|b| b.exporter = None)),
        ("an exporter of nothing", other(|b| b.exporter = Some([0; 32]))),
    ];
    for (what, seen) in &views {
        assert!(exchange(&code(), &code(), *seen, honest).is_err(), "{what}");
        assert!(exchange(&code(), &code(), honest, *seen).is_err(), "{what}");
    }
    let none = Binding { exporter: None, ..honest };
    assert!(exchange(&code(), &code(), none, none).is_ok());
    assert!(exchange(&code(), &code(), none, views[6].1).is_err(), "none, and one of zeros");
}

#[test]
fn a_reflected_message_is_refused() {
    let (typist, first) = Typist::start(&code(), &mut secrets(1));
    assert!(typist.confirm(&binding(), &first).is_err(), "its own share");
    // Of its side byte changed, it is a share of a maker who does not know the typist's secret.
    let (typist, mut first) = Typist::start(&code(), &mut secrets(1));
    first[0] = b'B';
    if let Ok((typist, confirmation)) = typist.confirm(&binding(), &first) {
        assert!(typist.finish(&confirmation).is_err(), "its own confirmation");
    }
    let (typist, first) = Typist::start(&code(), &mut secrets(1));
    let (_, second) = Maker::answer(&code(), &binding(), &first, &mut secrets(2)).unwrap();
    let (typist, third) = typist.confirm(&binding(), &second).unwrap();
    assert!(typist.finish(&third).is_err(), "its own confirmation");
    let (_, makers) = Maker::answer(&code(), &binding(), &first, &mut secrets(2)).unwrap();
    assert!(Maker::answer(&code(), &binding(), &makers, &mut secrets(2)).is_err(), "a maker's share");
}

#[test]
fn who_relays_learns_nothing_and_who_terminates_is_refused() {
    // Whoever relays passes on all four messages, and has neither the keys nor the plain text.
    let (typist, first) = Typist::start(&code(), &mut secrets(1));
    let (maker, second) = Maker::answer(&code(), &binding(), &first, &mut secrets(2)).unwrap();
    let (typist, third) = typist.confirm(&binding(), &second).unwrap();
    let (fourth, mut maker) = maker.finish(&third).unwrap();
    let mut typist = typist.finish(&fourth).unwrap();
    let sealed = maker.seal(b"the invite");
    assert!(!sealed.windows(6).any(|bytes| bytes == b"invite"));
    assert_eq!(typist.open(&sealed), Ok(b"the invite".to_vec()));
    // Whoever terminates both connections shows each side another key, and each connection has another exporter.
    let mallory = key(66);
    let towards_typist = Binding { maker: mallory, ..binding() };
    let towards_maker = Binding { typist: mallory, exporter: Some([6; 32]), ..binding() };
    let (typist, first) = Typist::start(&code(), &mut secrets(1));
    let (maker, second) = Maker::answer(&code(), &towards_maker, &first, &mut secrets(2)).unwrap();
    let (typist, third) = typist.confirm(&towards_typist, &second).unwrap();
    assert!(maker.finish(&third).is_err());
    assert!(typist.finish(&third).is_err() && towards_typist != towards_maker);
}

#[test]
fn a_false_maker_has_one_guess_and_cannot_test_others_afterwards() {
    let guess: Code = "7-cactus-cactus".parse().unwrap();
    let (typist, first) = Typist::start(&code(), &mut secrets(1));
    let (maker, second) = Maker::answer(&guess, &binding(), &first, &mut secrets(2)).unwrap();
    let (typist, third) = typist.confirm(&binding(), &second).unwrap();
    assert!(maker.finish(&third).is_err(), "all that it learns");
    assert!(typist.finish(&[0; 32]).is_err());
    assert!(typist_takes_no_part_of(&third));
}

/// A part of a valid confirmation is no confirmation.
fn typist_takes_no_part_of(confirmation: &Confirmation) -> bool {
    let (_, first) = Typist::start(&code(), &mut secrets(1));
    let maker = || Maker::answer(&code(), &binding(), &first, &mut secrets(2)).unwrap().0;
    [0, 1, 16, 31].iter().all(|length| maker().finish(&confirmation[..*length]).is_err())
}

#[test]
fn a_hundred_wrong_guesses_at_a_hundred_codes_get_nowhere() {
    let mut rng = Rng(4);
    for n in 0..100u32 {
        let made = Code::new(n + 1, rng.next_u64() as u16);
        let mut life = Life::new(Some(2));
        let guessed = Code::new(n + 1, rng.next_u64() as u16);
        assert_ne!(made, guessed, "one of 65,536; another seed, please");
        let binding = Binding { nameplate: n + 1, ..binding() };
        let (typist, first) = Typist::start(&guessed, &mut secrets(1));
        life.answer().unwrap();
        let (maker, second) = Maker::answer(&made, &binding, &first, &mut secrets(2)).unwrap();
        let (_, third) = typist.confirm(&binding, &second).unwrap();
        assert!(maker.finish(&third).is_err());
        life.failed();
        assert_eq!(life.answer(), Err(Unready::Over(Over::Guessed)), "no second guess, not even a right one");
    }
}

/// Both roles are given messages of this exchange and of others, whole, cut, changed and from the wrong side, in any
/// order. Nobody panics, and both get a channel only if each has got the other's own messages.
#[test]
fn messages_in_any_order_open_nothing() {
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let mut chance = Secrets::new([seed as u8; 32]);
        let (typist, first) = Typist::start(&code(), &mut chance);
        let (_, others) = Typist::start(&code(), &mut chance);
        let mut heard: Vec<Vec<u8>> = vec![first.to_vec(), others.to_vec(), Vec::new(), vec![0; 33], vec![b'A'; 33]];
        let mut pick = |heard: &[Vec<u8>]| {
            let mut message = heard[rng.below(heard.len() as u64) as usize].clone();
            if rng.chance(30) && !message.is_empty() {
                let at = rng.below(message.len() as u64) as usize;
                message[at] ^= 1 << rng.below(8);
            }
            if rng.chance(10) {
                message.truncate(rng.below(34) as usize);
            }
            message
        };
        let to_maker = pick(&heard);
        let maker = Maker::answer(&code(), &binding(), &to_maker, &mut chance);
        if let Ok((_, second)) = &maker {
            heard.push(second.to_vec());
        }
        let to_typist = pick(&heard);
        let typist = typist.confirm(&binding(), &to_typist);
        if let Ok((_, third)) = &typist {
            heard.push(third.to_vec());
        }
        let own = maker.as_ref().is_ok_and(|(_, second)| to_maker == first && to_typist == *second);
        let confirmation = pick(&heard);
        let finished = maker.map(|(maker, _)| maker.finish(&confirmation));
        if let Ok(Ok((fourth, _))) = finished {
            assert!(own && typist.as_ref().is_ok_and(|(_, third)| confirmation == *third), "seed {seed}");
            heard.push(fourth.to_vec());
            let last = pick(&heard);
            let opened = typist.map(|(typist, _)| typist.finish(&last).is_ok());
            assert!(opened != Ok(true) || last == fourth, "seed {seed}");
        }
    }
}
