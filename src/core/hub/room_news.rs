//! Who came to a room and who left: gathered, so that a crowd that comes costs each member one event, not one for
//! each of the crowd.

use super::state::Notice;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::event;
use crate::protocol::name::NameKey;

/// What has happened in a room since it was told, in order.
#[derive(Default)]
pub(super) struct RoomNews(Vec<Step>);

struct Step {
    joined: bool,
    name: String,
    /// The name.
    name_key: NameKey,
}

impl RoomNews {
    /// What is news to somebody: nothing up to their own coming, of which they were told as its answer.
    fn for_member(&self, name_key: &NameKey) -> &[Step] {
        let own = self.0.iter().rposition(|step| step.joined && step.name_key == *name_key);
        self.0.get(own.map_or(0, |own| own + 1)..).unwrap_or_default()
    }
}

impl Hub {
    /// A request that changed a room is on disk.
    pub(super) fn room_notice(&mut self, now: Time, notice: Notice) {
        match notice {
            Notice::Brought(changed, who) => {
                for name_key in who {
                    if let Some(&id) = self.online.get(&name_key) {
                        self.tell(now, id, changed.clone());
                    }
                }
            }
            Notice::Step { room, joined, name, name_key } => {
                if self.state.rooms().size(room) == 0 {
                    return;
                }
                self.room_news.entry(room).or_default().0.push(Step { joined, name, name_key });
                self.gather(now);
            }
        }
    }

    pub(super) fn tell_all_room_news(&mut self, now: Time) {
        while let Some(room) = self.room_news.keys().next().copied() {
            self.tell_room_news(now, room);
        }
    }

    /// Tells the members of a room who came and who left: before anything is said there, so that nobody is heard
    /// before they have come.
    pub(super) fn tell_room_news(&mut self, now: Time, room: u64) {
        let Some(news) = self.room_news.remove(&room) else { return };
        // Most members have not just come, and are told the same.
        let shared = self.changed_room(room, &news.0).map(super::telling::told_to_all);
        let members: Vec<(PeerId, &[Step])> =
            self.members_online(room).map(|(id, name_key)| (id, news.for_member(name_key))).collect();
        for (id, steps) in members {
            match steps {
                all if all.len() == news.0.len() => {
                    if let Some(body) = &shared {
                        self.send(now, id, body.clone());
                    }
                }
                some => {
                    if let Some(changed) = self.changed_room(room, some) {
                        self.tell(now, id, changed);
                    }
                }
            }
        }
    }

    fn changed_room(&self, room: u64, steps: &[Step]) -> Option<event::RoomChanged> {
        let named = |joined: bool| steps.iter().filter(|s| s.joined == joined).map(|s| s.name.clone()).collect();
        let changed =
            event::RoomChanged { room: self.state.room_name(room), by: None, joined: named(true), left: named(false) };
        (!steps.is_empty()).then_some(changed)
    }
}
