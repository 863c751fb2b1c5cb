//! The requests about rooms.

use crate::protocol::types::RoomAccess;
use crate::protocol::vocabulary::requests;

requests! {
    /// Make a room; you are its first member.
    RoomCreate {
        /// 1 to 32 letters, digits, `_`, `-` or `.`; with `+`, the hub makes up a name, which the answer tells.
        room: String,
        /// Others who are members from the beginning; they must be there.
        #[arg(value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(length(max = 1000))]
        members: Vec<String>,
        /// Who may join by themselves; if left out: nobody if members are named, else everybody.
        #[arg(long, value_enum, value_name = "WHO")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        access: Option<RoomAccess>,
    }
    /// Show the rooms that you can join or are in.
    Rooms {}
    /// Become a member of an open room.
    RoomJoin {
        /// The name of the room.
        room: String,
        /// Do not fail if you are a member already.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    }
    /// Make others members of a room that you are in.
    RoomInvite {
        /// The name of the room.
        room: String,
        /// The new members, who need not be there.
        #[arg(required = true, value_name = "NAME")]
        #[schemars(length(min = 1, max = 1000))]
        members: Vec<String>,
    }
    /// Leave a room. A room without members is gone.
    RoomLeave {
        /// The name of the room.
        room: String,
    }
    /// Show who is in a room.
    Members {
        /// The name of the room.
        room: String,
    }
    /// Say something in a room.
    Say {
        /// The name of the room; `lobby` means everybody who is there.
        room: String,
        /// The text, at most 16 KiB of UTF-8. By hand: the rest of the line, as it stands.
        #[schemars(length(min = 1, max = 16384))]
        text: String,
    }
    /// Hear only one room.
    Focus {
        /// The name of the room; you must be a member.
        room: String,
    }
    /// Hear everything again.
    Unfocus {}
}
