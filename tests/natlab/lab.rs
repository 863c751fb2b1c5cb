//! A laboratory for a test: the test starts itself again within it.
//!
//! Outside, [`in_lab`] starts `natlab.sh`, which runs this test binary for the one test, and waits for it. Inside, it
//! plays the test. So processes that the test starts are in the laboratory's namespaces, and end with it.

use std::any::type_name_of_val;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;

use crate::support::environment::started_by;
use crate::support::scene::{At, welcomed};
use crate::support::{Hub, Process, Scene};

/// Set within a laboratory: its options.
const INSIDE: &str = "POTLUCK_NATLAB_INSIDE";

/// The hub's host.
pub const HUB: &str = "11.0.0.1";
pub const HUB_V6: &str = "2600::1";

/// A laboratory, seen from inside.
pub struct Lab {
    pub scene: Scene,
}

/// Plays a test in a laboratory that `natlab.sh` sets up with these options.
pub fn in_lab(test: impl Fn(), options: &str, play: impl Fn(&Lab)) {
    match std::env::var(INSIDE) {
        Ok(inside) if inside == options => play(&Lab { scene: Scene::default() }),
        Ok(_) => {}
        Err(_) if is_left_out() => {}
        Err(_) => enter(&test, options),
    }
}

/// Whether every combination is played.
pub fn is_thorough() -> bool {
    wish().as_deref() == Some("all")
}

fn wish() -> Option<String> {
    std::env::var("POTLUCK_NATLAB").ok()
}

/// Whether there can be no laboratory, which is told once. It is a failure if one is required.
fn is_left_out() -> bool {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    let why = WHY.get_or_init(|| {
        let tried = script().args(["--", "true"]).stdin(Stdio::null()).output();
        let why = match tried {
            Ok(tried) if tried.status.success() => return None,
            Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim_end().replace('\n', "; "),
            Err(e) => format!("bash: {e}"),
        };
        if wish().is_none() {
            // Past what the test runner catches, so that it is seen when everything passes.
            let line = format!("natlab: left out, nothing is tested behind routers here ({why})\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        Some(why)
    });
    if let (Some(why), Some(wish)) = (why, wish()) {
        panic!("POTLUCK_NATLAB={wish} needs a laboratory, and none can be set up here: {why}");
    }
    why.is_some()
}

/// What the lines of [`measured`] begin with.
const MEASURED: &str = "measured: ";

/// Tells what was measured, which nothing is asserted of: `cargo test --test natlab -- --nocapture` shows it.
pub fn measured(what: &str) {
    println!("{MEASURED}{what}");
}

/// The path of a file beside this one.
pub fn beside(file: &str) -> String {
    format!("{}/tests/natlab/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn script() -> Command {
    let mut command = Command::new("bash");
    command.arg(beside("natlab.sh"));
    command
}

/// Plays one test of this binary within a laboratory.
fn enter<T>(test: &T, options: &str) {
    let path = type_name_of_val(test);
    let name = path.split_once("::").map_or(path, |(_, below)| below);
    let mut command = script();
    command.args(options.split_whitespace()).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads", "1"]).env(INSIDE, options).stdin(Stdio::null());
    let played = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success(), "in a laboratory with {options}:\n{out}\n{err}");
    out.lines().filter(|line| line.contains(MEASURED)).for_each(|line| println!("{line}"));
    assert!(out.contains("1 passed"), "{name} was not played in a laboratory:\n{out}\n{err}");
}

impl Lab {
    /// A command that starts another one inside a host.
    pub fn inside(&self, host: &str, command: &Command) -> Command {
        started_by("nsenter", &[&format!("--net=/run/netns/{host}")], command)
    }

    /// Runs a program outside all hosts, and returns what it wrote to standard output. It must succeed.
    pub fn outside(&self, program: &str, args: &[&str]) -> String {
        succeed(Command::new(program).args(args))
    }

    /// Changes the laboratory: `move`, `outer`, `cut`, `part` or `mend`.
    pub fn change(&self, words: &[&str]) {
        succeed(script().args(words));
    }

    /// Starts a hub on the open side, with a free port.
    pub fn hub(&self, args: &[&str]) -> Hub {
        self.hub_at(HUB, args)
    }

    /// Starts a hub with IPv4 and IPv6; its `address` is the one of IPv4.
    pub fn hub_of_both(&self, args: &[&str]) -> Hub {
        let hub = self.hub_at("::", args);
        Hub { address: format!("{HUB}:{}", hub.port), ..hub }
    }

    fn hub_at(&self, address: &str, args: &[&str]) -> Hub {
        let args = [&["--listen", address, "--access", "open", "--relay", "on"], args].concat();
        Hub::start(self.inside("hub", &self.scene.serve(&args)))
    }

    /// Ends a hub with a signal, and starts it again with the same folder and port.
    pub fn again(&self, mut hub: Hub, signal: Signal, args: &[&str]) -> Hub {
        hub.process.signal(signal);
        hub.process.exit();
        let port = hub.port.to_string();
        drop(hub);
        self.hub(&[&["--port", &port], args].concat())
    }

    /// Starts a client inside a host, and waits until it is registered.
    pub fn client(&self, host: &str, hub: &(impl At + ?Sized), name: &str, args: &[&str]) -> Process {
        let command = self.inside(host, &self.scene.join(&hub.address(), name, args));
        welcomed(self.scene.place(name).start(command, name))
    }
}

fn succeed(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {out}{err}");
    out.into_owned()
}
