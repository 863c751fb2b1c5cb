//! Whoever types lines: what some of them mean depends on those before.

use super::name::{NameKey, check_room, is_lobby};
use super::{BadLine, Request, RequestLine, line};

/// Who types, and in which room they talk: `send_group`, `leave_group` and `list_members` mean the room of the last
/// `join_group`, whether that has been answered or not. So a line means the same however quickly it follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speaker {
    room: Option<String>,
}

impl Speaker {
    /// Reads a line as [`line::parse`] does, and remembers the room that it enters or leaves.
    ///
    /// # Errors
    /// As [`line::parse`].
    pub fn read(&mut self, text: &[u8]) -> Result<Option<RequestLine>, BadLine> {
        self.read_in(text, None)
    }

    /// The same where the short forms mean this room, if there is one, and not the one that was joined last.
    ///
    /// # Errors
    /// As [`line::parse`].
    pub fn read_in(&mut self, text: &[u8], room: Option<&str>) -> Result<Option<RequestLine>, BadLine> {
        let read = line::parse_in(text, room.or(self.room()))?;
        // A program says whole requests.
        if let Some(RequestLine { request, .. }) = &read
            && text.trim_ascii_start().first() != Some(&b'{')
        {
            self.note(request);
        }
        Ok(read)
    }

    /// The room that is talked in.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Talks in a room from now on, or in none. What can be no room's name is none.
    pub fn talk_in(&mut self, room: Option<String>) {
        self.room = room.filter(|room| is_lobby(room) || check_room(room).is_ok());
    }

    fn note(&mut self, request: &Request) {
        if let Request::RoomJoin(join) = request
            && join.again
        {
            self.talk_in(Some(join.room.clone()));
        } else if let Request::RoomLeave(leave) = request
            && self.room().is_some_and(|room| NameKey::of(room) == NameKey::of(&leave.room))
        {
            self.talk_in(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ErrorCode, request};
    use super::*;

    fn say(room: &str, text: &str) -> Request {
        request::Say { room: room.into(), text: text.into() }.into()
    }

    fn read(speaker: &mut Speaker, line: &str) -> Request {
        speaker.read(line.as_bytes()).unwrap_or_else(|bad| panic!("{line}: {}", bad.failure)).unwrap().request
    }

    #[test]
    fn short_forms_mean_the_room_that_was_joined_last() {
        let mut anna = Speaker::default();
        assert_eq!(anna.read(b"send_group hello").unwrap_err().failure.code, ErrorCode::BadCommand);
        assert_eq!(anna.read(b"leave_group").unwrap_err().failure.code, ErrorCode::BadCommand);
        let join: Request = request::RoomJoin { room: "climbers".into(), again: true }.into();
        assert_eq!(read(&mut anna, "join_group climbers"), join);
        assert_eq!(read(&mut anna, "send_group tonight at the hall?"), say("climbers", "tonight at the hall?"));
        assert_eq!(read(&mut anna, "send_group it's \"fine\" -- --help"), say("climbers", "it's \"fine\" -- --help"));
        let members: Request = request::Members { room: "climbers".into() }.into();
        for line in ["list_members", "list members", "members"] {
            assert_eq!(read(&mut anna, line), members, "{line}");
        }
        assert_eq!(read(&mut anna, "list_members swimmers"), request::Members { room: "swimmers".into() }.into());
        assert_eq!(read(&mut anna, "say swimmers hello"), say("swimmers", "hello"));
        let leave: Request = request::RoomLeave { room: "climbers".into() }.into();
        assert_eq!(read(&mut anna, "leave_group"), leave);
        assert_eq!(anna.room(), None);
        read(&mut anna, "join_group Climbers");
        read(&mut anna, "room-leave swimmers");
        assert_eq!(anna.room(), Some("Climbers"));
        read(&mut anna, "room-leave climbers");
        assert_eq!(anna.room(), None);
    }

    #[test]
    fn what_is_said_never_goes_to_the_room_of_before() {
        let mut anna = Speaker::default();
        read(&mut anna, "join_group climbers");
        // Whether it exists is not known yet: what follows is for it, or for nobody.
        read(&mut anna, "join_group swimmers");
        assert_eq!(read(&mut anna, "send_group hello all"), say("swimmers", "hello all"));
        read(&mut anna, "join_group 'no room'");
        assert_eq!(anna.room(), None);
    }

    #[test]
    fn joining_in_another_way_changes_nothing() {
        let mut anna = Speaker::default();
        read(&mut anna, "room-join climbers");
        assert_eq!(anna.room(), None);
        anna.read(br#"{"request":"room-join","room":"climbers","again":true}"#).unwrap();
        assert_eq!(anna.room(), None);
    }
}
