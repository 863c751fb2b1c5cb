//! What is told of people and what they say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Member, RoomAccess, RoomInfo, Said};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{Client, Timestamp};

bodies! {
    /// A part of who is there, as the hub has it.
    RosterPage {
        /// The revision that this is.
        revision: u64,
        /// The newest revision in which somebody's line changed.
        changed: u64,
        /// Clients, sorted by number.
        clients: Vec<Client>,
        /// After which number the next page begins, if this is not the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// Somebody whom we have to do with.
    Introduced {
        /// Who; `offline` if they have left.
        client: Client,
    }
    /// A message of ours is where it was to go.
    MessageAcked {
        /// The message's number: at this hub, or on the direct connection.
        number: u64,
        /// When it was taken.
        sent: Timestamp,
        /// Whom it is for; `all` for everybody who is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// The room that it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Whether the hub has it on disk. What was sent past the hub is not stored.
        stored: bool,
        /// How many have it by now. For a message to one person, 1 if their program has taken it; if it is 0,
        /// `message-delivered` follows; what was sent past the hub is held back then, since they hear only one room. For
        /// a room or everybody, to how many who are there it was sent.
        delivered: u64,
        /// How many of those who are there block us; only for messages to everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked: Option<u64>,
    }
    /// Somebody says something to us, or to everybody.
    Message {
        /// The message's number at this hub; later ones have higher numbers.
        number: u64,
        /// Who says it.
        from: String,
        /// Whom it is for: us, or `all`.
        to: String,
        /// What.
        text: String,
        /// When the hub took it.
        sent: Timestamp,
    }
    /// Somebody says something in a room.
    RoomMessage {
        /// The message's number at this hub; later ones have higher numbers.
        number: u64,
        /// In which room.
        room: String,
        /// Who says it.
        from: String,
        /// What.
        text: String,
        /// When the hub took it.
        sent: Timestamp,
    }
    /// Somebody says something past the hub.
    PrivateMessage {
        /// Counts from 1 on each direct connection, in each direction.
        number: u64,
        /// Who says it.
        from: String,
        /// Whom it is for: us.
        to: String,
        /// What.
        text: String,
        /// When it was sent, by the sender's clock.
        sent: Timestamp,
    }
    /// Somebody has a message of ours that they did not have when it was acknowledged.
    MessageDelivered {
        /// The message's number.
        number: u64,
        /// Who has it.
        to: String,
        /// Whether it was sent past the hub: the number is that of the direct connection, and it had been held back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        private: bool,
    }
    /// A direct connection is open.
    PrivateOpened {
        /// Who is at the other end.
        peer: String,
        /// Who opened it.
        by: String,
    }
    /// A direct connection is closed.
    PrivateClosed {
        /// Who was at the other end.
        peer: String,
        /// Why.
        reason: String,
    }
    /// How long it took to reach somebody and back. What could not be measured is absent, and says why.
    Pong {
        /// Whom.
        peer: String,
        /// To the hub, from there to them, and back, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hub_us: Option<u64>,
        /// Why that could not be measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hub_failed: Option<String>,
        /// Straight to them and back, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct_us: Option<u64>,
        /// Why that could not be measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct_failed: Option<String>,
    }
    /// We see no more messages of somebody.
    Blocked {
        /// Whose.
        name: String,
    }
    /// We see somebody's messages again.
    Unblocked {
        /// Whose.
        name: String,
    }
    /// Whom we block.
    Blocks {
        /// Their names, sorted.
        names: Vec<String>,
    }
    /// What has been said.
    History {
        /// The messages, oldest first.
        messages: Vec<Said>,
        /// Whether there are more in the direction that was asked for.
        more: bool,
        /// Where to go on: with `after` if `since` or `after` was asked for, else with `before`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A room has been made.
    RoomCreated {
        /// Its name.
        room: String,
        /// Who may join by themselves.
        access: RoomAccess,
        /// Its members, we included.
        members: Vec<String>,
    }
    /// The rooms.
    Rooms {
        /// Those that we can join or are in, sorted by name.
        rooms: Vec<RoomInfo>,
    }
    /// We are in a room.
    RoomJoined {
        /// Its name.
        room: String,
        /// Its members, we included.
        members: Vec<String>,
    }
    /// Others are in a room because we asked for it.
    RoomInvited {
        /// Its name.
        room: String,
        /// Whom we made members.
        members: Vec<String>,
    }
    /// We are not in a room any more.
    RoomLeft {
        /// Its name.
        room: String,
    }
    /// Who is in a room.
    Members {
        /// Its name.
        room: String,
        /// Its members, sorted by name.
        members: Vec<Member>,
    }
    /// Somebody joined or left a room that we are in.
    RoomChanged {
        /// Its name.
        room: String,
        /// Who brought the new ones in, if they did not join by themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Who is a member now; we may be among them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        joined: Vec<String>,
        /// Who is not any more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<String>,
    }
    /// We hear only one room.
    Focused {
        /// Which.
        room: String,
    }
    /// We hear everything again.
    Unfocused {
        /// The room that we heard.
        room: String,
        /// How many messages have waited; they follow.
        held: u64,
        /// Why, if it was not asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// What was kept for us has been sent.
    CaughtUp {
        /// The number of the newest message: nothing up to there is for us that was not sent.
        number: u64,
    }
    /// A message that its receiver shall not see.
    Withheld {
        /// Its number.
        number: u64,
    }
}
