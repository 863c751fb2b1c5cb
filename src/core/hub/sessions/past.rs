//! What a client asked before its session, or the hub, was lost. A client asks again what it got no answer to; the
//! store then tells what it was answered, so that nothing is done twice.

use std::collections::HashMap;

use crate::protocol::Id;
use crate::protocol::record::{IdempotencyKey, PastAnswer};
use crate::protocol::wire::ClientHello;

/// The requests of one client that may be repeated.
pub(in crate::core::hub) struct Past {
    /// The random name that the client's process gave itself; at most 16 characters are kept.
    pub(in crate::core::hub) instance: String,
    /// The client was here in a session that is lost. Lobby messages sent meanwhile are then for it, too.
    pub(in crate::core::hub) returns: bool,
    /// The highest number of the requests that it asked in a session that is lost.
    asked_before: i64,
    /// The number of its newest request that sent a message.
    last_said: i64,
    recall: Recall,
}

impl Past {
    /// What a hello says of the client's earlier requests.
    pub(in crate::core::hub) fn of(hello: &ClientHello) -> Self {
        Self {
            instance: hello.instance.chars().take(16).collect(),
            returns: hello.session.is_some(),
            asked_before: if hello.session.is_some() { hello.asked } else { 0 },
            last_said: 0,
            recall: Recall::default(),
        }
    }

    /// Whether this request may be a repetition: the client had asked it before it came back, and got no answer.
    pub(in crate::core::hub) fn is_repeated(&self, request_id: &Option<Id>) -> bool {
        matches!(request_id, Some(Id::Number(number)) if *number <= self.asked_before)
    }

    /// The key that distinguishes a request from all others. `None` if the request has no number, or one that is not
    /// higher than that of the newest message, because two requests could then be taken for the same.
    pub(in crate::core::hub) fn idempotency_key(&self, request_id: &Option<Id>) -> Option<IdempotencyKey> {
        match request_id {
            Some(Id::Number(number)) if !self.instance.is_empty() && *number > self.last_said => {
                Some(IdempotencyKey { instance: self.instance.clone(), ask: *number })
            }
            Some(_) | None => None,
        }
    }

    /// Notes that the request with this key has sent a message.
    pub(in crate::core::hub) fn has_said(&mut self, key: &IdempotencyKey) {
        if !key.instance.is_empty() {
            self.last_said = key.ask;
        }
    }

    /// Starts to ask the store what the client was answered. Returns false if that was done before.
    pub(in crate::core::hub) fn begin_recall(&mut self) -> bool {
        let is_first = matches!(self.recall, Recall::Nothing);
        if is_first {
            self.recall = Recall::Asking;
        }
        is_first
    }

    /// What the store knows of the answer to a request.
    pub(in crate::core::hub) fn answer_to(&self, request_id: &Option<Id>) -> Option<&PastAnswer> {
        match (&self.recall, request_id) {
            (Recall::Known(known), Some(Id::Number(number))) => known.get(number),
            (Recall::Known(_) | Recall::Nothing | Recall::Asking, _) => None,
        }
    }

    /// Whether the store is being asked; the client's requests wait meanwhile.
    pub(in crate::core::hub) fn is_being_recalled(&self) -> bool {
        matches!(self.recall, Recall::Asking)
    }

    /// Takes what the store knows, by the numbers of the requests.
    pub(in crate::core::hub) fn recalled(&mut self, past: Vec<(i64, PastAnswer)>) {
        self.recall = Recall::Known(past.into_iter().collect());
    }
}

/// How far the hub knows the earlier answers of a client.
#[derive(Default)]
enum Recall {
    /// The client has repeated nothing yet.
    #[default]
    Nothing,
    /// The store is being asked; the client's requests wait.
    Asking,
    /// What is on disk, by the numbers of the requests.
    Known(HashMap<i64, PastAnswer>),
}
