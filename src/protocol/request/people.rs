//! The requests about people and messages.

use crate::protocol::types::Password;
use crate::protocol::vocabulary::requests;

requests! {
    /// Prove with a password who you are.
    Login {
        /// The account's name.
        name: String,
        /// Its password, at most 1,024 bytes.
        #[arg(help = "Its password, at most 1,024 bytes; at a terminal, leave it out: it is asked for and not shown")]
        password: Password,
    }
    /// Send somebody a message.
    Message {
        /// The receiver, who need not be there.
        to: String,
        /// The text, at most 16 KiB of UTF-8. By hand: the rest of the line, as it stands.
        #[schemars(length(min = 1, max = 16384))]
        text: String,
    }
    /// Send a message to everybody.
    Broadcast {
        /// The text, at most 16 KiB of UTF-8. By hand: the rest of the line, as it stands.
        #[schemars(length(min = 1, max = 16384))]
        text: String,
    }
    /// Show your safety number with somebody: 60 digits, the same at both ends if nobody is in between.
    #[derive(Default)]
    Verify {
        /// The person, who need not be there if their key is known.
        name: String,
        /// Mark them as verified: you have compared the number with them. Their key is trusted from now on, and no other one under their name.
        #[arg(long, conflicts_with = "revoke")]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        confirm: bool,
        /// The number as they have read it to you: it must be yours. A key that has changed is confirmed only with it. Its groups may stand apart or together.
        #[arg(long, value_name = "DIGITS")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        /// Take the mark back. Their key stays known.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        revoke: bool,
    }
    /// Open a direct connection.
    PrivateOpen {
        /// The other person's name.
        to: String,
    }
    /// Send a message past the hub. The connection is opened if there is none.
    Private {
        /// The receiver, who must be there.
        to: String,
        /// The text, at most 16 KiB of UTF-8. By hand: the rest of the line, as it stands.
        #[schemars(length(min = 1, max = 16384))]
        text: String,
    }
    /// Close a direct connection.
    PrivateClose {
        /// The other person's name.
        to: String,
    }
    /// See no more messages of somebody.
    Block {
        /// The person's name.
        name: String,
    }
    /// See somebody's messages again.
    Unblock {
        /// The person's name.
        name: String,
    }
    /// Show whom you block.
    Blocks {}
    /// Show what has been said. Without `since` or `after`: the newest messages.
    #[derive(Default)]
    History {
        /// Show only messages to everybody. Give at most one of `lobby`, `rooms`, `room` and `with`.
        #[arg(long, conflicts_with_all = ["rooms", "room", "with"])]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lobby: bool,
        /// Show only messages of rooms that you are a member of.
        #[arg(long, conflicts_with_all = ["room", "with"])]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rooms: bool,
        /// Show only messages of this room.
        #[arg(long, value_name = "ROOM", conflicts_with = "with")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Show only what this person and you wrote to each other.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<String>,
        /// Show the messages since a time, oldest first: `2026-01-02T03:04:05Z`, `02/01/2026 03:04:05` (UTC), or `10m` ago.
        #[arg(long, value_name = "TIME", conflicts_with = "before")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Show the messages after the one with this number, oldest first.
        #[arg(long, value_name = "NUMBER", conflicts_with = "before")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Show the newest messages before the one with this number; not with `since` or `after`.
        #[arg(long, value_name = "NUMBER")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// Show at most this many messages, 1 to 500; 50 if left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 500))]
        limit: Option<u32>,
        /// Show only messages that have all these words.
        #[arg(long = "match", value_name = "WORDS")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        r#match: Option<String>,
    }
}
