//! Renders events as text for people.

use std::fmt::Write;

use crate::protocol::event::{self, Event};
use crate::protocol::human::quoted;
use crate::protocol::{At, ErrorCode, EventLine, Presence};

use super::escape::escape;
use super::files;
use super::invites;
use super::parcels;
use super::people;
use super::phrases::{SHOWN, listed, named, presence};
use super::style::Style;
use super::table::table;
use super::transfers;
use super::units::{count, duration, moment, rate, size};
use super::verified;
use super::waiting;

/// The text of [`render`], with the time and number of messages.
pub fn render_timed(line: &EventLine, style: Style) -> String {
    people::timed(line, style).unwrap_or_else(|| render(line, style))
}

/// The text of an event: complete lines, or nothing if people do not need to see it.
pub fn render(line: &EventLine, style: Style) -> String {
    match &line.event {
        Event::Ready(body) => ready(body, style),
        Event::Bye(body) => bye(body, style),
        Event::Error(body) => error(body, style),
        Event::Welcome(body) => welcome(body, style),
        Event::Deregistered(body) => deregistered(body),
        Event::DirSet(body) => format!("Offering from {}.\n", escape(&body.dir)),
        Event::OfferAcked(body) => files::offer_acked(body, style),
        Event::OfferProgress(body) => files::offer_progress(body, style),
        Event::OfferChanged(body) => files::offer_changed(body),
        Event::OfferKept(body) => files::offer_kept(body),
        Event::Found(body) => files::found(body, style),
        Event::Chunks(body) => files::chunks(body, style),
        Event::TransferQueued(body) => transfers::queued(body),
        Event::FileFailed(body) => transfers::file_failed(body, style),
        Event::PushAsked(body) => transfers::push_asked(body),
        Event::PushOffered(body) => transfers::push_offered(body, style),
        Event::PushGone(body) => transfers::push_gone(body),
        Event::Declined(body) => format!("Push {} is declined.\n", body.push),
        Event::Withdrawn(body) => format!("Withdrawn: {}.\n", named(&body.files)),
        Event::Table(body) => offers(body, style),
        Event::TableUpdated(body) => table_updated(body, style),
        Event::TableUnfollowed(body) => format!("{}\n", escape(&body.message)),
        Event::Roster(body) => roster(body, style),
        Event::RosterUpdated(body) => roster_updated(body),
        Event::Status(body) => status(body, style),
        Event::Transfers(body) => transfers::list(body, style),
        Event::TransferStarted(body) => transfers::started(body),
        Event::TransferProgress(body) => transfers::progress(body, style),
        Event::TransferCompleted(body) => transfers::completed(body, style),
        Event::TransferFailed(body) => transfers::failed(body, line.id.is_some(), style),
        Event::TransferStalled(body) => transfers::stalled(body, style),
        Event::SourceDropped(body) => transfers::source_dropped(body, style),
        Event::Cancelled(body) => format!("Transfer {} is cancelled.\n", body.transfer),
        Event::Waited(_) => "Everything asked before is done.\n".to_owned(),
        Event::Help(body) => help(body, style),
        Event::HubLost(body) => {
            format!("{} ({}); trying again.\n", style.yellow("Lost the hub"), escape(&body.reason))
        }
        Event::HubBack(body) => hub_back(body, style),
        Event::Waiting(body) => waiting::waiting(body),
        Event::Gap(body) => gap(body, style),
        Event::MessageAcked(body) => people::acked(body, style),
        Event::Message(body) => people::message(line, body, style),
        Event::RoomMessage(body) => people::room_message(line, body, style),
        Event::PrivateMessage(body) => people::private_message(body, style),
        Event::MessageDelivered(body) => people::delivered(body, style),
        Event::SafetyNumber(body) => verified::safety_number(body, style),
        Event::KeyAlarm(body) => verified::alarm(body, style),
        Event::PrivateOpened(body) => people::private_opened(body),
        Event::Pong(body) => people::pong(body),
        Event::PrivateClosed(body) => people::private_closed(body),
        Event::Blocked(body) => format!("{} is blocked.\n", escape(&body.name)),
        Event::Unblocked(body) => format!("{} is not blocked any more.\n", escape(&body.name)),
        Event::Blocks(body) => people::blocks(body),
        Event::History(body) => people::history(body, style),
        Event::RoomCreated(body) => people::room_created(body),
        Event::Rooms(body) => people::rooms(body, style),
        Event::RoomJoined(body) => people::room_joined(body),
        Event::RoomInvited(body) => people::room_invited(body),
        Event::RoomLeft(body) => format!("You are not in room {} any more.\n", escape(&body.room)),
        Event::Members(body) => people::members(body, style),
        Event::RoomChanged(body) => people::room_changed(body),
        Event::InviteAdded(body) => invites::added(body),
        Event::Invites(body) => invites::list(body, style),
        Event::InviteRevoked(body) => format!("Revoked: {}\n", escape(&body.invite)),
        Event::InviteGuessed(body) => invites::guessed(body, style),
        Event::ParcelReady(body) => parcels::ready(body, style),
        Event::ParcelClaimed(body) => parcels::claimed(body),
        Event::ParcelLeft(body) => parcels::left(body),
        Event::ParcelDelivered(body) => parcels::delivered(body),
        Event::ParcelSent(body) => parcels::sent(body),
        Event::ParcelFound(body) => parcels::found(body),
        Event::ParcelReceived(body) => parcels::received(body),
        Event::Focused(body) => format!("Hearing only room {}; the rest waits for `unfocus`.\n", escape(&body.room)),
        Event::Unfocused(body) => people::unfocused(body),
        // Between hub and client only. The client tells its user what follows from them.
        Event::Located(_)
        | Event::Synced(_)
        | Event::Withheld(_)
        | Event::CaughtUp(_)
        | Event::SourcesUpdated(_)
        | Event::PushAnswered(_)
        | Event::TablePage(_)
        | Event::RosterPage(_)
        | Event::Introduced(_)
        | Event::Meeting(_)
        | Event::MeetingPlaces(_)
        | Event::MeetingRefused(_)
        | Event::CodeOpened(_)
        | Event::CodeRefused(_)
        | Event::Knocked(_)
        | Event::KnockAnswered(_)
        | Event::Admitted(_)
        | Event::KnockRefused(_)
        | Event::Said(_)
        | Event::HungUp(_)
        | Event::Stored(_) => String::new(),
    }
}

fn ready(body: &event::Ready, style: Style) -> String {
    let event::Settings { dir, downloads, port, transport, on_conflict, up, down, .. } = &body.settings;
    let mut settings = format!("files served on port {port} · downloads go to {}", escape(downloads));
    if let Some(dir) = dir {
        let _ = write!(settings, " · offers come from {}", escape(dir));
    }
    for (way, limit) in [("up", up), ("down", down)] {
        if let Some(limit) = limit {
            let _ = write!(settings, " · {way} at most {}", rate(*limit));
        }
    }
    if !body.settings.accept_from.is_empty() {
        let _ = write!(settings, " · takes files from {}", named(&body.settings.accept_from));
    }
    let _ = write!(settings, " · transport {} · on conflict {}", escape(transport), escape(on_conflict));
    let (name, hub) = (escape(&body.name), escape(&body.hub));
    format!("potluck {}: {} at {hub} · {settings}\n", escape(&body.version), style.bold(&name))
}

fn bye(body: &event::Bye, style: Style) -> String {
    let times = |(request, times): (&String, &u64)| match times {
        1 => format!("`{}`", escape(request)),
        times => format!("{times} × `{}`", escape(request)),
    };
    let given_up = listed(body.given_up.iter().map(times), body.given_up.len());
    let given_up = if given_up.is_empty() { given_up } else { format!("; given up: {given_up}") };
    match body.code {
        0 => format!("Bye: {}{given_up}.\n", escape(&body.reason)),
        code => format!("{} {}{given_up} (exit code {code}).\n", style.red("Bye:"), escape(&body.reason)),
    }
}

fn error(body: &event::Error, style: Style) -> String {
    let place = match &body.at {
        Some(At::Line(line)) => format!(", line {line}"),
        // A pointer is shown only if it has an index, as in a list. The name of a field means nothing to people who
        // type commands.
        Some(At::Pointer(pointer)) if pointer.rfind('/') > Some(0) => format!(", at {}", escape(pointer)),
        Some(At::Pointer(_)) | None => String::new(),
    };
    // Rounded up, so that a retry after that many seconds is not too early.
    let wait = body.wait.filter(|wait| *wait > 0);
    let wait = wait.map(|wait| format!(", wait {} s", wait.div_ceil(1000))).unwrap_or_default();
    let label = if body.code == ErrorCode::VerifiedKeyChanged { verified::ALARM } else { "error:" };
    let mut out = format!("{} {} ({}{place}{wait})\n", style.red(label), escape(&body.message), body.code);
    if let Some(hint) = &body.hint {
        let _ = writeln!(out, "  {} {}", style.dim("hint:"), escape(hint));
    }
    out
}

fn welcome(body: &event::Welcome, style: Style) -> String {
    let name = escape(&body.name);
    let clients = count(body.clients, "client");
    let offered = count(body.offers, "file");
    format!("Welcome, {}. You are number {}; {clients} here, {offered} offered.\n", style.bold(&name), body.number)
}

fn offers(body: &event::Table, style: Style) -> String {
    let stale = if body.stale { "The hub is lost. This is what was offered when it still answered:\n" } else { "" };
    if body.offers.is_empty() && body.next.is_none() {
        return format!("{stale}No offers to show.\n");
    }
    let mut offers: Vec<_> = body.offers.iter().collect();
    offers.sort_by_key(|offer| (&offer.file, &offer.owner));
    let rows = offers.into_iter().map(|offer| {
        vec![
            escape(&offer.file).into_owned(),
            escape(&offer.owner).into_owned(),
            size(offer.size),
            offer.address.to_string(),
            offer.port.to_string(),
        ]
    });
    let rows = table(&["FILENAME", "OWNER", "SIZE", "IP ADDRESS", "TCP PORT"], &[2, 4], rows.collect(), style);
    stale.to_owned() + &rows + &going_on(body.next.as_deref())
}

/// Explains how to see the rest of a long answer.
fn going_on(next: Option<&str>) -> String {
    next.map_or_else(String::new, |next| format!("There is more: the same with --after {}\n", escape(&quoted(next))))
}

fn deregistered(body: &event::Deregistered) -> String {
    format!("{} is out of the table; {} withdrawn.\n", escape(&body.name), count(body.withdrawn, "offer"))
}

fn table_updated(body: &event::TableUpdated, style: Style) -> String {
    let mut changes = Vec::new();
    if !body.added.is_empty() && !body.full {
        changes.push(format!("{} added, ", body.added.len()));
    }
    if !body.removed.is_empty() {
        changes.push(format!("{} removed, ", body.removed.len()));
    }
    let mut out = format!("Table updated (revision {}): {}{} in all.\n", body.revision, changes.concat(), body.total);
    let added = body.added.iter().map(|offer| {
        format!("  {} {} ({}) from {}\n", style.green("+"), escape(&offer.file), size(offer.size), escape(&offer.owner))
    });
    let removed = body
        .removed
        .iter()
        .map(|name| format!("  {} {} from {}\n", style.red("-"), escape(&name.file), escape(&name.owner)));
    push_lines(&mut out, added, body.added.len());
    push_lines(&mut out, removed, body.removed.len());
    out
}

/// Appends the first lines, and the number of further ones.
fn push_lines(out: &mut String, lines: impl Iterator<Item = String>, all: usize) {
    out.extend(lines.take(SHOWN));
    if all > SHOWN {
        let _ = writeln!(out, "  … and {} more", all - SHOWN);
    }
}

fn roster(body: &event::Roster, style: Style) -> String {
    if body.clients.is_empty() && body.next.is_none() {
        return "Nobody is here.\n".to_owned();
    }
    // Most people have verified nobody, and need no column for it.
    let any_verified = body.clients.iter().any(|client| client.verified.is_some());
    let rows = body.clients.iter().map(|client| {
        let mut row = vec![
            client.number.to_string(),
            escape(&client.name).into_owned(),
            presence(client.state).to_owned(),
            moment(client.since),
            client.address.to_string(),
            client.port.to_string(),
        ];
        row.extend(any_verified.then(|| verified::mark(client.verified).to_owned()));
        row
    });
    let mut heading = vec!["NUMBER", "NAME", "STATE", "SINCE", "IP ADDRESS", "TCP PORT"];
    heading.extend(any_verified.then_some("VERIFIED"));
    table(&heading, &[0, 5], rows.collect(), style) + &going_on(body.next.map(|next| next.to_string()).as_deref())
}

fn roster_updated(body: &event::RosterUpdated) -> String {
    let others = body.clients.iter().filter(|client| !client.you);
    if body.full {
        let here = others.filter(|client| client.state != Presence::Offline);
        let names = here.clone().map(|client| match client.state {
            Presence::Away => format!("{} (away)", escape(&client.name)),
            Presence::Online | Presence::Offline => escape(&client.name).into_owned(),
        });
        return match here.count() {
            0 if body.total > 0 => "Nobody else is here.\n".to_owned(),
            0 => "Nobody is here.\n".to_owned(),
            all => format!("Here: {}.\n", listed(names, all)),
        };
    }
    let count = others.clone().count();
    let changes = others.map(|client| {
        let change = match client.state {
            Presence::Online => "is here",
            Presence::Away => "is away",
            Presence::Offline => "has left",
        };
        format!("{} {change}.\n", escape(&client.name))
    });
    let mut out = String::new();
    push_lines(&mut out, changes, count);
    out
}

fn status(body: &event::Status, style: Style) -> String {
    let rows = body.clients.iter().map(|visit| {
        vec![
            visit.number.to_string(),
            escape(&visit.name).into_owned(),
            escape(&visit.address).into_owned(),
            presence(visit.state).to_owned(),
            moment(visit.opened),
            visit.closed.map_or_else(|| "-".to_owned(), moment),
            visit.messages.to_string(),
        ]
    });
    let mut out = match body.clients.is_empty() {
        true => "Nobody has been here yet.\n".to_owned(),
        false => {
            let heading = ["NUMBER", "NAME", "ADDRESS", "STATE", "OPENED", "CLOSED", "MESSAGES"];
            table(&heading, &[0, 6], rows.collect(), style)
        }
    };
    let earlier = body.total.saturating_sub(body.clients.len() as u64);
    if earlier > 0 {
        let _ = writeln!(out, "… and {} before.", count(earlier, "client"));
    }
    if let Some(trouble) = &body.store {
        let (since, message) = (moment(trouble.since), escape(&trouble.message));
        let _ = writeln!(out, "Since {since} the hub can keep nothing new: {message} ({}).", trouble.code);
    }
    if let Some(relay) = &body.relay {
        let (streams, bytes) = (count(relay.streams, "connection"), size(relay.bytes));
        let refused = match relay.refused {
            0 => String::new(),
            refused => format!(", and {} without relay because something was full", count(refused, "meeting")),
        };
        let _ = writeln!(out, "The hub relays {streams} now; {bytes} today{refused}.");
    }
    out
}

fn help(body: &event::Help, style: Style) -> String {
    if let [event::CommandHelp { details: Some(details), .. }] = body.commands.as_slice() {
        // Indented, so that no line of it can be mistaken for another event.
        return details.lines().map(|line| format!("  {}", escape(line)).trim_end().to_owned() + "\n").collect();
    }
    let rows = body.commands.iter().map(|command| {
        let aliases = command.aliases.iter().map(|alias| escape(alias)).collect::<Vec<_>>().join(", ");
        let about = escape(&command.about);
        let about = if aliases.is_empty() { about.into_owned() } else { format!("{about} [also: {aliases}]") };
        vec![escape(&command.usage).into_owned(), about]
    });
    let talk = "At a terminal, `talk ROOM` says what you type in a room, `talk lobby` to everybody.\n";
    table(&["COMMAND", "WHAT IT DOES"], &[], rows.collect(), style) + talk
}

fn hub_back(body: &event::HubBack, style: Style) -> String {
    let how = if body.resumed { "" } else { " It did not know us any more: registered and offered again." };
    format!("{} after {}.{how}\n", style.green("The hub is back"), duration(body.away))
}

fn gap(body: &event::Gap, style: Style) -> String {
    let dropped = count(body.dropped, "event");
    let read = style.yellow("Read too slowly:");
    format!("{read} {dropped} dropped, told between {} and {}.\n", moment(body.from), moment(body.to))
}
