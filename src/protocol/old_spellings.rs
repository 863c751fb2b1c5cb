//! The command lines of the five systems that potluck replaces, as their users typed them. Each rule turns the words of
//! an old command into those of a current one, which clap then reads. An old name that takes the same arguments as a
//! current command is only an alias, declared with that command.

/// A command of one of the old systems.
pub struct OldSpelling {
    /// The name of the old command.
    pub name: &'static str,
    /// Its usage, shown in hints.
    pub usage: &'static str,
    /// The name of the current command that replaces it.
    pub now: &'static str,
    /// Turns the arguments of the old command into those of the current one. The second argument is the room that the
    /// user talks in. `None` if these are no arguments of the old command.
    words: fn(&[String], Option<&str>) -> Option<Vec<String>>,
}

const fn old(
    name: &'static str,
    usage: &'static str,
    now: &'static str,
    words: fn(&[String], Option<&str>) -> Option<Vec<String>>,
) -> OldSpelling {
    OldSpelling { name, usage, now, words }
}

/// Every old command that is more than an alias.
pub const OLD_SPELLINGS: &[OldSpelling] = &[
    old("whoelse", "whoelse", "who", |rest, _| Some(made(&["who", "--others"], rest))),
    old("whoelsesince", "whoelsesince SECONDS", "who", |rest, _| Some(made(&["who", "--others", "--since"], rest))),
    // With a name and a number: offers a file in that many chunks. With a name alone: registers at the hub.
    old("register", "register NAME, or register FILE N", "offer", |rest, _| match rest {
        [file, chunks] if is_number(chunks) => Some(made(&["offer", "--chunks", chunks, "--", file], &[])),
        _ => None,
    }),
    old("download", "download FILE [N…]", "get", |rest, _| match rest {
        [file, chunks @ ..] if !chunks.is_empty() && chunks.iter().all(|chunk| is_number(chunk)) => {
            Some([made(&["get", "--chunks"], chunks), made(&["--", file], &[])].concat())
        }
        _ => None,
    }),
    old("UDP", "UDP USER FILE", "push", |rest, _| match rest {
        [user, file] => Some(made(&["push", "--", file, user], &[])),
        _ => None,
    }),
    old("SRB", "SRB USER…", "room-create", |rest, _| (!rest.is_empty()).then(|| made(&["room-create", "+"], rest))),
    old("RDM", "RDM b|s DD/MM/YYYY HH:MM:SS", "history", |rest, _| {
        let (place, time) = rest.split_first().filter(|(_, time)| !time.is_empty())?;
        let place = match place.as_str() {
            "b" => "--lobby",
            "s" => "--rooms",
            _ => return None,
        };
        Some(made(&["history", place, "--since", &time.join(" ")], &[]))
    }),
    old("history", "history … --since DD/MM/YYYY HH:MM:SS", "history", |rest, _| with_whole_time(rest)),
    old("join_group", "join_group ROOM", "room-join", |rest, _| Some(made(&["room-join", "--again"], rest))),
    old("leave_group", "leave_group, or leave_group ROOM", "room-leave", |rest, room| {
        in_room("room-leave", rest, room)
    }),
    old("list_members", "list_members, or list_members ROOM", "members", |rest, room| in_room("members", rest, room)),
    old("members", "members, in the room of `join_group`, or members ROOM", "members", |rest, room| {
        in_room("members", rest, room)
    }),
    old("list", "list members [ROOM]", "members", |rest, room| match rest.split_first() {
        Some((members, rest)) if members == "members" => {
            in_room("members", rest, room).or_else(|| Some(made(&["members"], rest)))
        }
        _ => None,
    }),
];

/// The old command that sends a message to the room of the last `join_group`. Without such a room, its first word names
/// the room, as in `say`.
pub const SEND_GROUP: &str = "send_group";

/// The usage of [`SEND_GROUP`].
pub const SEND_GROUP_USAGE: &str = "send_group TEXT, in the room of `join_group ROOM`";

/// The words of the current command for these words, if they are a line of an old system.
pub fn rewritten(words: &[String], room: Option<&str>) -> Option<Vec<String>> {
    let (name, rest) = words.split_first()?;
    // `whoelse --help` is the same as `help whoelse`.
    let rule = OLD_SPELLINGS.iter().find(|rule| rule.name == name).filter(|_| !asks_for_help(rest))?;
    (rule.words)(rest, room)
}

/// For an old name that is no alias: the current command, and the usage of the old one.
pub fn usage_of(name: &str) -> Option<&'static str> {
    if name == SEND_GROUP {
        return Some(SEND_GROUP_USAGE);
    }
    // A name that is also a current command is explained as that one.
    OLD_SPELLINGS
        .iter()
        .find(|rule| rule.name == name && rule.name != rule.now && name != "list")
        .map(|rule| rule.usage)
}

fn made(new: &[&str], rest: &[String]) -> Vec<String> {
    new.iter().map(|word| (*word).to_owned()).chain(rest.iter().cloned()).collect()
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn asks_for_help(rest: &[String]) -> bool {
    rest.first().is_some_and(|word| matches!(word.as_str(), "--help" | "-h"))
}

/// The words of a command that means the room that the user talks in, if it names none.
fn in_room(now: &str, rest: &[String], room: Option<&str>) -> Option<Vec<String>> {
    match (rest, room) {
        ([], Some(room)) => Some(made(&[now, "--", room], &[])),
        _ => None,
    }
}

/// Joins a date and a time after `--since`, written as two words, into one.
fn with_whole_time(rest: &[String]) -> Option<Vec<String>> {
    let at = rest.iter().position(|word| word == "--since" || word.starts_with("--since="))?;
    let date = if rest[at] == "--since" { at + 1 } else { at };
    let (day, time) = (rest.get(date)?, rest.get(date + 1)?);
    let is_day = day.contains('/') && day.ends_with(|c: char| c.is_ascii_digit());
    let is_time = time.contains(':') && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    if !(is_day && is_time) {
        return None;
    }
    let whole = format!("{day} {time}");
    Some([made(&["history"], &rest[..date]), vec![whole], rest[date + 2..].to_vec()].concat())
}

#[cfg(test)]
#[path = "old_spellings_tests.rs"]
mod tests;
