use super::super::escape::escape;
use super::*;

const HASH: &str = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";

fn hear(bars: &SharedBars, event: &str) -> bool {
    bars.lock().drawn();
    bars.lock().hear(&EventLine::parse(event).unwrap().unwrap());
    bars.lock().is_due()
}

fn started(transfer: u64, direction: &str, file: &str, size: u64) -> String {
    let file = serde_json::to_string(file).unwrap();
    format!(
        r#"{{"event":"transfer-started","transfer":{transfer},"direction":"{direction}","file":{file},"peer":"erin","size":{size},"hash":"{HASH}","resumed":0}}"#
    )
}

fn progress(transfer: u64, bytes: u64, size: u64, rate: u64, left: u64, millis: u32) -> String {
    format!(
        r#"{{"event":"transfer-progress","time":"2026-01-02T03:04:05.{millis:03}Z","transfer":{transfer},"bytes":{bytes},"size":{size},"rate":{rate},"left":{left}}}"#
    )
}

fn ended(transfer: u64) -> String {
    format!(
        r#"{{"event":"transfer-completed","transfer":{transfer},"direction":"down","file":"x","peer":"erin","size":1,"hash":"{HASH}","elapsed":0}}"#
    )
}

fn picture(bars: &SharedBars, columns: usize) -> String {
    let lines = bars.lock().lines(TerminalSize { columns, rows: 24 });
    lines.iter().map(|line| format!("{}|\n", line.text)).collect()
}

fn busy(glyphs: Glyphs) -> SharedBars {
    let bars = SharedBars::new(Style::Plain, glyphs);
    hear(&bars, r#"{"event":"offer-progress","id":7,"files":1,"total_files":12,"bytes":700000000,"size":1200000000}"#);
    hear(&bars, &started(1, "down", "song.ogg", 3_565_158));
    hear(&bars, &started(2, "up", "the-lecture-of-last-thursday-part-2.mp4", 1 << 30));
    hear(&bars, &started(3, "down", "日本語のとても長い名前のファイルです.tar.gz", 5 << 40));
    for transfer in 4..8 {
        hear(&bars, &started(transfer, "down", "small.txt", 12));
    }
    hear(&bars, r#"{"event":"transfer-queued","transfer":8,"file":"later.txt","position":1}"#);
    hear(&bars, &progress(2, 500 << 20, 1 << 30, 20_480_000, 27_001, 0));
    hear(&bars, &progress(3, 5 << 39, 5 << 40, 999_900_000, 12_000_000, 0));
    bars
}

#[test]
fn pictures_for_every_width() {
    let mut album = String::new();
    for (glyphs, columns) in
        [(Glyphs::Unicode, 120), (Glyphs::Unicode, 80), (Glyphs::Ascii, 60), (Glyphs::Unicode, 40), (Glyphs::Ascii, 24)]
    {
        album += &format!("{columns} columns:\n{}\n", picture(&busy(glyphs), columns));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("bars", album));
}

#[test]
fn no_line_reaches_the_last_column() {
    for glyphs in [Glyphs::Ascii, Glyphs::Unicode] {
        let bars = busy(glyphs);
        for terminal in 0..=200 {
            let lines = bars.lock().lines(TerminalSize { columns: terminal, rows: 24 });
            assert!(terminal < 20 || lines.iter().any(|line| line.text.contains("#4")), "for `cancel`: {lines:?}");
            for line in lines {
                assert!(columns(&line.text) <= line.columns && line.columns < terminal, "{terminal}: {line:?}");
                assert!(glyphs == Glyphs::Unicode || line.text.contains('語') || !line.text.contains('…'));
            }
        }
    }
    // Also nobody who has no columns at all gets any.
    assert_eq!(picture(&busy(Glyphs::Ascii), 0), "");
}

#[test]
fn a_low_terminal_keeps_room_for_the_prompt() {
    let bars = busy(Glyphs::Ascii);
    for rows in 0..=30 {
        let lines = bars.lock().lines(TerminalSize { columns: 80, rows });
        assert!(lines.len() <= rows.saturating_sub(2), "{rows}: {lines:?}");
        assert!(rows < 4 || lines.iter().any(|line| line.text.starts_with("and ")), "{rows}: {lines:?}");
    }
}

#[test]
fn bars_come_and_go_with_their_transfers() {
    let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
    assert!(!hear(&bars, &progress(1, 5, 10, 1, 1, 0)), "a transfer that nobody has started");
    assert!(hear(&bars, r#"{"event":"transfer-queued","transfer":1,"file":"a","position":1}"#));
    assert_eq!(picture(&bars, 80), "1 in the queue|\n");
    assert!(hear(&bars, &started(1, "down", "a", 10)));
    let shown = picture(&bars, 80);
    assert!(shown.starts_with("v #1 a ") && shown.lines().count() == 1, "{shown}");
}

#[test]
fn numbers_alone_are_drawn_ten_times_a_second() {
    let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
    hear(&bars, &started(1, "down", "a", 100));
    assert!(hear(&bars, &progress(1, 10, 100, 1, 1, 500)));
    assert!(!hear(&bars, &progress(1, 20, 100, 1, 1, 550)));
    assert!(hear(&bars, &progress(1, 30, 100, 1, 1, 600)));
    // The calendar was set back.
    assert!(hear(&bars, &progress(1, 40, 100, 1, 1, 1)));
    assert!(hear(&bars, &ended(1)));
    assert_eq!(picture(&bars, 80), "");
}

#[test]
fn what_is_stalled_shows_no_rate() {
    let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
    hear(&bars, &started(1, "down", "a", 100));
    hear(&bars, &progress(1, 10, 100, 5_000_000, 18_000, 0));
    assert!(picture(&bars, 80).contains("5.0 MB/s"), "{}", picture(&bars, 80));
    assert!(hear(
        &bars,
        r#"{"event":"transfer-stalled","time":"2026-01-02T03:04:09.000Z","transfer":1,"file":"a","bytes":10,"size":100,"left":28000}"#
    ));
    assert!(!picture(&bars, 80).contains("/s") && picture(&bars, 80).contains("10 %"), "{}", picture(&bars, 80));
}

#[test]
fn everything_ends_somehow() {
    let failed = format!(
        r#"{{"event":"transfer-failed","transfer":1,"direction":"down","file":"x","peer":"erin","bytes":0,"size":1,"code":"{}","message":"m","retry":"later"}}"#,
        "peer-broke"
    );
    let gap = r#"{"event":"gap","from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:04:05.678Z","dropped":3}"#;
    let ends = [
        &ended(1),
        &failed,
        r#"{"event":"cancelled","transfer":1}"#,
        gap,
        r#"{"event":"bye","reason":"quit","code":0}"#,
    ];
    for end in ends {
        for begin in
            [&started(1, "down", "a", 10), r#"{"event":"transfer-queued","transfer":1,"file":"a","position":1}"#]
        {
            let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
            hear(&bars, begin);
            assert_ne!(picture(&bars, 80), "");
            assert!(hear(&bars, end), "{end}");
            assert_eq!(picture(&bars, 80), "", "{end}");
        }
    }
    let hashing = r#"{"event":"offer-progress","id":7,"files":1,"total_files":2,"bytes":5,"size":10}"#;
    let error = r#"{"event":"error","id":7,"final":true,"code":"no-such-file","message":"m","retry":"never"}"#;
    for end in [error, &hashing.replace(r#""bytes":5"#, r#""bytes":10"#)] {
        let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
        hear(&bars, hashing);
        hear(&bars, r#"{"event":"waited","id":8,"final":true}"#);
        assert_ne!(picture(&bars, 80), "");
        assert!(EventLine::parse(end).unwrap().is_some() && hear(&bars, end), "{end}");
        assert_eq!(picture(&bars, 80), "", "{end}");
    }
}

#[test]
fn names_are_escaped() {
    let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
    let hostile = "a\u{1b}[31mb\u{202e}c\u{7}d\ne";
    hear(&bars, &started(1, "down", hostile, 10));
    let shown = picture(&bars, 200);
    assert!(!shown.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
    assert!(escape(hostile).starts_with(shown.split_whitespace().nth(2).unwrap().split("...").next().unwrap()));
}

#[test]
fn the_bar_of_hashing_ends_when_a_parcel_has_its_code() {
    let bars = SharedBars::new(Style::Plain, Glyphs::Ascii);
    hear(&bars, r#"{"event":"offer-progress","id":7,"files":0,"total_files":1,"bytes":85,"size":100}"#);
    assert!(picture(&bars, 80).contains("hashing"));
    let ready = r#"{"event":"parcel-ready","id":7,"transfer":1,"code":"8-crossover-clockwork","hub":"h:1","kind":"files","name":"a","files":1,"size":100,"times":1}"#;
    assert!(hear(&bars, ready), "drawn at once");
    assert_eq!(picture(&bars, 80), "");
}
