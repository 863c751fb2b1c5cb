//! What comes to a hub from its store, its shelf and its checker of passwords: each answer when it likes.

use potluck::core::hub::{Input, Verified};
use potluck::protocol::invite::InviteRecord;
use potluck::protocol::record::{Found, PastAnswer, Query};
use potluck::protocol::{ErrorCode, Timestamp};

use crate::hub::World;
use crate::words;

impl World {
    /// A store that falls ill and recovers.
    pub fn trouble(&mut self) {
        if self.rng.chance(70) {
            self.trouble = true;
            let codes = [ErrorCode::StoreFull, ErrorCode::StoreBusy, ErrorCode::StoreUnavailable];
            let code = codes[self.rng.below(3) as usize];
            return self.handle(Input::StoreDegraded(code.into()));
        }
        self.recover();
    }

    pub fn recover(&mut self) {
        // Some of what was given up is not written; the rest is.
        let abandoned: Vec<u64> = std::mem::take(&mut self.abandoned);
        let gone: Vec<u64> =
            abandoned.into_iter().filter(|number| self.commits.contains(number) && self.rng.chance(50)).collect();
        self.commits.retain(|number| !gone.contains(number));
        self.handle(Input::StoreAbandoned(gone));
        if std::mem::take(&mut self.trouble) {
            self.handle(Input::StoreRecovered);
        }
    }

    pub fn commit(&mut self, all: bool) {
        if all {
            self.recover();
        } else if self.trouble {
            return;
        }
        if let Some(&number) = self.commits.front().filter(|_| self.rng.chance(1)) {
            self.handle(Input::StoreRefused(number, ErrorCode::Internal.into()));
        }
        let some = if all { self.commits.len() } else { self.rng.below(self.commits.len() as u64 + 1) as usize };
        let last = self.commits.drain(..some).next_back();
        if let Some(number) = last {
            self.handle(Input::Committed(number));
        }
    }

    pub fn answer_query(&mut self, honest: bool) {
        if self.queries.is_empty() {
            return;
        }
        let (number, query) = self.queries.swap_remove(self.rng.below(self.queries.len() as u64) as usize);
        let found = match query {
            Query::Inbox(inbox) => {
                let after = self.kept.iter().filter(|kept| kept.number > inbox.after).take(inbox.limit.min(50));
                Found::Messages(
                    after.filter(|_| self.rng.chance(80)).cloned().collect(),
                    !honest && self.rng.chance(20),
                )
            }
            Query::History(_) => {
                let some = self.kept.iter().filter(|_| self.rng.chance(20)).cloned().collect();
                Found::Messages(some, self.rng.chance(20))
            }
            Query::PastAnswers { .. } => {
                let some = (0..self.rng.below(4))
                    .map(|n| (n as i64 + 1, PastAnswer::Said { number: self.rng.below(9), sent: Timestamp(4) }));
                Found::PastAnswers(some.collect())
            }
            Query::TrimPoint { .. } => Found::TrimPoint(self.rng.below(9)),
            Query::Invites(_) => Found::Invites(Vec::new()),
            Query::Code(nameplate) => self.code(nameplate),
            Query::Invite { digest, .. } => {
                let (uses, until) = (self.rng.chance(50).then(|| self.rng.below(3)), None);
                let (name, spent, made) = ("i".to_owned(), self.rng.below(3), Timestamp(1));
                let invite = InviteRecord { name, digest, uses, spent, until, made, maker: None };
                Found::Invite(self.rng.chance(80).then(|| (invite, self.rng.chance(20))))
            }
        };
        self.handle(Input::Found(number, found));
    }

    pub fn verify(&mut self) {
        let Some((attempt, name_key)) = self.attempts.pop() else { return };
        let right = self.rng.chance(60);
        let verified = right.then(|| Verified { name: name_key.to_string(), name_key, credential: self.rng.below(9) });
        self.handle(Input::Verified(attempt, verified));
    }

    pub fn copy(&mut self) {
        let Some(copy) = self.copies.pop() else { return };
        let done = if self.rng.chance(60) { Ok(()) } else { Err(ErrorCode::PeerBroke.into()) };
        self.handle(Input::Copied(copy, done));
    }

    pub fn shelf(&mut self) {
        if !self.files {
            return;
        }
        let content = words::content(&mut self.rng);
        match self.rng.below(4) {
            0 => self.handle(Input::CopyFound(content.hash, content.size)),
            1 => self.handle(Input::CopyLost(content.hash)),
            2 => self.handle(Input::HubFilesChanged(vec![content], Vec::new())),
            _ => self.handle(Input::HubFilesChanged(Vec::new(), vec![content.file.to_string()])),
        }
    }
}
