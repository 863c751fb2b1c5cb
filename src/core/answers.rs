//! Puts answers into the order of their requests.
//!
//! A request takes a slot when it starts, and its answer fills the slot later. Filled slots leave from the front. A
//! slot either holds up the slots behind it until it is filled, or lets them pass, because its request waits for
//! somebody or something else. A passing answer never passes a slot that holds up.
//!
//! The hub keeps one of these for each client (`core/hub/sessions/exchange.rs`): a request's key goes in when it
//! starts, its answer when it is known, and answers come out in the promised order.

use std::collections::VecDeque;

/// A request without an answer, or an answer that may not leave yet.
#[derive(Debug)]
struct Slot<K, A> {
    key: K,
    holds: bool,
    answer: Option<(A, usize)>,
}

/// The answers to one client or program. See the [module](self) for the order in which they leave.
#[derive(Debug)]
pub struct Answers<K, A> {
    slots: VecDeque<Slot<K, A>>,
    bytes: usize,
}

impl<K, A> Default for Answers<K, A> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), bytes: 0 }
    }
}

impl<K: PartialEq, A> Answers<K, A> {
    /// Adds a slot for a request that starts. `holds` says whether it holds up later answers.
    pub fn take_slot(&mut self, key: K, holds: bool) {
        self.slots.push_back(Slot { key, holds, answer: None });
    }

    /// Fills the oldest empty slot with this key. `bytes` is the memory that the answer takes.
    ///
    /// # Errors
    /// Returns the answer if there is no such slot.
    pub fn fill(&mut self, key: &K, answer: A, bytes: usize) -> Result<(), A> {
        match self.unanswered(key) {
            Some(slot) => {
                slot.answer = Some((answer, bytes));
                self.bytes += bytes;
                Ok(())
            }
            None => Err(answer),
        }
    }

    /// Lets later answers pass the request with this key from now on.
    pub fn let_pass(&mut self, key: &K) {
        if let Some(slot) = self.unanswered(key) {
            slot.holds = false;
        }
    }

    /// Takes the next answer that may leave.
    pub fn pop(&mut self) -> Option<A> {
        let stop = self.slots.iter().position(|slot| slot.answer.is_some() || slot.holds)?;
        // An empty slot holds up the rest.
        self.slots.get(stop)?.answer.as_ref()?;
        let (answer, bytes) = self.slots.remove(stop)?.answer?;
        self.bytes -= bytes;
        Some(answer)
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The memory in bytes of answers that may not leave yet.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn unanswered(&mut self, key: &K) -> Option<&mut Slot<K, A>> {
        self.slots.iter_mut().find(|slot| slot.answer.is_none() && slot.key == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Rng;

    fn drain(answers: &mut Answers<u64, u64>) -> Vec<u64> {
        std::iter::from_fn(|| answers.pop()).collect()
    }

    #[test]
    fn an_early_answer_waits_for_those_before_it() {
        let mut answers = Answers::default();
        (1..=3).for_each(|key| answers.take_slot(key, true));
        answers.fill(&3, 3, 10).unwrap();
        assert_eq!((drain(&mut answers), answers.bytes()), (vec![], 10));
        answers.fill(&1, 1, 5).unwrap();
        assert_eq!(drain(&mut answers), [1]);
        answers.fill(&2, 2, 5).unwrap();
        assert_eq!((drain(&mut answers), answers.bytes(), answers.is_empty()), (vec![2, 3], 0, true));
        assert_eq!(answers.fill(&2, 9, 1), Err(9), "it has been answered");
    }

    #[test]
    fn what_waits_for_somebody_else_is_passed_and_passes_nobody() {
        let mut answers = Answers::default();
        for (key, holds) in [(1, false), (2, true), (3, false), (4, true)] {
            answers.take_slot(key, holds);
        }
        answers.fill(&4, 4, 0).unwrap();
        answers.fill(&3, 3, 0).unwrap();
        assert_eq!(drain(&mut answers), [0; 0], "both were asked after 2");
        answers.fill(&2, 2, 0).unwrap();
        assert_eq!(drain(&mut answers), [2, 3, 4]);
        // A message's receipt holds up later answers until it is known that it must wait.
        answers.take_slot(5, true);
        answers.take_slot(6, true);
        answers.fill(&6, 6, 0).unwrap();
        answers.let_pass(&5);
        assert_eq!(drain(&mut answers), [6]);
        answers.fill(&1, 1, 0).unwrap();
        answers.fill(&5, 5, 0).unwrap();
        assert_eq!((drain(&mut answers), answers.len()), (vec![1, 5], 0));
    }

    /// The promise in its simplest form: of all requests in order, which answers may leave?
    struct Model(Vec<(u64, bool, bool)>);

    impl Model {
        fn leaving(&mut self) -> Vec<u64> {
            let mut left = Vec::new();
            loop {
                let free = |at: &usize| self.0[*at].2 && self.0[..*at].iter().all(|(_, holds, _)| !holds);
                let Some(at) = (0..self.0.len()).find(free) else { return left };
                left.push(self.0.remove(at).0);
            }
        }
    }

    #[test]
    fn it_does_what_the_model_does() {
        let mut total = 0;
        for seed in 0..300 {
            let (mut rng, mut answers, mut model) = (Rng(seed), Answers::default(), Model(Vec::new()));
            for key in 0..200 {
                match rng.below(4) {
                    0..=1 => {
                        let holds = rng.chance(60);
                        answers.take_slot(key, holds);
                        model.0.push((key, holds, false));
                    }
                    2 if !model.0.is_empty() => {
                        let at = rng.below(model.0.len() as u64) as usize;
                        let (key, _, filled) = &mut model.0[at];
                        if !std::mem::replace(filled, true) {
                            answers.fill(key, *key, 3).unwrap();
                        }
                    }
                    _ if !model.0.is_empty() => {
                        let at = rng.below(model.0.len() as u64) as usize;
                        let (key, holds, filled) = &mut model.0[at];
                        if !*filled {
                            *holds = false;
                            answers.let_pass(key);
                        }
                    }
                    _ => {}
                }
                let left = drain(&mut answers);
                total += left.len();
                assert_eq!(left, model.leaving(), "seed {seed}");
                let waiting = model.0.iter().filter(|(_, _, filled)| *filled).count();
                assert_eq!((answers.len(), answers.bytes()), (model.0.len(), 3 * waiting), "seed {seed}");
            }
        }
        assert!(total > 3_000, "{total} answers");
    }
}
