//! What a client asked before the hub, or the connection, was lost.

use std::collections::HashMap;

use crate::protocol::Id;
use crate::protocol::record::{IdempotencyKey, PastAnswer};
use crate::protocol::wire::ClientHello;

/// What a client asked before, in this session and in one that is lost.
pub(in crate::core::hub) struct Past {
    /// The random name of its program.
    pub(in crate::core::hub) instance: String,
    /// It was here in a session that is lost: what was said to everybody meanwhile is for it, too.
    pub(in crate::core::hub) returns: bool,
    /// Its requests up to this number were asked before, in a session that is lost.
    asked_before: i64,
    /// Its newest request that said something.
    last_said: i64,
    recall: Recall,
}

impl Past {
    pub(in crate::core::hub) fn of(hello: &ClientHello) -> Self {
        Self {
            instance: hello.instance.chars().take(16).collect(),
            returns: hello.session.is_some(),
            asked_before: if hello.session.is_some() { hello.asked } else { 0 },
            last_said: 0,
            recall: Recall::default(),
        }
    }

    /// Whether the client asks this again: it had asked before it came to us, and got no answer.
    pub(in crate::core::hub) fn is_repeated(&self, request_id: &Option<Id>) -> bool {
        matches!(request_id, Some(Id::Number(number)) if *number <= self.asked_before)
    }

    /// What tells a request from all others. A client that does not number its requests, or not in order, could have
    /// one taken for another: such a request has nothing that tells it from others.
    pub(in crate::core::hub) fn idempotency_key(&self, request_id: &Option<Id>) -> Option<IdempotencyKey> {
        match request_id {
            Some(Id::Number(number)) if !self.instance.is_empty() && *number > self.last_said => {
                Some(IdempotencyKey { instance: self.instance.clone(), ask: *number })
            }
            Some(_) | None => None,
        }
    }

    /// The request with this key has said something.
    pub(in crate::core::hub) fn has_said(&mut self, key: &IdempotencyKey) {
        if !key.instance.is_empty() {
            self.last_said = key.ask;
        }
    }

    /// The store is to be asked what the client was answered; false if that was done before.
    pub(in crate::core::hub) fn begin_recall(&mut self) -> bool {
        let is_first = matches!(self.recall, Recall::Nothing);
        if is_first {
            self.recall = Recall::Asking;
        }
        is_first
    }

    /// What a request was answered, if the store knows.
    pub(in crate::core::hub) fn answer_to(&self, request_id: &Option<Id>) -> Option<&PastAnswer> {
        match (&self.recall, request_id) {
            (Recall::Known(known), Some(Id::Number(number))) => known.get(number),
            (Recall::Known(_) | Recall::Nothing | Recall::Asking, _) => None,
        }
    }

    /// Whether the store is being asked what the client was answered.
    pub(in crate::core::hub) fn is_being_recalled(&self) -> bool {
        matches!(self.recall, Recall::Asking)
    }

    /// The store knows what the client was answered, by the numbers of its requests.
    pub(in crate::core::hub) fn recalled(&mut self, past: Vec<(i64, PastAnswer)>) {
        self.recall = Recall::Known(past.into_iter().collect());
    }
}

/// What came of requests that a client asks again, because we, or an earlier run of ours, did not answer.
#[derive(Default)]
enum Recall {
    /// It has not asked anything again.
    #[default]
    Nothing,
    /// The store is being asked; what the client asks meanwhile is put aside.
    Asking,
    /// What is on disk, by its numbers of the requests.
    Known(HashMap<i64, PastAnswer>),
}
