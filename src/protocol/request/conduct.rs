//! What holds for a request as such, whoever carries it out: one row of the vocabulary says it, once.

/// When a request may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// After everything that was asked before it.
    InOrder,
    /// When what it waits for has come, named here; what was asked after it is answered meanwhile.
    Later(&'static str),
    /// In order, unless the hub has it and waits for something else, named here, that the answer is to tell.
    Receipt(&'static str),
}

impl Turn {
    /// What the answer may wait for while others pass it.
    pub fn waits_for(self) -> Option<&'static str> {
        match self {
            Self::InOrder => None,
            Self::Later(what) | Self::Receipt(what) => Some(what),
        }
    }

    /// Whether the answers to what was asked later wait for this one.
    pub fn holds_up(self) -> bool {
        match self {
            Self::InOrder | Self::Receipt(_) => true,
            Self::Later(_) => false,
        }
    }
}

/// How large an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// It says one thing.
    Small,
    /// It lists things.
    Large,
}

/// A request's row in the vocabulary, beside its name and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// When it may be answered.
    pub turn: Turn,
    /// How large the answer may be.
    pub bulk: Bulk,
}

impl Conduct {
    pub(super) const fn new(turn: Turn, bulk: Bulk) -> Self {
        Self { turn, bulk }
    }
}
