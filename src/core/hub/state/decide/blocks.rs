//! Blocking people, and not any more.

use super::super::State;
use super::{Author, Decision};
use crate::protocol::limits::BLOCKS;
use crate::protocol::line::pointer_at;
use crate::protocol::{ErrorCode, Failure, Record, event};

impl State {
    pub(super) fn decide_block(&self, author: &Author, name: &str) -> Result<Decision, Failure> {
        let whom = self.other(&author.name_key, name, "/name")?;
        let shown = self.names.shown(&whom);
        if self.blocks.blocked_by(&author.name_key).count() >= BLOCKS {
            return Err(Failure::new(ErrorCode::TooMany, format!("One can block {BLOCKS} people.")));
        }
        if self.blocks.has(&author.name_key, &whom) {
            let failure = Failure::new(ErrorCode::AlreadyBlocked, format!("You block {shown} already."));
            return Err(failure.at(pointer_at("/name")));
        }
        let record = Record::Block { by: author.name_key.clone(), whom };
        Ok(Decision::answer(vec![record], event::Blocked { name: shown }))
    }

    pub(super) fn decide_unblock(&self, author: &Author, name: &str) -> Result<Decision, Failure> {
        let whom = self.other(&author.name_key, name, "/name")?;
        let shown = self.names.shown(&whom);
        if !self.blocks.has(&author.name_key, &whom) {
            let failure = Failure::new(ErrorCode::NotBlocked, format!("You do not block {shown}."));
            return Err(failure.at(pointer_at("/name")));
        }
        let record = Record::Unblock { by: author.name_key.clone(), whom };
        Ok(Decision::answer(vec![record], event::Unblocked { name: shown }))
    }
}
