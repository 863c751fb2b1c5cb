//! The lines of the five systems that potluck unites, as their users typed them: each rule makes the words of a
//! command of today out of the words of an old one, and clap reads those. An old name that takes the same arguments is
//! only an alias of the command, beside its definition.

/// One command of old.
pub struct OldSpelling {
    /// What it is called.
    pub name: &'static str,
    /// How it is written, for a hint.
    pub usage: &'static str,
    /// What the command of today is called.
    pub now: &'static str,
    /// The words of today for what stands behind the name, and for the room that one talks in; nothing if it is no line
    /// of old.
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

/// Every command of old that is more than another name.
pub const OLD_SPELLINGS: &[OldSpelling] = &[
    old("whoelse", "whoelse", "who", |rest, _| Some(made(&["who", "--others"], rest))),
    old("whoelsesince", "whoelsesince SECONDS", "who", |rest, _| Some(made(&["who", "--others", "--since"], rest))),
    // A name and a number are a file and its chunks; a name alone enters the hub.
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

/// What says something in the room of `join_group`; without one, it names its room as `say` does.
pub const SEND_GROUP: &str = "send_group";

/// How [`SEND_GROUP`] is written.
pub const SEND_GROUP_USAGE: &str = "send_group TEXT, in the room of `join_group ROOM`";

/// The words of today for these, if they are a line of old.
pub fn rewritten(words: &[String], room: Option<&str>) -> Option<Vec<String>> {
    let (name, rest) = words.split_first()?;
    // `whoelse --help` is `help whoelse`.
    let rule = OLD_SPELLINGS.iter().find(|rule| rule.name == name).filter(|_| !asks_for_help(rest))?;
    (rule.words)(rest, room)
}

/// The command of today that is meant by an old name that is no alias of it; and how the old one is written.
pub fn usage_of(name: &str) -> Option<&'static str> {
    if name == SEND_GROUP {
        return Some(SEND_GROUP_USAGE);
    }
    // What is a command of today too is explained as that.
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

/// A command that means the room that one talks in, if it names none.
fn in_room(now: &str, rest: &[String], room: Option<&str>) -> Option<Vec<String>> {
    match (rest, room) {
        ([], Some(room)) => Some(made(&[now, "--", room], &[])),
        _ => None,
    }
}

/// A date and a time behind `--since`, written as two words, are one.
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
