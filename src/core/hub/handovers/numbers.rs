//! The numbers of codes: who has opened which, and which is given next.
//!
//! A hub that stays gives the lowest multiple of [`PARCEL_NAMEPLATES`] that is free, so that codes are short and are no
//! codes of invites. A hub that is there for one sender draws its numbers at random ([`OWN_NAMEPLATES`]), so that two such hubs
//! in one network hardly ever have the same. A number that was given back rests for a while: whoever types an old code late
//! does not spoil a new one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::core::Rng;
use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::code::{MAX_NAMEPLATE, Nameplate, OWN_NAMEPLATES, PARCEL_NAMEPLATES};
use crate::protocol::limits::CODES_OPEN;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// How long a number rests. Only whoever had it may have it again meanwhile.
const REST: Duration = Duration::from_secs(600);

/// Numbers that rest; of more, the ones that rest longest are free again.
const RESTING: usize = 200;

/// Even numbers among [`OWN_NAMEPLATES`].
const DRAWN: u32 = (*OWN_NAMEPLATES.end() - *OWN_NAMEPLATES.start()).div_ceil(2);

/// A number that somebody has opened.
pub(super) struct Number {
    /// The session that has it, and its key.
    pub(super) id: PeerId,
    pub(super) key: PublicKey,
    /// Who may come back without another exchange.
    pub(super) admitted: BTreeSet<PublicKey>,
    /// The conversation in which the code is being exchanged. There is one at a time.
    pub(super) exchange: Option<u64>,
}

/// All numbers.
pub(super) struct Numbers {
    rng: Rng,
    open: BTreeMap<Nameplate, Number>,
    of: BTreeMap<PeerId, BTreeSet<Nameplate>>,
    /// Whose the numbers were that rest, and since when they do.
    resting: BTreeMap<Nameplate, (PublicKey, Time)>,
    /// The same numbers, oldest first; some of them may be in use again.
    rested: VecDeque<(Time, Nameplate)>,
}

impl Numbers {
    /// None yet. Those that are drawn follow from the seed.
    pub(super) fn new(seed: u64) -> Self {
        let (open, of) = (BTreeMap::new(), BTreeMap::new());
        Self { rng: Rng(seed), open, of, resting: BTreeMap::new(), rested: VecDeque::new() }
    }

    /// A new number for a session, `drawn` at random or the lowest.
    ///
    /// # Errors
    /// `too-many` if there is none.
    pub(super) fn open(&mut self, now: Time, id: PeerId, key: PublicKey, drawn: bool) -> Result<Nameplate, Failure> {
        self.wake(now);
        let number = if drawn { self.draw() } else { self.lowest() };
        let number =
            number.ok_or_else(|| Failure::new(ErrorCode::TooMany, "This hub has no more numbers for codes."))?;
        self.take(number, id, key);
        Ok(number)
    }

    /// Opens a number again that the session had before. If another session of the same key still has it, that one loses
    /// it, and is returned.
    ///
    /// # Errors
    /// `code-void` if it is somebody else's by now, or none that this hub gives.
    pub(super) fn open_again(
        &mut self,
        now: Time,
        id: PeerId,
        key: PublicKey,
        (number, drawn): (Nameplate, bool),
    ) -> Result<Option<PeerId>, Failure> {
        self.wake(now);
        let step = if drawn { 2 } else { PARCEL_NAMEPLATES };
        let given = number.is_multiple_of(step) && number <= MAX_NAMEPLATE && OWN_NAMEPLATES.contains(&number) == drawn;
        let holder = self.open.get(&number).map(|open| (open.id, open.key));
        let former = self.resting.get(&number).map(|(key, _)| *key);
        let theirs = holder.map(|(_, key)| key).or(former).is_none_or(|owner| owner == key);
        if number == 0 || !given || !theirs {
            return Err(Failure::new(ErrorCode::CodeVoid, "The number of the code is somebody else's by now."));
        }
        let before = holder.map(|(before, _)| before);
        if before == Some(id) {
            return Ok(None);
        }
        self.close(now, number);
        self.take(number, id, key);
        Ok(before)
    }

    /// A number is given back, and rests.
    pub(super) fn close(&mut self, now: Time, number: Nameplate) {
        let Some(closed) = self.open.remove(&number) else { return };
        if let Some(of) = self.of.get_mut(&closed.id) {
            of.remove(&number);
            if of.is_empty() {
                self.of.remove(&closed.id);
            }
        }
        self.resting.insert(number, (closed.key, now));
        self.rested.push_back((now, number));
        self.wake(now);
    }

    pub(super) fn get(&self, number: Nameplate) -> Option<&Number> {
        self.open.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: Nameplate) -> Option<&mut Number> {
        self.open.get_mut(&number)
    }

    /// The numbers of a session.
    pub(super) fn of(&self, id: PeerId) -> Vec<Nameplate> {
        self.of.get(&id).into_iter().flatten().copied().collect()
    }

    /// Whether a session has any.
    pub(super) fn has(&self, id: PeerId) -> bool {
        self.of.contains_key(&id)
    }

    /// All that are open. Costs time for each of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Number> {
        self.open.values()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, number: Nameplate, id: PeerId, key: PublicKey) {
        self.resting.remove(&number);
        self.of.entry(id).or_default().insert(number);
        self.open.insert(number, Number { id, key, admitted: BTreeSet::new(), exchange: None });
    }

    fn is_free(&self, number: Nameplate) -> bool {
        !self.open.contains_key(&number) && !self.resting.contains_key(&number)
    }

    /// The lowest number that is free, but none of those that say where to look.
    fn lowest(&self) -> Option<Nameplate> {
        let step = PARCEL_NAMEPLATES as usize;
        let below = (PARCEL_NAMEPLATES..*OWN_NAMEPLATES.start()).step_by(step);
        let above = (*OWN_NAMEPLATES.end() + 1..=MAX_NAMEPLATE).step_by(step);
        below.chain(above).take(CODES_OPEN + RESTING + 1).find(|number| self.is_free(*number))
    }

    fn draw(&mut self) -> Option<Nameplate> {
        let first = self.rng.below(u64::from(DRAWN)) as u32;
        let mut all = (first..DRAWN).chain(0..first).map(|at| OWN_NAMEPLATES.start() + 2 * at);
        all.find(|number| self.is_free(*number))
    }

    /// Ends the rest of numbers that have rested for long enough, or of the oldest if there are too many.
    fn wake(&mut self, now: Time) {
        while let Some((since, number)) = self.rested.front().copied() {
            if since + REST > now && self.rested.len() <= RESTING {
                return;
            }
            self.rested.pop_front();
            if self.resting.get(&number).is_some_and(|(_, rests)| *rests == since) {
                self.resting.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNAS: PublicKey = PublicKey([1; 32]);
    const BENS: PublicKey = PublicKey([2; 32]);

    #[test]
    fn the_lowest_number_is_given_and_one_that_was_given_back_rests() {
        let mut numbers = Numbers::new(1);
        let mut open = |now| numbers.open(Time(now), 1, ANNAS, false).unwrap();
        assert_eq!([open(0), open(0), open(0)], [4, 8, 12]);
        numbers.close(Time(0), 8);
        assert_eq!(numbers.open(Time(599_999_999), 2, BENS, false).unwrap(), 16);
        assert_eq!(numbers.open(Time(600_000_000), 2, BENS, false).unwrap(), 8);
        assert_eq!((numbers.of(1), numbers.of(2), numbers.len()), (vec![4, 12], vec![8, 16], 4));
        // After 996 comes none that says to look in this network.
        let last = (0..600).map(|_| numbers.open(Time(600_000_000), 3, BENS, false).unwrap()).collect::<Vec<_>>();
        assert!(last.contains(&996) && last.contains(&10_000) && !last.iter().any(|n| OWN_NAMEPLATES.contains(n)));
        // Whoever opens and gives back all the time keeps few from others.
        (0..10_000).for_each(|_| {
            let number = numbers.open(Time(600_000_000), 4, BENS, false).unwrap();
            numbers.close(Time(600_000_000), number);
        });
        assert!(numbers.resting.len() <= RESTING && numbers.rested.len() <= RESTING);
    }

    #[test]
    fn a_number_is_opened_again_by_whoever_had_it_and_by_nobody_else() {
        let mut numbers = Numbers::new(1);
        let again = |numbers: &mut Numbers, id, key, number| {
            numbers.open_again(Time(0), id, key, (number, false)).map_err(|failure| failure.code)
        };
        let void = Err(ErrorCode::CodeVoid);
        // After a restart nobody knows whose it was.
        assert_eq!(again(&mut numbers, 1, ANNAS, 8), Ok(None));
        assert_eq!(again(&mut numbers, 1, ANNAS, 8), Ok(None));
        assert_eq!(again(&mut numbers, 2, BENS, 8), void);
        assert_eq!(again(&mut numbers, 3, ANNAS, 8), Ok(Some(1)));
        numbers.close(Time(0), 8);
        assert_eq!((again(&mut numbers, 2, BENS, 8), again(&mut numbers, 4, ANNAS, 8)), (void, Ok(None)));
        for none in [0, 7, 10, 1_000, 9_998, MAX_NAMEPLATE + 1] {
            assert_eq!(again(&mut numbers, 1, ANNAS, none), void, "{none}");
        }
        assert_eq!(numbers.open_again(Time(0), 5, BENS, (4_712, true)).ok(), Some(None));
        assert_eq!((numbers.len(), numbers.has(1), numbers.has(4)), (2, false, true));
    }

    #[test]
    fn a_hub_of_one_sender_draws_numbers_that_say_where_to_look() {
        let mut numbers = Numbers::new(1);
        let drawn: BTreeSet<_> = (0..4_500).map(|_| numbers.open(Time(0), 1, ANNAS, true).unwrap()).collect();
        assert_eq!((drawn.len(), drawn.first(), drawn.last()), (4_500, Some(&1_000), Some(&9_998)));
        assert_eq!(numbers.open(Time(0), 1, ANNAS, true).map_err(|failure| failure.code), Err(ErrorCode::TooMany));
    }
}
