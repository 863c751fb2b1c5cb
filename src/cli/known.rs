//! What Tab can offer at a prompt: what the client follows, what has been spoken of, and, where the table is not
//! followed, what the hub says when it is asked.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::core::session::Replica;
use crate::protocol::limits::LIST_OFFERS;
use crate::protocol::{Event, EventLine, Id, RequestLine, event, request};
use crate::ui::complete::{Completions, SharedCompletions};

/// Files that are known by name where the table is not followed.
const KNOWN_FILES: usize = 4 * LIST_OFFERS;

/// How many files the hub is asked for at a time: more than a screen shows.
const ASKED_FILES: u32 = 500;

/// How long Tab waits for the hub: keys that are typed meanwhile wait too.
const PATIENCE: Duration = Duration::from_millis(300);

/// Marks our questions, which nobody has typed and whose answers are not shown.
const MARK: &str = "tab-";

/// Shared between the thread that hears events and the one that is typed at.
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

    /// Takes over what the client follows.
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

    /// Asks for the offers whose names begin so, and waits for the answer; for a moment.
    pub(super) fn ask(&self, begun: &str, send: impl FnOnce(RequestLine)) {
        let mut questions = self.0.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.asked += 1;
        let ours = questions.asked;
        // No name comes before `!`: so this stands before all offers of a file that is called just that.
        let after = (!begun.is_empty()).then(|| format!("{begun}/!"));
        let list = request::List { after, limit: Some(ASKED_FILES), ..request::List::default() };
        send(RequestLine { id: Some(Id::Text(format!("{MARK}{ours}"))), request: list.into() });
        let unanswered = |questions: &mut Questions| questions.answered < ours;
        drop(self.0.answered.wait_timeout_while(questions, PATIENCE, unanswered));
    }

    /// Takes note of what is told; says whether it answers a question of ours, and is nobody else's to read.
    pub(super) fn heard(&self, line: &EventLine) -> bool {
        note(&self.0.completions, &line.event);
        let Some(Id::Text(id)) = &line.id else { return false };
        let Some(number) = id.strip_prefix(MARK).and_then(|number| number.parse().ok()) else { return false };
        if line.last {
            let mut questions = self.0.questions.lock().unwrap_or_else(PoisonError::into_inner);
            questions.answered = questions.answered.max(number);
            self.0.answered.notify_all();
        }
        true
    }
}

/// What is not in the replica is known when it has been spoken of: rooms, and files where the table is not followed.
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
