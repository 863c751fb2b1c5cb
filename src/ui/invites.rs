//! Renders events about invites.

use crate::protocol::event;
use crate::protocol::invite::InviteInfo;

use super::escape::escape;
use super::style::Style;
use super::table::table;

/// What a new invite is, and how it is used.
pub(super) fn added(body: &event::InviteAdded) -> String {
    let event::InviteAdded { invite, link, code, hub, times, until } = body;
    let how = match (code, link) {
        (Some(code), _) => format!("potluck join {} {}", escape(hub), escape(code)),
        (None, Some(link)) => format!("potluck join '{}'", escape(link)),
        (None, None) => String::new(),
    };
    format!("Made invite {}, which lets in {times}, until {until}:\n  {how}\n", escape(invite))
}

/// The invites that this user has made.
pub(super) fn list(body: &event::Invites, style: Style) -> String {
    if body.invites.is_empty() {
        return "You have made no invites.\n".to_owned();
    }
    let row = |invite: &InviteInfo| {
        let of = invite.times.map_or_else(|| "any".to_owned(), |times| times.to_string());
        let until = invite.until.map_or_else(|| "never".to_owned(), |until| until.to_string());
        let code = invite.code.map_or_else(String::new, |code| code.to_string());
        let (name, state) = (escape(&invite.invite).into_owned(), invite.state.name().to_owned());
        vec![name, state, invite.spent.to_string(), of, until, code]
    };
    table(&["NAME", "STATE", "SPENT", "OF", "UNTIL", "CODE"], &[2, 3, 5], body.invites.iter().map(row).collect(), style)
}

/// Somebody has guessed at a code.
pub(super) fn guessed(body: &event::InviteGuessed, style: Style) -> String {
    let what = format!("Somebody has guessed at the code of invite {}", escape(&body.invite));
    format!("{}: it is void. `invite-add --code` makes another.\n", style.yellow(&what))
}
