//! What a client has asked, so that each of its answers can be compared with what the row of its request allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::request::{At, Request, Rules};
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Event, EventLine, Id, RequestLine, line};

/// The requests that one client has made, by their ids.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    by_id: BTreeMap<Id, Vec<Request>>,
    /// The ids of what is no request, such as a `publish` between client and hub: any answer may have them.
    others: BTreeSet<Id>,
    /// How many lines the user has written.
    lines: u64,
}

impl Asked {
    /// A line that the user writes. Returns its number.
    pub fn by_user(&mut self, text: &[u8]) -> u64 {
        self.lines += 1;
        match line::parse(text) {
            Ok(Some(RequestLine { id: Some(id), request })) => self.note(id, request),
            Ok(Some(RequestLine { id: None, .. }) | None) => {}
            Err(bad) => self.others.extend(bad.id),
        }
        self.lines
    }

    /// The body of a frame in which a client asks the hub.
    pub fn of_hub(&mut self, body: &str) {
        match Ask::parse(body) {
            Ok(Ask::Request(RequestLine { id: Some(id), request })) => self.note(id, request),
            Ok(ask) => self.others.extend(ask.id()),
            Err(bad) => self.others.extend(bad.id),
        }
    }

    fn note(&mut self, id: Id, request: Request) {
        self.by_id.entry(id).or_default().push(request);
    }

    /// What is wrong with a line that the user is told: a final event that no request of this id allows.
    pub fn mistake(&self, line: &EventLine) -> Option<String> {
        self.look(line, Rules::may_be_answered_by)
    }

    /// The same of what the hub tells a client.
    pub fn mistake_of_hub(&self, line: &EventLine) -> Option<String> {
        self.look(line, |rules, event| {
            let is_unknown = matches!(event, Event::Error(error) if error.code == ErrorCode::UnknownRequest);
            (is_unknown && rules.at == At::Client) || rules.hub_may_answer(event)
        })
    }

    fn look(&self, line: &EventLine, allows: impl Fn(&Rules, &Event) -> bool) -> Option<String> {
        let id = line.id.as_ref().filter(|id| line.last && !self.others.contains(id))?;
        let requests = self.by_id.get(id)?;
        if requests.iter().any(|request| allows(request.rules(), &line.event)) {
            return None;
        }
        let names: Vec<_> = requests.iter().map(Request::name).collect();
        let told = match &line.event {
            Event::Error(error) => format!("the error `{}`: {}", error.code, error.message),
            event => format!("`{}`", event.name()),
        };
        Some(format!("the row of `{}` does not allow {told}", names.join("`, `")))
    }
}
