//! The rules for the names of people, rooms and files. A name that breaks one is refused, never changed.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_script::{Script, ScriptExtension, UnicodeScript};

pub use super::name_key::{NameKey, tables};
use super::unicode::Unseen;
use super::{ErrorCode, Failure};

/// The longest name of a person or a room, in characters.
pub const MAX_NAME: usize = 32;

/// The longest name of an offered file, in bytes.
pub const MAX_FILE: usize = 1_024;

/// The longest part of a file's name between slashes, in bytes: the limit of common file systems (NAME_MAX).
pub const MAX_PART: usize = 255;

/// The owner of the files that the hub itself offers. Nobody can register under it.
pub const HUB: &str = "hub";

/// Names that could be mistaken for the hub's own, by their [`NameKey`]s. Nobody can register under them.
pub(super) const RESERVED: [&str; 4] = ["hub", "server", "lobby", "all"];

/// Combining marks allowed on one letter. More would spill over the lines above and below.
const MAX_MARKS: usize = 2;

/// Scripts that may appear in one name: the "highly restrictive" level of Unicode UTS #39, section 5.2. Their letters
/// cannot be mistaken for Latin ones.
const WRITTEN_TOGETHER: [&[Script]; 3] = [
    &[Script::Latin, Script::Han, Script::Hiragana, Script::Katakana],
    &[Script::Latin, Script::Han, Script::Hangul],
    &[Script::Latin, Script::Han, Script::Bopomofo],
];

/// Checks that a person may have this name.
///
/// # Errors
/// `bad-name` with the broken rule and, if one character broke it, its code point.
pub fn check_person(name: &str) -> Result<(), Failure> {
    check_short(name, "a name")
}

/// Checks that a room may have this name. The rules are those for people.
///
/// # Errors
/// `bad-name`, as for [`check_person`].
pub fn check_room(name: &str) -> Result<(), Failure> {
    check_short(name, "a room's name")
}

/// The room of everybody: all who are at the hub are in it.
pub const LOBBY: &str = "lobby";

/// Whether this is the name of the room of everybody.
pub fn is_lobby(room: &str) -> bool {
    NameKey::of(room).as_str() == LOBBY
}

/// Checks that a file may be offered under this name: a relative path with `/` between its parts.
///
/// # Errors
/// `bad-name` with the broken rule and, if one character broke it, its code point.
pub fn check_file(name: &str) -> Result<(), Failure> {
    if name.len() > MAX_FILE {
        return refuse(format!("a file's name has at most {MAX_FILE} bytes, this one has {}", name.len()));
    }
    if name.is_empty() {
        return refuse("a file's name is not empty");
    }
    no_unseen(name)?;
    if name.contains('\\') {
        return refuse("a file's name has no backslash; its parts are separated by `/`");
    }
    if name.starts_with('/') {
        return refuse("a file's name is relative, it does not start with `/`");
    }
    if name.as_bytes()[0].is_ascii_alphabetic() && name.as_bytes().get(1) == Some(&b':') {
        return refuse("a file's name is relative, it does not start with a drive");
    }
    for part in name.split('/') {
        match part {
            "" => return refuse("no part of a file's name is empty"),
            "." | ".." => {
                let rule = Failure::new(ErrorCode::BadName, "no part of a file's name is `.` or `..`");
                return Err(rule.hint("Files are named relative to the folder, without `..`; `setdir DIR` chooses it."));
            }
            _ if part.len() > MAX_PART => {
                return refuse(format!("a part of a file's name has at most {MAX_PART} bytes"));
            }
            _ => {}
        }
    }
    must_be_nfc(name)
}

fn check_short(name: &str, what: &str) -> Result<(), Failure> {
    // The length is checked first, before anything that costs more.
    if name.chars().nth(MAX_NAME).is_some() {
        return refuse(format!("{what} has at most {MAX_NAME} characters"));
    }
    if name.is_empty() {
        return refuse(format!("{what} is not empty"));
    }
    no_unseen(name)?;
    only_name_characters(name, what)?;
    must_be_nfc(name)?;
    if !name.chars().any(char::is_alphanumeric) {
        return refuse(format!("{what} has at least one letter or digit"));
    }
    if !is_of_one_script(name) {
        return refuse(format!("{what} does not mix letters of several scripts"));
    }
    if RESERVED.contains(&NameKey::of(name).as_str()) {
        return refuse("hub, server, lobby and all are names of the hub's own");
    }
    Ok(())
}

fn no_unseen(name: &str) -> Result<(), Failure> {
    match name.chars().find_map(|c| Unseen::of(c).map(|class| (c, class))) {
        None => Ok(()),
        Some((c, class)) => {
            refuse(format!("a name has no {} characters, this one has U+{:04X}", class.name(), u32::from(c)))
        }
    }
}

/// Checks that a name has only letters, a few combining marks on them, ASCII digits, `_`, `-` and `.`.
fn only_name_characters(name: &str, what: &str) -> Result<(), Failure> {
    let mut marks_left = 0;
    for c in name.chars() {
        if is_combining_mark(c) && marks_left > 0 {
            marks_left -= 1;
        } else if c.is_alphabetic() && !is_combining_mark(c) {
            marks_left = MAX_MARKS;
        } else if c.is_ascii_digit() || matches!(c, '_' | '-' | '.') {
            marks_left = 0;
        } else {
            return refuse(format!("{what} has only letters, digits, `_`, `-` and `.`, not U+{:04X}", u32::from(c)));
        }
    }
    Ok(())
}

fn must_be_nfc(name: &str) -> Result<(), Failure> {
    if is_nfc(name) { Ok(()) } else { refuse("a name is in Unicode normalization form C, this one is not") }
}

/// Whether the letters of a name belong to one script, or to scripts that are written together. It looks at the
/// compatibility form, where `ａ` and `𝐚` are the Latin letters that they resemble.
fn is_of_one_script(name: &str) -> bool {
    let name: String = name.nfkc().collect();
    let together = |group: &[Script]| {
        name.chars().all(|c| group.iter().any(|script| c.script_extension().contains_script(*script)))
    };
    !ScriptExtension::for_str(&name).is_empty() || WRITTEN_TOGETHER.into_iter().any(together)
}

fn refuse(rule: impl Into<std::borrow::Cow<'static, str>>) -> Result<(), Failure> {
    Err(Failure::new(ErrorCode::BadName, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_people_have_are_taken() {
        for name in ["a", "alice", "Bob-2", "node_07.eu", "Zoë", "Ася", "Ελένη", "李小龍", "さくら", "サクラ", "김민준"]
        {
            assert_eq!(check_person(name), Ok(()), "{name}");
            assert_eq!(check_room(name), Ok(()), "{name}");
        }
        for name in ["नमस्ते", "Nguyễn", "Ọlá", "山田さんtaro", "مريم", "דוד", "a".repeat(32).as_str(), "7"]
        {
            assert_eq!(check_person(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_deceive_or_steer_are_refused() {
        let long = "a".repeat(33);
        let spilling = format!("o{}", "\u{323}".repeat(9));
        for name in [
            "",
            "alice ",
            " alice",
            "al ice",
            "hub",
            "HUB",
            "Server",
            "lobby",
            "ALL",
            "ｈｕｂ",
            "нub",
            "аlice",
            "alicе",
            "pаypal",
            "µTorrent",
            "a\u{200b}lice",
            "alice\u{200d}",
            "a\u{202e}b",
            "a\u{1b}[31m",
            "a\rb",
            "a\nb",
            "a\0",
            "\u{3164}",
            "a\u{ad}b",
            "a/b",
            "a:b",
            "a,b",
            "a@b",
            "#a",
            "...",
            "-",
            "e\u{301}",
            "\u{301}",
            "²",
            "a\u{e0041}",
            "\u{2800}",
            "😀",
            "a\u{fe0f}",
            &long,
            &spilling,
        ] {
            let refused = check_person(name).expect_err(name);
            assert_eq!(refused.code, ErrorCode::BadName);
            assert!(!refused.message.contains(|c| Unseen::of(c).is_some()), "{name:?}");
            assert!(check_room(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_offending_character_is_named_and_never_shown() {
        assert!(check_person("a\u{202e}b").unwrap_err().message.ends_with("has U+202E"));
        assert!(check_person("a b").unwrap_err().message.ends_with("not U+0020"));
        assert!(check_file("a\u{1b}b").unwrap_err().message.ends_with("has U+001B"));
    }

    #[test]
    fn files_may_have_the_names_that_files_have() {
        let part = "p".repeat(255);
        for name in
            ["a", "notes.txt", "sub/deep/notes.txt", ".hidden", "a b (1).tar.gz", "ünï/日本", "...", "a..b", &part]
        {
            assert_eq!(check_file(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn files_stay_inside_their_folder() {
        let part = "p".repeat(256);
        let whole = "p/".repeat(512) + "p";
        for name in [
            "../../.ssh/authorized_keys",
            "/tmp/x",
            "C:\\x",
            "C:x",
            "c:/x",
            "..\\..\\x",
            "sub/../sub2/f",
            "",
            ".",
            "..",
            "a/.",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "e\u{301}",
            &part,
            &whole,
        ] {
            assert_eq!(check_file(name).expect_err(name).code, ErrorCode::BadName);
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_the_checks_panic(name in any::<String>()) {
            let _ = (check_person(&name), check_room(&name), check_file(&name));
        }

        #[test]
        fn a_file_that_is_taken_has_only_plain_parts(name in "[a-c./\\\\:\u{301}]{0,8}") {
            if check_file(&name).is_ok() {
                let path = std::path::Path::new(&name);
                prop_assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }
    }
}
