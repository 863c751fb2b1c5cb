//! The names that Tab can complete at a prompt: people and files in the client's copy of the roster and of the table of
//! offers, rooms that events have mentioned, and, if the client has no copy of the table, files that the hub lists.
//!
//! `cli/join.rs` feeds it with events and the replica; the editor reads it through [`SharedCompletions`], and calls
//! [`KnownNames::ask`] when Tab needs more.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::core::session::Replica;
use crate::protocol::limits::LIST_OFFERS;
use crate::protocol::{Event, EventLine, Id, RequestLine, event, request};
use crate::ui::complete::{Completions, SharedCompletions};

/// The most file names that are remembered if the client has no copy of the table; the last in the alphabet are
/// dropped.
const KNOWN_FILES: usize = 4 * LIST_OFFERS;

/// How many files the hub is asked for at once. More would not fit on a screen.
const ASKED_FILES: u32 = 500;

/// How long Tab waits for the hub's answer. The editor handles no keys meanwhile. A later answer is still remembered.
const PATIENCE: Duration = Duration::from_millis(300);

/// The prefix of the ids of our own requests, whose answers are not shown.
const ID_PREFIX: &str = "tab-";

/// The names, shared by the thread that receives events and the one that reads the keyboard.
#[derive(Clone)]
pub(super) struct KnownNames(Arc<KnownShared>);

struct KnownShared {
    /// How many updates of the table the completions have in them.
    table_updates: AtomicU64,
    completions: SharedCompletions,
    questions: Mutex<Questions>,
    answered: Condvar,
}

#[derive(Default)]
struct Questions {
    asked: u64,
    answered: u64,
}

impl KnownNames {
    pub(super) fn new(commands: Vec<(String, String)>, folder: Option<PathBuf>) -> Self {
        let completions = Completions { commands, folder, ..Completions::default() };
        let (questions, answered) = (Mutex::default(), Condvar::new());
        let (completions, table_updates) = (Arc::new(RwLock::new(completions)), AtomicU64::new(0));
        Self(Arc::new(KnownShared { table_updates, completions, questions, answered }))
    }

    pub(super) fn completions(&self) -> SharedCompletions {
        Arc::clone(&self.0.completions)
    }

    /// Updates the names from the client's replica.
    pub(super) fn update(&self, replica: &Replica) {
        let mut completions = self.0.completions.write().unwrap_or_else(PoisonError::into_inner);
        completions.all_files = replica.has_table();
        // The names are shared with the replica, and looked for anew only when the table has changed.
        let before = self.0.table_updates.swap(replica.table_updates, Relaxed);
        if replica.has_table() && before != replica.table_updates {
            completions.files = replica.files();
        }
        completions.names = replica.clients().map(|client| client.name.clone()).collect();
    }

    /// Asks the hub for offers whose file names begin with `begun`, and waits briefly for the answer.
    pub(super) fn ask(&self, begun: &str, send: impl FnOnce(RequestLine)) {
        let mut questions = self.0.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.asked += 1;
        let ours = questions.asked;
        // The place before all offers of exactly this file: no owner's name sorts before `!`.
        let after = (!begun.is_empty()).then(|| format!("{begun}/!"));
        let list = request::List { after, limit: Some(ASKED_FILES), ..request::List::default() };
        send(RequestLine { id: Some(Id::Text(format!("{ID_PREFIX}{ours}"))), request: list.into() });
        let unanswered = |questions: &mut Questions| questions.answered < ours;
        drop(self.0.answered.wait_timeout_while(questions, PATIENCE, unanswered));
    }

    /// Handles an event. Returns whether it answers a request of ours and must not be shown.
    pub(super) fn heard(&self, line: &EventLine) -> bool {
        note(&self.0.completions, &line.event);
        let Some(Id::Text(id)) = &line.id else { return false };
        let Some(number) = id.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok()) else { return false };
        if line.last {
            let mut questions = self.0.questions.lock().unwrap_or_else(PoisonError::into_inner);
            questions.answered = questions.answered.max(number);
            self.0.answered.notify_all();
        }
        true
    }
}

/// Remembers the names in an event that the replica does not hold: rooms, and files if it has no table.
fn note(completions: &SharedCompletions, event: &Event) {
    let mut completions = completions.write().unwrap_or_else(PoisonError::into_inner);
    let found: Vec<&String> = match event {
        Event::Table(table) => table.offers.iter().map(|offer| &offer.file).collect(),
        Event::Found(found) => found.files.iter().map(|file| &file.file).collect(),
        _ => Vec::new(),
    };
    if !found.is_empty() {
        let found = found.into_iter().map(|file| Arc::from(file.as_str()));
        let known: BTreeSet<Arc<str>> = completions.files.drain(..).chain(found).collect();
        completions.files = known.into_iter().take(KNOWN_FILES).collect();
        return;
    }
    let rooms = &mut completions.rooms;
    let room = match event {
        Event::Rooms(event::Rooms { rooms: all }) => {
            *rooms = all.iter().map(|room| room.room.clone()).collect();
            return;
        }
        Event::RoomLeft(event::RoomLeft { room }) => {
            rooms.retain(|known| known != room);
            return;
        }
        Event::RoomCreated(event::RoomCreated { room, .. })
        | Event::RoomJoined(event::RoomJoined { room, .. })
        | Event::RoomMessage(event::RoomMessage { room, .. })
        | Event::RoomChanged(event::RoomChanged { room, .. }) => room,
        _ => return,
    };
    if !rooms.contains(room) {
        rooms.push(room.clone());
    }
}
