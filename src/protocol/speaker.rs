//! Reads the lines of one user, some of which depend on the lines before.
//!
//! A session has one for its input, and a terminal one for what is typed.

use super::name::{NameKey, check_room, is_lobby};
use super::{BadLine, Request, RequestLine, line};

/// A user who types commands, and the room that they talk in. `send_group`, `leave_group` and `list_members` mean the
/// room of the last `join_group`, even before that is answered; so their meaning does not depend on timing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speaker {
    room: Option<String>,
}

impl Speaker {
    /// Reads a line like [`line::parse`], and remembers the room that it joins or leaves.
    ///
    /// # Errors
    /// As [`line::parse`].
    pub fn read(&mut self, text: &[u8]) -> Result<Option<RequestLine>, BadLine> {
        self.read_in(text, None)
    }

    /// Reads a line where short forms mean `room`, if it is given, instead of the room of the last `join_group`.
    ///
    /// # Errors
    /// As [`line::parse`].
    pub fn read_in(&mut self, text: &[u8], room: Option<&str>) -> Result<Option<RequestLine>, BadLine> {
        let read = line::parse_in(text, room.or(self.room()))?;
        // JSON requests name their room, so they change nothing.
        if let Some(RequestLine { request, .. }) = &read
            && text.trim_ascii_start().first() != Some(&b'{')
        {
            self.note(request);
        }
        Ok(read)
    }

    /// The room that the user talks in.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Sets the room that the user talks in. A text that cannot be a room's name counts as none.
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
        // It is not known yet whether the room exists. Later lines are for this room in any case.
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
