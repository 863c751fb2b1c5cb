//! The README leaves nothing out: every request, event and option is in it, and what it shows is real.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;
use potluck::cli::Potluck;
use potluck::protocol::event::{Kind, Told};
use potluck::protocol::{ErrorCode, Request, line};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The first cell of every table row: its first word in code.
fn rows(section: &str) -> BTreeSet<String> {
    let text = readme();
    let section = text.split(&format!("### {section}\n")).nth(1).unwrap_or_else(|| panic!("no section {section}"));
    let section = section.split("\n### ").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("| `"));
    names.map(|name| name.split(['`', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_request_and_event_has_its_row() {
    let requests: BTreeSet<String> = Request::WORDS.iter().map(|word| word.name.to_owned()).collect();
    assert_eq!(rows("Requests"), requests);
    let told = Kind::ALL.iter().filter(|kind| kind.told() != Told::Between);
    assert_eq!(rows("Events"), told.map(|kind| kind.name().to_owned()).collect::<BTreeSet<_>>());
}

/// The cells of every row of the table of requests.
fn requests() -> Vec<Vec<String>> {
    let text = readme();
    let section = text.split("### Requests\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| line.replace("\\|", "/"));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_request_is_answered_as_its_row_says() {
    for row in requests() {
        let name = row[1].split(['`', ' ']).nth(1).unwrap();
        let Some(at) = Request::WORDS.iter().position(|word| word.name == name) else { continue };
        let named = row[3].split('`').skip(1).step_by(2);
        let named: Vec<_> = named.filter_map(|word| Kind::ALL.iter().find(|kind| kind.name() == word)).collect();
        assert_eq!(named, Request::RULES[at].answers.iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn what_may_be_answered_later_is_what_the_vocabulary_says() {
    let text = readme();
    let shown: Vec<&str> = text.split("| may come later |").nth(1).unwrap().lines().map(str::trim).collect();
    let shown: Vec<&str> = shown.into_iter().skip(2).take_while(|line| line.starts_with('|')).collect();
    let words = Request::WORDS.iter().zip(Request::RULES);
    let later = words.filter_map(|(word, rules)| Some((word.name, rules.turn.waits_for()?)));
    let expected: Vec<String> = later.map(|(name, what)| format!("| `{name}` | {what} |")).collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_option_is_named_and_every_named_option_exists() {
    let (text, mut known) = (readme(), BTreeSet::new());
    for command in Potluck::command().get_subcommands() {
        let name = command.get_name();
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            known.insert(format!("--{option}"));
            let shown = !["serve", "join"].contains(&name) || text.contains(&format!("`--{option}`"));
            assert!(shown, "README.md does not name --{option} of `{name}`");
        }
        let below = command.get_subcommands().flat_map(clap::Command::get_arguments);
        let all = below.filter_map(clap::Arg::get_long_and_visible_aliases).flatten();
        known.extend(all.map(|option| format!("--{option}")));
    }
    for command in <Request as clap::Subcommand>::augment_subcommands(clap::Command::new("")).get_subcommands() {
        known.extend(command.get_arguments().filter_map(clap::Arg::get_long).map(|option| format!("--{option}")));
    }
    // Of cargo, and of clap itself.
    known.extend(["--release", "--profile", "--path", "--bench", "--help"].map(str::to_owned));
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| word.starts_with("--")) {
        assert!(known.contains(word) || word.chars().all(|c| c == '-'), "README.md names {word}, which does not exist");
    }
}

#[test]
fn every_request_that_is_shown_is_one() {
    let text = readme();
    let shown: Vec<_> =
        text.match_indices("'{\"").map(|(at, _)| text[at + 1..].split(['\'', '\\']).next().unwrap()).collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for request in shown {
        line::parse_json(request).unwrap_or_else(|bad| panic!("{request}: {}", bad.failure));
    }
}

#[test]
fn every_error_code_that_is_named_exists() {
    let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    let text = readme();
    let mut named = 0;
    for code in text.split("(`").skip(1).filter_map(|rest| rest.split_once("`")).map(|(code, _)| code) {
        if code.contains('-') && !code.contains(' ') && !code.starts_with('-') {
            named += 1;
            assert!(codes.contains(code), "README.md names the error code {code}, which does not exist");
        }
    }
    assert!(named >= 3, "{named}");
}
