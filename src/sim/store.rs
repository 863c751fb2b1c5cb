//! stub until merged
use crate::protocol::record::*;
use crate::protocol::types::Password;
#[derive(Default)]
#[allow(missing_docs)]
pub struct MemoryStore {
    loaded: Loaded,
    messages: Vec<Kept>,
    #[allow(dead_code)]
    accounts: Vec<(String, String)>,
}
#[allow(missing_docs)]
impl MemoryStore {
    pub fn keep(&mut self, record: &Record) {
        match record {
            Record::Name { name, fold, key, since } => {
                if !self.loaded.names.iter().any(|n| n.fold == *fold) {
                    self.loaded.names.push(NameRecord {
                        name: name.clone(),
                        fold: fold.clone(),
                        keys: vec![*key],
                        account: false,
                        since: *since,
                        received: 0,
                        unread: 0,
                    });
                }
            }
            Record::Message(kept) => {
                self.loaded.last_message = kept.number;
                self.messages.push(kept.clone());
            }
            Record::Received { fold, number } => {
                for n in &mut self.loaded.names {
                    if n.fold == *fold {
                        n.received = n.received.max(*number);
                    }
                }
            }
            Record::Room { room, name, access } => {
                self.loaded.last_room = *room;
                if !self.loaded.rooms.iter().any(|r| r.room == *room) {
                    self.loaded.rooms.push(RoomRecord {
                        room: *room,
                        name: name.clone(),
                        access: *access,
                        members: vec![],
                    });
                }
            }
            Record::Member { room, fold, since } => {
                for r in &mut self.loaded.rooms {
                    if r.room == *room && !r.members.iter().any(|(f, _)| f == fold) {
                        r.members.push((fold.clone(), *since));
                    }
                }
            }
            _ => {}
        }
    }
    pub fn load(&self) -> Loaded {
        self.loaded.clone()
    }
    pub fn find(&self, query: &Query) -> Found {
        match query {
            Query::Inbox(i) => Found::Messages(
                self.messages
                    .iter()
                    .filter(|m| {
                        m.number > i.after
                            && (matches!(&m.place, Place::Person(p) if crate::protocol::name::fold(p)==i.fold) || (crate::protocol::name::fold(&m.from) != i.fold && matches!(&m.place, Place::Room(r) if i.rooms.iter().any(|(room,since)| room==r && m.number > *since))))
                    })
                    .cloned()
                    .collect(),
                false,
            ),
            Query::History(h) => {
                let _ = h;
                Found::Messages(self.messages.clone(), false)
            }
            Query::Asked { instance, .. } => Found::Asked(
                self.messages
                    .iter()
                    .filter(|m| m.asked.instance == *instance)
                    .map(|m| (m.asked.ask, m.number, m.sent))
                    .collect(),
            ),
        }
    }
    pub fn add_account(&mut self, _name: &str, _password: &str) {}
    pub fn check(&self, _fold: &str, _password: &Password) -> Option<NameRecord> {
        None
    }
}
