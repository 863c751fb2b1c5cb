//! How long a code is good: until it has let in as many as it may, or one exchange by it did not end well.

/// What is left of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// How many exchanges may end well; nothing: any number.
    times: Option<u64>,
    /// How many have.
    right: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// The maker has sent its share to somebody, and waits for their confirmation.
    Answered,
    /// Somebody had the maker's share, and did not confirm.
    Guessed,
}

/// Why a code is good for nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Somebody has guessed wrong, or broken off instead of confirming.
    Guessed,
    /// As many as it may have come in by it.
    UsedUp,
}

/// Why no exchange can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// Another one is under way. It is over soon.
    Busy,
    /// The code has ended.
    Over(Over),
}

impl Life {
    /// A new code for so many.
    pub fn new(times: Option<u64>) -> Self {
        Self::recalled(times, 0, false)
    }

    /// A code as it was kept: how many exchanges have ended well, and whether one was answered and has not. What was
    /// under way when the maker's process ended counts as a guess.
    pub fn recalled(times: Option<u64>, right: u64, answered: bool) -> Self {
        Self { times, right, stage: if answered { Stage::Guessed } else { Stage::Waiting } }
    }

    /// Why the code is over, if it is.
    pub fn over(&self) -> Option<Over> {
        match self.stage {
            Stage::Guessed => Some(Over::Guessed),
            Stage::Waiting | Stage::Answered => {
                self.times.is_some_and(|times| self.right >= times).then_some(Over::UsedUp)
            }
        }
    }

    /// How many exchanges have ended well.
    pub fn right(&self) -> u64 {
        self.right
    }

    /// Whether somebody was answered who has not confirmed.
    pub fn is_answered(&self) -> bool {
        self.stage == Stage::Answered
    }

    /// The maker is about to answer a typist.
    ///
    /// # Errors
    /// If it must not.
    pub fn answer(&mut self) -> Result<(), Unready> {
        if let Some(over) = self.over() {
            return Err(Unready::Over(over));
        }
        match self.stage {
            Stage::Answered => Err(Unready::Busy),
            Stage::Waiting | Stage::Guessed => {
                self.stage = Stage::Answered;
                Ok(())
            }
        }
    }

    /// The typist has confirmed.
    pub fn confirmed(&mut self) {
        if self.stage == Stage::Answered {
            (self.right, self.stage) = (self.right + 1, Stage::Waiting);
        }
    }

    /// The typist has not confirmed: it was wrong, has gone, or took too long.
    pub fn failed(&mut self) {
        if self.stage == Stage::Answered {
            self.stage = Stage::Guessed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_ones_count_and_a_wrong_one_ends_it() {
        let mut life = Life::new(Some(2));
        assert_eq!((life.answer(), life.answer()), (Ok(()), Err(Unready::Busy)));
        life.confirmed();
        assert_eq!((life.over(), life.answer()), (None, Ok(())));
        let mut guessed = life.clone();
        guessed.failed();
        assert_eq!((guessed.over(), guessed.answer()), (Some(Over::Guessed), Err(Unready::Over(Over::Guessed))));
        life.confirmed();
        assert_eq!((life.right(), life.answer()), (2, Err(Unready::Over(Over::UsedUp))));
        life.failed();
        assert_eq!(life.over(), Some(Over::UsedUp), "nothing was under way");
    }

    #[test]
    fn what_was_answered_when_the_maker_ended_counts_as_a_guess() {
        assert_eq!(Life::recalled(Some(3), 1, true).answer(), Err(Unready::Over(Over::Guessed)));
        assert_eq!(Life::recalled(Some(3), 1, false).answer(), Ok(()));
        assert_eq!(Life::recalled(None, u64::MAX, false).answer(), Ok(()));
    }
}
