//! Puts events into the queue for a slow reader: decides which are facts and which are state, and merges states.

use std::collections::BTreeMap;

use super::output::Output;
use crate::core::outbox::{Bounds, Gap, Popped, Queued};
use crate::core::told::Class;
use crate::protocol::limits::{EVENT_BYTES_WAITING, EVENTS_WAITING};
use crate::protocol::{Event, EventLine, LogEvent, LogLine, Timestamp, event, log};

/// How much may wait for the reader of standard output.
pub const BOUNDS: Bounds = Bounds { facts: EVENTS_WAITING, bytes: EVENT_BYTES_WAITING };

impl Queued for LogLine {
    fn stamp(&self) -> u64 {
        self.time.0 as u64
    }

    fn bytes(&self) -> usize {
        let (LogEvent::OffersAdded(log::OffersAdded { files, .. })
        | LogEvent::OffersRemoved(log::OffersRemoved { files, .. })) = &self.event
        else {
            return 512;
        };
        512 + 64 * files.len()
    }
}

/// Queues an event by its class. Returns whether it was queued rather than counted in a gap, see [`Output::push_fact`];
/// states are merged.
pub fn tell(output: &Output<EventLine>, line: EventLine) -> bool {
    match Class::of(&line) {
        Class::State(key) => output.push_state(key, line, merge),
        Class::Answer => output.push_answer(line),
        Class::Fact => return output.push_fact(line),
    }
    true
}

/// Merges `new` into `old`: the newest state, and all changes that still matter.
fn merge(old: &mut EventLine, mut new: EventLine) {
    if let (Event::TableUpdated(old), Event::TableUpdated(new)) = (&mut old.event, &mut new.event) {
        merge_tables(old, new);
    }
    if let (Event::RosterUpdated(old), Event::RosterUpdated(new)) = (&mut old.event, &mut new.event) {
        merge_rosters(old, new);
    }
    *old = new;
}

fn merge_tables(old: &mut event::TableUpdated, new: &mut event::TableUpdated) {
    if new.full {
        return;
    }
    let name = |offer: &crate::protocol::Offer| crate::protocol::OfferName {
        file: offer.file.clone(),
        owner: offer.owner.clone(),
    };
    let mut added: BTreeMap<_, _> = old.added.drain(..).map(|offer| (name(&offer), offer)).collect();
    let mut removed: std::collections::BTreeSet<_> = old.removed.drain(..).collect();
    for gone in &new.removed {
        added.remove(gone);
        removed.insert(gone.clone());
    }
    for offer in &new.added {
        removed.remove(&name(offer));
        added.insert(name(offer), offer.clone());
    }
    new.added = added.into_values().collect();
    new.removed = removed.into_iter().collect();
    new.full = old.full;
}

fn merge_rosters(old: &mut event::RosterUpdated, new: &mut event::RosterUpdated) {
    if new.full {
        return;
    }
    let mut clients: BTreeMap<String, _> = old.clients.drain(..).map(|client| (client.name.clone(), client)).collect();
    clients.extend(new.clients.drain(..).map(|client| (client.name.clone(), client)));
    new.clients = clients.into_values().collect();
    new.full = old.full;
}

/// The line of the log that replaces dropped lines.
pub fn log_gap(Gap { first, last, dropped }: Gap) -> LogLine {
    let (from, to) = (Timestamp(first as i64), Timestamp(last as i64));
    LogLine { time: to, event: log::LogGap { from, to, dropped }.into() }
}

/// Numbers events at the moment of writing, so that merged and dropped ones have no number.
pub struct Numbered {
    next: u64,
}

impl Default for Numbered {
    fn default() -> Self {
        Self { next: 1 }
    }
}

impl Numbered {
    /// The event for an item of the outbox, without a number.
    pub fn line(popped: Popped<EventLine>) -> EventLine {
        match popped {
            Popped::Item(line) => line,
            Popped::Gap(Gap { first, last, dropped }) => {
                let (from, to) = (Timestamp(first as i64), Timestamp(last as i64));
                let event = event::Gap { from, to, dropped }.into();
                EventLine { seq: None, time: Some(to), id: None, last: false, event }
            }
        }
    }

    /// Numbers the line that is being written.
    pub fn number(&mut self, line: &mut EventLine) {
        line.seq = Some(self.next);
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These are short whatever happens.
    const LISTS_A_FEW: &[(&str, &str)] = &[("ready", "capabilities"), ("waiting", "for"), ("found", "text")];

    fn update(text: &str) -> EventLine {
        let head = r#"{"event":"table-updated","time":"2026-01-02T03:04:05.678Z","#;
        EventLine::parse(&format!("{head}{}", &text[1..])).unwrap().unwrap()
    }

    /// Every list in the example of an event made a thousand times as long, and every text as long as it can be.
    #[test]
    fn what_an_event_lists_or_says_counts_in_every_row() {
        let mut grown = 0;
        for (word, kind) in
            Event::WORDS.iter().zip(event::Kind::ALL).filter(|(_, kind)| kind.told() == event::Told::Fact)
        {
            let example: serde_json::Value = serde_json::from_str(word.example).unwrap();
            let weighed = |body: serde_json::Value| {
                let event = Event::read(kind.name(), body).unwrap().unwrap();
                event.weight()
            };
            for (field, value) in example.as_object().unwrap() {
                let mut longer = example.clone();
                let least = match value {
                    serde_json::Value::Array(list) if !list.is_empty() => {
                        longer[field] = vec![list[0].clone(); 1_000].into();
                        1_000 * 32
                    }
                    serde_json::Value::String(_) if field == "text" => {
                        longer[field] = "x".repeat(16 << 10).into();
                        16 << 10
                    }
                    _ => continue,
                };
                if !LISTS_A_FEW.contains(&(kind.name(), field)) {
                    assert!(weighed(longer) >= least, "{} {field}", kind.name());
                    grown += 1;
                }
            }
        }
        assert!(grown > 15, "{grown}");
    }

    #[test]
    fn what_is_said_and_listed_counts() {
        let bytes = |text: &str| EventLine::parse(text).unwrap().unwrap().bytes();
        let text = "x".repeat(16 << 10);
        let sent = r#""sent":"2026-01-02T03:04:05.678Z""#;
        let said = format!(r#"{{"number":1,"from":"e","to":"d","room":"k","text":"{text}",{sent}}}"#);
        for event in ["message", "room-message", "private-message"] {
            assert!(bytes(&said.replacen('{', &format!(r#"{{"event":"{event}","#), 1)) > text.len(), "{event}");
        }
        let history = format!(r#"{{"event":"history","messages":[{said},{said}],"more":false}}"#);
        assert!(bytes(&history) > 2 * text.len());
        let names = vec![format!(r#""{}""#, "é".repeat(32)); 1_000].join(",");
        for (event, list) in [("blocks", "names"), ("room-joined", "members"), ("room-invited", "members")] {
            let listed = format!(r#"{{"event":"{event}","room":"k","{list}":[{names}]}}"#);
            assert!(bytes(&listed) > listed.len(), "{event}");
        }
    }

    #[test]
    fn merged_changes_lead_to_the_same_table() {
        let offer = |file: &str| {
            format!(
                r#"{{"file":"{file}","owner":"e","size":0,"hash":"{}","chunk_size":1024,"chunks":0,"address":"::1","port":1}}"#,
                "ab".repeat(32)
            )
        };
        let mut old = update(&format!(
            r#"{{"revision":3,"added":[{},{}],"removed":[{{"file":"x","owner":"e"}}],"total":2}}"#,
            offer("a"),
            offer("b")
        ));
        let new = update(&format!(
            r#"{{"revision":5,"added":[{}],"removed":[{{"file":"a","owner":"e"}}],"total":2}}"#,
            offer("x")
        ));
        merge(&mut old, new);
        let Event::TableUpdated(merged) = old.event else { panic!() };
        assert_eq!(merged.revision, 5);
        assert_eq!(merged.added.iter().map(|o| o.file.as_str()).collect::<Vec<_>>(), ["b", "x"]);
        assert_eq!(merged.removed.iter().map(|o| o.file.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
