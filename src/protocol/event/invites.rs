//! Events about invites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::Timestamp;
use crate::protocol::code::Nameplate;
use crate::protocol::invite::InviteInfo;
use crate::protocol::vocabulary::bodies;

bodies! {
    /// An invite has been made. Only its maker is told what it is.
    InviteAdded {
        /// Its name, for `invite-list` and `invite-revoke`.
        invite: String,
        /// The join link, unless a code was asked for. It is told this once: the hub keeps only a hash of its secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        /// The short code, if one was asked for: `potluck join HOST CODE`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Where the hub is, as `HOST:PORT`.
        hub: String,
        /// How many it lets in.
        times: u64,
        /// Until when it is good.
        until: Timestamp,
    }
    /// The invites that this client's user has made.
    Invites {
        /// In the order in which they were made.
        invites: Vec<InviteInfo>,
    }
    /// An invite lets nobody in any more.
    InviteRevoked {
        /// Its name.
        invite: String,
    }
    /// Somebody has guessed wrong at the short code of an invite that this client's user has made, or has broken off. The
    /// code is void.
    InviteGuessed {
        /// The name of the invite.
        invite: String,
        /// The number of the code.
        code: Nameplate,
    }
}
