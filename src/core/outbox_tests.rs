use proptest::prelude::*;

use super::*;

const TABLE: StateKey = StateKey { kind: Kind::TableUpdated, of: 0 };
const ROSTER: StateKey = StateKey { kind: Kind::RosterUpdated, of: 0 };

fn transfer(number: u64) -> StateKey {
    StateKey { kind: Kind::TransferProgress, of: number }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Fact(u64, usize),
    /// A state from one revision to another.
    State(StateKey, u64, u64),
}

use Item::{Fact, State};

impl Queued for Item {
    fn stamp(&self) -> u64 {
        match self {
            Fact(stamp, _) | State(_, _, stamp) => *stamp,
        }
    }
    fn bytes(&self) -> usize {
        match self {
            Fact(_, bytes) => *bytes,
            State(..) => 1000,
        }
    }
}

fn merge(older: &mut Item, newer: Item) {
    match (older, newer) {
        (State(_, _, to), State(_, from, newer)) if *to <= from => *to = newer,
        (older, newer) => panic!("{older:?} {newer:?}"),
    }
}

const BOUNDS: Bounds = Bounds { facts: 4, bytes: 100 };

fn drained(outbox: &mut Outbox<Item>) -> Vec<Popped<Item>> {
    std::iter::from_fn(|| outbox.pop()).collect()
}

#[test]
fn state_moves_behind_the_facts_that_led_to_it() {
    let mut outbox = Outbox::new(BOUNDS);
    let table = TABLE;
    outbox.push_state(table, State(table, 0, 1), merge);
    outbox.push_fact(Fact(1, 1));
    outbox.push_state(ROSTER, State(ROSTER, 0, 1), merge);
    outbox.push_state(table, State(table, 1, 2), merge);
    outbox.push_fact(Fact(2, 1));
    let expected = [Fact(1, 1), State(ROSTER, 0, 1), State(table, 0, 2), Fact(2, 1)];
    assert_eq!(drained(&mut outbox), expected.map(Popped::Item));
    outbox.push_state(table, State(table, 2, 3), merge);
    assert_eq!(outbox.pop(), Some(Popped::Item(State(table, 2, 3))));
    assert!(outbox.is_empty() && outbox.pop().is_none());
}

#[test]
fn what_does_not_fit_becomes_a_gap_in_its_place() {
    let mut outbox = Outbox::new(BOUNDS);
    for stamp in 1..=7 {
        outbox.push_fact(Fact(stamp, 1));
    }
    outbox.pop();
    outbox.push_fact(Fact(8, 1));
    outbox.push_fact(Fact(9, 1));
    let gap = |first, last| Popped::Gap(Gap { first, last, dropped: last - first + 1 });
    let fact = |stamp| Popped::Item(Fact(stamp, 1));
    assert_eq!(drained(&mut outbox), [fact(2), fact(3), fact(4), gap(5, 7), fact(8), gap(9, 9)]);
    assert!(outbox.is_empty());
}

#[test]
fn answers_are_never_dropped_and_take_no_room_from_facts() {
    let mut outbox = Outbox::new(BOUNDS);
    (1..=4).for_each(|stamp| assert!(outbox.push_fact(Fact(stamp, 20))));
    (5..=50).for_each(|stamp| outbox.push_answer(Fact(stamp, 1_000)));
    assert!(!outbox.push_fact(Fact(51, 1)));
    outbox.push_answer(Fact(52, 1));
    assert_eq!(outbox.unread(), 4 * 20 + 46 * 1_000 + 1);
    let fact = |stamp| if stamp < 5 { Fact(stamp, 20) } else { Fact(stamp, 1_000) };
    let mut expected: Vec<Popped<Item>> = (1..=50).map(|stamp| Popped::Item(fact(stamp))).collect();
    expected.push(Popped::Gap(Gap { first: 51, last: 51, dropped: 1 }));
    expected.push(Popped::Item(Fact(52, 1)));
    assert_eq!(drained(&mut outbox), expected);
    assert!(outbox.is_empty() && outbox.unread() == 0);
    (0..40).for_each(|stamp| outbox.push_answer(Fact(stamp, 1_000)));
    assert!(outbox.push_fact(Fact(40, 1)), "a message has its room");
}

#[test]
fn bytes_are_bounded_but_a_lone_fact_always_fits() {
    let mut outbox = Outbox::new(BOUNDS);
    outbox.push_fact(Fact(1, 5000));
    outbox.push_fact(Fact(2, 0));
    let gap = Gap { first: 2, last: 2, dropped: 1 };
    assert_eq!(drained(&mut outbox), [Popped::Item(Fact(1, 5000)), Popped::Gap(gap)]);
    assert!(outbox.push_fact(Fact(3, 49)) && outbox.push_fact(Fact(4, 51)));
    assert!(!outbox.push_fact(Fact(5, 1)), "both together fill it");
}

#[test]
fn a_reader_that_has_stopped_costs_no_growing_memory() {
    let mut outbox = Outbox::new(BOUNDS);
    for n in 1..100_000 {
        outbox.push_fact(Fact(n, 1));
        outbox.push_state(TABLE, State(TABLE, n, n + 1), merge);
        outbox.push_state(transfer(n % 3), State(ROSTER, n, n), merge);
        assert!(outbox.slots.len() < 64, "{}", outbox.slots.len());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Fact(usize),
    State(u64),
    Pop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0..60usize).prop_map(Step::Fact), (0..4u64).prop_map(Step::State), Just(Step::Pop)]
}

proptest! {
    #[test]
    fn facts_and_gaps_account_for_everything(steps in proptest::collection::vec(step(), 0..300)) {
        let mut outbox = Outbox::new(BOUNDS);
        let (mut facts, mut states) = (0, [0; 4]);
        let mut popped = Vec::new();
        for step in steps {
            match step {
                Step::Fact(bytes) => {
                    facts += 1;
                    outbox.push_fact(Fact(facts, bytes));
                }
                Step::State(n) => {
                    let at = &mut states[n as usize];
                    let key = transfer(n);
                    outbox.push_state(key, State(key, *at, *at + 1), merge);
                    *at += 1;
                }
                Step::Pop => popped.extend(outbox.pop()),
            }
            prop_assert!(outbox.facts <= BOUNDS.facts && outbox.bytes <= BOUNDS.bytes);
        }
        popped.extend(drained(&mut outbox));
        prop_assert!(outbox.is_empty() && outbox.slots.is_empty());
        let (mut told, mut seen) = (0, [0; 4]);
        for out in popped {
            match out {
                Popped::Item(Fact(stamp, _)) => {
                    prop_assert_eq!(stamp, told + 1);
                    told = stamp;
                }
                Popped::Gap(gap) => {
                    prop_assert_eq!((gap.first, gap.dropped), (told + 1, gap.last - told));
                    told = gap.last;
                }
                Popped::Item(State(StateKey { kind: Kind::TransferProgress, of: n }, from, to)) => {
                    prop_assert_eq!(from, seen[n as usize]);
                    seen[n as usize] = to;
                }
                Popped::Item(other) => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!((told, seen), (facts, states));
    }
}
