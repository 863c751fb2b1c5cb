//! The programs of `examples/`, against a real hub and a real client.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts potluck, writes its input, and reads its output up to the event with this name.
fn start(args: &[&str], input: &str, until: &str) -> (Running, Value) {
    let mut command = Command::new(cargo_bin!("potluck"));
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The end of the input; `--linger` keeps a client.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let event = lines.by_ref().map(|line| serde_json::from_str::<Value>(&line).unwrap()).find(|e| e["event"] == until);
    // What comes later is read too, so that nobody is kept from writing.
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), event.unwrap_or_else(|| panic!("no {until}")))
}

fn fetch_all(hub: &str, name: &str, folder: &Path) -> std::process::Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fetch_all.py");
    let mut command = Command::new("python3");
    command.arg(script).args([hub, name]).arg(folder.join("downloads"));
    command.env("POTLUCK", cargo_bin!("potluck")).env("POTLUCK_HOME", folder.join("home"));
    command.output().unwrap()
}

#[test]
fn fetch_all_fetches_all() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("there is no python3 here: nothing to test");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let table = folder.path().join("table");
    std::fs::create_dir(&table).unwrap();
    std::fs::write(table.join("notes.txt"), "hello\n").unwrap();
    std::fs::write(table.join("café au lait.bin"), [0, 255, 10, 13]).unwrap();

    let (_hub, listening) =
        start(&["serve", "--port", "0", "--ephemeral", "--log-format", "json"], "", "hub-listening");
    let link = listening["link"].as_str().unwrap();
    let nothing = fetch_all(link, "early", folder.path());
    assert_eq!((nothing.status.code(), nothing.stdout.as_slice()), (Some(0), b"".as_slice()));

    let (data, dir) = (path("data"), path("table"));
    let join = ["join", link, "--name", "erin", "--json", "--linger", "--data", &data, "--dir", &dir];
    let (_erin, _) = start(&join, "offer notes.txt 'café au lait.bin'\n", "offer-acked");
    let fetched = fetch_all(link, "late", folder.path());
    let said = String::from_utf8(fetched.stdout).unwrap();
    assert_eq!(fetched.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&fetched.stderr));
    assert_eq!(said.lines().count(), 2, "{said}");
    for file in ["notes.txt", "café au lait.bin"] {
        let arrived = folder.path().join("downloads").join(file);
        let line = format!("{}: {} bytes from erin, BLAKE3 ", arrived.display(), arrived.metadata().unwrap().len());
        assert!(said.contains(&line), "{said}");
        assert_eq!(std::fs::read(arrived).unwrap(), std::fs::read(table.join(file)).unwrap());
    }
    let unreachable = fetch_all("127.0.0.1:1", "nobody", folder.path());
    assert_eq!(unreachable.status.code(), Some(3), "{}", String::from_utf8_lossy(&unreachable.stderr));
}
