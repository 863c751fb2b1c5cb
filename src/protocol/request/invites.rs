//! The requests about invites, for those whom the hub's keeper allows to make some.

use crate::protocol::vocabulary::requests;

requests! {
    /// Make an invite: a join link, or a short code.
    #[derive(Default)]
    InviteAdd {
        /// A short code, which can be said on the phone, in place of a join link. One wrong guess makes it void.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        code: bool,
        /// How many it lets in; one, if nothing is said.
        #[arg(long, value_name = "N")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<u64>,
        /// For how long it is good, such as 1h or 30d; a week, if nothing is said.
        #[arg(long, value_name = "SPAN")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Show the invites that you have made.
    InviteList {}
    /// Make an invite of yours worthless. Whom it has let in stays.
    InviteRevoke {
        /// The name of the invite.
        invite: String,
    }
}
