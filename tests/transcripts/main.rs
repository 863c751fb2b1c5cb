//! Each request in both faces, and the sessions of those who used other systems before, as users see them: short
//! scenes, written down in `snapshots/`.
//!
//! The scenes are played in simulation, so times, ports and keys are always the same.

/// One test and one snapshot for each request.
macro_rules! pages {
    ($($word:literal $test:ident $act:expr;)*) => {
        /// The requests that have their page here.
        pub const PAGES: &[&str] = &[$($word),*];

        $(
            #[test]
            fn $test() {
                super::play($word, potluck::sim::SimConfig::default(), $act);
            }
        )*
    };
}

mod entry;
mod files;
mod parcels;
mod people;
mod private;
mod pushes;
mod rooms;
mod stage;
mod systems;
mod systems_files;
mod transfers;
mod trouble;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use potluck::protocol::{Event, Request};
use potluck::sim::{ClientOptions, SimConfig};
use stage::{Face, Stage};

/// Events that no scene has, and why.
const NOT_PLAYED: &[(&str, &str)] = &[
    ("meeting", "it is between hub and client only"),
    ("meeting-places", "it is between hub and client only"),
    ("meeting-refused", "it is between hub and client only"),
    ("code-opened", "it is between hub and client only"),
    ("code-refused", "it is between hub and client only"),
    ("knocked", "it is between hub and client only"),
    ("knock-answered", "it is between hub and client only"),
    ("knock-refused", "it is between hub and client only"),
    ("admitted", "it is between hub and client only"),
    ("parcel-left", "a receiver must leave in the middle; `core` and real processes play it"),
    ("said", "it is between hub and client only"),
    ("hung-up", "it is between hub and client only"),
    ("invite-guessed", "who guesses has no session yet; real processes play it"),
    ("located", "it is between hub and client only"),
    ("synced", "it is between hub and client only"),
    ("caught-up", "it is between hub and client only"),
    ("withheld", "it is between hub and client only"),
    ("sources-updated", "it is between hub and client only"),
    ("push-answered", "it is between hub and client only"),
    ("stored", "it is between hub and client only"),
    ("table-page", "it is between hub and client only"),
    ("roster-page", "it is between hub and client only"),
    ("introduced", "it is between hub and client only"),
    ("table-unfollowed", "it takes more offers than fit on a page"),
    ("gap", "a simulated reader is never slow"),
    ("transfer-stalled", "the simulated data plane gives up at once"),
];

/// How long a file is on its way: so that it can be seen, and is there before the next line is written.
const SENDING: Duration = Duration::from_millis(240);

/// The same where several people send one file: whoever fetches a small one asks the others only when it takes long.
const SENDING_LONG: Duration = Duration::from_secs(2);

/// Plays a scene and compares its page with the snapshot of that name.
fn play(name: &str, config: SimConfig, act: impl FnOnce(&mut Stage)) {
    let sending = if config.sending.is_zero() { SENDING } else { config.sending };
    let mut scene = Stage::new(SimConfig { sending, ..config });
    act(&mut scene);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, scene.page()));
}

fn snapshots() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots")
}

#[test]
fn each_json_line_has_its_number_and_its_time() {
    play("seq-and-time", SimConfig::default(), |scene| {
        scene.show_seq_and_time();
        scene.note("what a program reads, from its first line to its last; other pages leave `seq` and `time` out");
        let anna = scene.join("anna", Face::Json, ClientOptions::default());
        scene.says(anna, r#"{"id":1,"request":"setdir","dir":"none"}"#);
        scene.note("an hour later");
        scene.wait_ms(3_600_000);
        scene.says(anna, r#"{"id":2,"request":"rooms"}"#);
        scene.says(anna, r#"{"id":3,"request":"quit"}"#);
        let numbers: Vec<Option<u64>> = scene.told(anna).iter().map(|line| line.seq).collect();
        assert_eq!(
            numbers,
            (1..=numbers.len() as u64).map(Some).collect::<Vec<_>>(),
            "they count from 1 without a gap"
        );
        assert!(scene.told(anna).is_sorted_by_key(|line| line.time));
    });
}

#[test]
fn every_request_has_its_page() {
    let files = [files::PAGES, transfers::PAGES, pushes::PAGES, parcels::PAGES];
    let areas = [entry::PAGES, people::PAGES, private::PAGES, rooms::PAGES, &files.concat()];
    let mut played = areas.concat();
    played.sort_unstable();
    let mut words: Vec<&str> = Request::WORDS.iter().map(|word| word.name).collect();
    words.sort_unstable();
    assert_eq!(played, words, "write one page for each request");
    for word in words {
        let path = snapshots().join(format!("{word}.snap"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(page.contains(&format!(r#""request":"{word}""#)), "{word} is not asked as JSON");
        assert!(page.contains(&format!("> {word}")), "{word} is not asked by hand");
    }
}

#[test]
fn every_event_is_seen_in_a_scene() {
    let pages = std::fs::read_dir(snapshots()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()));
    // The glossary has every word, but nobody says them there.
    let scenes: Vec<String> = pages.map(Result::unwrap).filter(|page| page.contains("source: tests/")).collect();
    let seen = |word: &&str| scenes.iter().any(|page| page.contains(&format!(r#" | {{"event":"{word}""#)));
    let unseen: BTreeSet<&str> = Event::WORDS.iter().map(|word| word.name).filter(|word| !seen(word)).collect();
    let excepted: BTreeSet<&str> = NOT_PLAYED.iter().map(|(word, _)| *word).collect();
    assert_eq!(unseen, excepted, "events that no scene has");
}
