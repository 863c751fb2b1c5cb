//! Events about people, rooms and messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Member, RoomAccess, RoomInfo, Said};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{Client, PublicKey, Route, Timestamp};

bodies! {
    /// A page of the hub's roster.
    RosterPage {
        /// The revision of the roster that was read.
        revision: u64,
        /// The newest revision in which any client's entry changed.
        changed: u64,
        /// The clients of this page, sorted by number.
        clients: Vec<Client>,
        /// The number after which the next page begins; absent on the last page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A client that this one deals with: it has sent a message, for example.
    Introduced {
        /// The client's entry in the roster; `offline` if it has left.
        client: Client,
    }
    /// The safety number that this client's user has with somebody.
    SafetyNumber {
        /// The name of the person.
        name: String,
        /// 60 digits in 12 groups of five, with spaces between them. It is made of both keys alone, and is the same at
        /// both ends.
        number: String,
        /// The key that the number was made of, beside our own: the one that the hub shows for the name, or the one that
        /// is known, if it shows none.
        key: PublicKey,
        /// Whether the user has verified this key.
        verified: bool,
        /// The key that was known before, if this is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known_key: Option<PublicKey>,
        /// The key that the user has verified, if this is another one: somebody else may be using the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verified_key: Option<PublicKey>,
    }
    /// The hub shows another key than the verified one for the name of a person whom the user has verified.
    KeyAlarm {
        /// The name of the person.
        name: String,
        /// The key that the hub shows now.
        key: PublicKey,
        /// The key that the user has verified.
        verified_key: PublicKey,
        /// Says what that can mean.
        message: String,
        /// Says what to do.
        hint: String,
    }
    /// A message that this client sent has arrived.
    MessageAcked {
        /// The number of the message: at this hub, or on the direct connection.
        number: u64,
        /// The time at which the hub, or the other client, took the message.
        sent: Timestamp,
        /// The receiver; `all` for everybody who is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// The room that it was sent to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Whether the hub has it on disk. A private message is not stored.
        stored: bool,
        /// The number of receivers that have it by now. For a message to one person: 1 if their program has taken it;
        /// if 0, `message-delivered` follows later (a private message waits like this while the receiver hears only one
        /// room). For a room or everybody: the number of clients that it was sent to.
        delivered: u64,
        /// For a message to everybody: how many who are there block the sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked: Option<u64>,
    }
    /// Somebody has sent a message to this client, or to everybody.
    Message {
        /// The number of the message at this hub. Later messages have higher numbers.
        number: u64,
        /// The sender's name.
        from: String,
        /// The receiver: this client's name, or `all`.
        to: String,
        /// The text of the message.
        text: String,
        /// The time at which the hub took the message.
        sent: Timestamp,
    }
    /// Somebody has sent a message to a room.
    RoomMessage {
        /// The number of the message at this hub. Later messages have higher numbers.
        number: u64,
        /// The name of the room.
        room: String,
        /// The sender's name.
        from: String,
        /// The text of the message.
        text: String,
        /// The time at which the hub took the message.
        sent: Timestamp,
    }
    /// Somebody has sent this client a message over a direct connection.
    PrivateMessage {
        /// The number of the message. It counts from 1 on each direct connection, separately in each direction.
        number: u64,
        /// The sender's name.
        from: String,
        /// The receiver: this client's name.
        to: String,
        /// The text of the message.
        text: String,
        /// The time of sending, by the sender's clock.
        sent: Timestamp,
    }
    /// The receiver now has a message that was not yet delivered when it was acknowledged.
    MessageDelivered {
        /// The number of the message.
        number: u64,
        /// The receiver's name.
        to: String,
        /// Whether it was a private message that the receiver's client held back. Then `number` is that of the direct
        /// connection.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        private: bool,
    }
    /// A direct connection has opened.
    PrivateOpened {
        /// The name of the other client.
        peer: String,
        /// The name of the client that opened it.
        by: String,
        /// The way that it takes. A `relayed` one passes through the hub, which cannot read it.
        #[serde(default)]
        route: Route,
    }
    /// A direct connection has closed.
    PrivateClosed {
        /// The name of the other client.
        peer: String,
        /// The reason, in words.
        reason: String,
    }
    /// The round-trip times to another client. A time that could not be measured is absent, and the reason is given.
    Pong {
        /// The name of the other client.
        peer: String,
        /// The round trip through the hub, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hub_us: Option<u64>,
        /// Why the round trip through the hub could not be measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hub_failed: Option<String>,
        /// The round trip over the direct connection, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct_us: Option<u64>,
        /// Why the direct round trip could not be measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct_failed: Option<String>,
    }
    /// This client's user sees no more messages from somebody.
    Blocked {
        /// The name of the person who is blocked.
        name: String,
    }
    /// This client's user sees somebody's messages again.
    Unblocked {
        /// The name of the person who is no longer blocked.
        name: String,
    }
    /// The people whom this client's user blocks.
    Blocks {
        /// The names, sorted.
        names: Vec<String>,
    }
    /// Messages that were sent earlier.
    History {
        /// The messages, oldest first.
        messages: Vec<Said>,
        /// Whether there are more messages in the direction that was asked for.
        more: bool,
        /// The number to continue with: as `after` if `since` or `after` was given, else as `before`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A room has been created.
    RoomCreated {
        /// The name of the room.
        room: String,
        /// Who may join without an invitation.
        access: RoomAccess,
        /// The names of its members, including this client's user.
        members: Vec<String>,
    }
    /// The rooms that this client's user may join or is a member of.
    Rooms {
        /// The rooms, sorted by name.
        rooms: Vec<RoomInfo>,
    }
    /// This client's user is now a member of a room.
    RoomJoined {
        /// The name of the room.
        room: String,
        /// The names of its members, including this client's user.
        members: Vec<String>,
    }
    /// This client's user has made others members of a room.
    RoomInvited {
        /// The name of the room.
        room: String,
        /// The names of the new members.
        members: Vec<String>,
    }
    /// This client's user is no longer a member of a room.
    RoomLeft {
        /// The name of the room.
        room: String,
    }
    /// The members of a room.
    Members {
        /// The name of the room.
        room: String,
        /// The members, sorted by name.
        members: Vec<Member>,
    }
    /// Somebody joined or left a room that this client's user is a member of.
    RoomChanged {
        /// The name of the room.
        room: String,
        /// The name of the member who invited them; absent if they joined by themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The names of the new members; this client's user may be one of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        joined: Vec<String>,
        /// The names of those who left.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<String>,
    }
    /// Only messages of one room are told from now on.
    Focused {
        /// The name of the room.
        room: String,
    }
    /// All messages are told again.
    Unfocused {
        /// The name of the room that had the focus.
        room: String,
        /// The number of messages that were held back; they follow.
        held: u64,
        /// The reason, if the focus ended without a request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// The hub has sent all messages that it kept for this client.
    CaughtUp {
        /// The number of the newest message. No message up to this one is still to be sent.
        number: u64,
    }
    /// A message that this client must not show: its user blocks the sender.
    Withheld {
        /// The number of the message.
        number: u64,
    }
}
