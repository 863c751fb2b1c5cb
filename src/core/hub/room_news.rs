//! Tells the members of a room who joined and who left. Changes are gathered with those of the roster and the table, so
//! that a crowd that joins costs each member one event, and not one for each of the crowd.

use std::collections::BTreeMap;

use super::cx::Cx;
use super::state::Notice;
use super::{PeerId, rooms};
use crate::protocol::event;
use crate::protocol::name::NameKey;

/// For each room, what has happened there since its members were told last.
#[derive(Default)]
pub(super) struct RoomChanges {
    of: BTreeMap<u64, RoomNews>,
}

/// What has happened in one room since its members were told last, oldest first.
#[derive(Default)]
struct RoomNews(Vec<Step>);

struct Step {
    joined: bool,
    name: String,
    name_key: NameKey,
}

impl RoomNews {
    /// The steps that a member has not been told of: those after their own joining, whose answer has told them the
    /// rest.
    fn for_member(&self, name_key: &NameKey) -> &[Step] {
        let own = self.0.iter().rposition(|step| step.joined && step.name_key == *name_key);
        self.0.get(own.map_or(0, |own| own + 1)..).unwrap_or_default()
    }
}

impl RoomChanges {
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// A request that changed a room is on disk: tells at once of people who were brought in, and gathers the rest.
    pub(super) fn room_notice(&mut self, cx: &mut Cx<'_>, notice: Notice) {
        match notice {
            Notice::Brought(changed, who) => {
                for name_key in who {
                    if let Some(id) = cx.sessions.named(&name_key) {
                        cx.tell(id, changed.clone());
                    }
                }
            }
            Notice::Step { room, joined, name, name_key } => {
                if cx.journal.state.rooms().size(room) == 0 {
                    return;
                }
                self.of.entry(room).or_default().0.push(Step { joined, name, name_key });
                cx.updates.gather(cx.now);
            }
        }
    }

    /// Tells the news of all rooms. Called when the gathering time is over.
    pub(super) fn tell_all_room_news(&mut self, cx: &mut Cx<'_>) {
        while let Some(room) = self.of.keys().next().copied() {
            self.tell_room_news(cx, room);
        }
    }

    /// Tells the members of a room who joined and who left. Also called before a message is fed to the room, so that
    /// nobody gets a message from somebody whose joining they have not been told of.
    pub(super) fn tell_room_news(&mut self, cx: &mut Cx<'_>, room: u64) {
        let Some(news) = self.of.remove(&room) else { return };
        // Most members have not just joined, so they get the same bytes.
        let shared = self.changed_room(cx, room, &news.0).map(super::cx::telling::told_to_all);
        let members: Vec<(PeerId, &[Step])> =
            rooms::members_online(cx, room).map(|(id, name_key)| (id, news.for_member(name_key))).collect();
        for (id, steps) in members {
            match steps {
                all if all.len() == news.0.len() => {
                    if let Some(body) = &shared {
                        cx.send(id, body.clone());
                    }
                }
                some => {
                    if let Some(changed) = self.changed_room(cx, room, some) {
                        cx.tell(id, changed);
                    }
                }
            }
        }
    }

    /// The event for some steps; `None` if there are none.
    fn changed_room(&self, cx: &Cx<'_>, room: u64, steps: &[Step]) -> Option<event::RoomChanged> {
        let named = |joined: bool| steps.iter().filter(|s| s.joined == joined).map(|s| s.name.clone()).collect();
        let changed = event::RoomChanged {
            room: cx.journal.state.room_name(room),
            by: None,
            joined: named(true),
            left: named(false),
        };
        (!steps.is_empty()).then_some(changed)
    }
}
