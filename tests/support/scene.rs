//! A hub and its clients in a temporary folder: `hub` is the hub's data folder; `NAME/shared`, `NAME/downloads` and
//! `NAME/data` are those of a client.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use potluck::protocol::schema::Stream;
use rustix::process::Signal;
use tempfile::TempDir;

use super::environment::potluck;
use super::reader::EVENTS;
use super::{Ended, Face, Place, Process};

#[derive(Clone)]
pub struct Scene {
    dir: Arc<TempDir>,
}

impl Default for Scene {
    fn default() -> Self {
        Self { dir: Arc::new(tempfile::tempdir().unwrap()) }
    }
}

/// Something that has the address of a hub.
pub trait At {
    fn address(&self) -> String;
}

impl At for Hub {
    fn address(&self) -> String {
        self.address.clone()
    }
}

impl At for str {
    fn address(&self) -> String {
        self.to_owned()
    }
}

impl At for String {
    fn address(&self) -> String {
        self.clone()
    }
}

/// A port on this machine.
impl At for u16 {
    fn address(&self) -> String {
        format!("127.0.0.1:{self}")
    }
}

impl Scene {
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path below the scene's folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir().join(below)
    }

    /// Writes a file below the scene's folder, and creates the folders that it needs.
    pub fn file(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The folders of a client.
    pub fn place(&self, name: &str) -> Place {
        Place::new(&self.dir, name)
    }

    /// The program with these arguments; its home is the scene's folder.
    pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Command {
        let mut command = potluck(self.dir());
        command.args(args);
        command
    }

    /// Runs the program to its end with this input.
    pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I, input: impl AsRef<[u8]>) -> Ended {
        self.run_as(Face::Text, args, input)
    }

    /// Runs the program to its end, and checks the lines that it writes.
    pub fn run_as<I: IntoIterator<Item: AsRef<OsStr>>>(&self, face: Face, args: I, input: impl AsRef<[u8]>) -> Ended {
        let mut process = Process::start("potluck", self.command(args), face);
        process.write(input);
        process.finish()
    }

    /// Starts a hub on a free port, and waits until clients can join.
    pub fn hub(&self) -> Hub {
        self.hub_with(&[])
    }

    pub fn hub_with(&self, args: &[&str]) -> Hub {
        Hub::start(self.serve(args))
    }

    /// The command of a hub; on a free port, unless they say which.
    pub fn serve(&self, args: &[&str]) -> Command {
        let mut command = self.command(["serve", "--log-format", "json", "--data", "hub"]);
        command.args(args);
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        command
    }

    /// Ends a hub with a signal, and starts it again with the same folder and port.
    pub fn again(&self, mut hub: Hub, signal: Signal, args: &[&str]) -> Hub {
        hub.process.signal(signal);
        hub.process.exit();
        let port = hub.port.to_string();
        drop(hub);
        self.hub_with(&[&["--port", &port], args].concat())
    }

    /// Starts a client, and waits until it is registered.
    pub fn client(&self, hub: &(impl At + ?Sized), name: &str) -> Process {
        self.client_with(hub, name, &[])
    }

    pub fn client_with(&self, hub: &(impl At + ?Sized), name: &str, args: &[&str]) -> Process {
        welcomed(self.start(hub, name, args))
    }

    /// Starts a client that may be refused.
    pub fn start(&self, hub: &(impl At + ?Sized), name: &str, args: &[&str]) -> Process {
        self.place(name).start(self.join(&hub.address(), name, args), name)
    }

    /// The command of a client.
    pub fn join(&self, hub: &str, name: &str, args: &[&str]) -> Command {
        self.join_from(&self.place(name), hub, name, args)
    }

    /// The command of a client with the folders of another one.
    pub fn join_from(&self, place: &Place, hub: &str, name: &str, args: &[&str]) -> Command {
        let mut command = self.command(["join", hub, "--name", name, "--json"]);
        place.give_to(&mut command);
        command.args(args);
        command
    }

    /// Gives a client its own folders.
    pub fn own_folders(&self, command: &mut Command, name: &str) {
        self.place(name).give_to(command);
    }

    /// Runs `potluck exec` in a client's folder.
    pub fn exec(&self, hub: &(impl At + ?Sized), name: &str, request: &[&str]) -> Process {
        let place = self.place(name);
        let mut command = potluck(place.path());
        command.args(["exec", &hub.address(), "--name", name, "--json", "--all-events"]);
        command.args(["--data", "data", "--downloads", "downloads", "--"]).args(request);
        let mut process = place.start(command, name);
        process.end_input();
        process
    }
}

/// Waits until a client is registered.
pub fn welcomed(mut client: Process) -> Process {
    client.then("ready");
    client.then("welcome");
    client
}

impl Place {
    fn give_to(&self, command: &mut Command) {
        command.arg("--data").arg(self.data()).arg("--dir").arg(self.shared(""));
        command.arg("--downloads").arg(self.downloads());
    }

    /// Starts a client in these folders.
    pub fn start(&self, command: Command, name: &str) -> Process {
        let mut process = Process::start(name, command, EVENTS);
        process.place = self.clone();
        process
    }
}

/// A hub that accepts connections.
pub struct Hub {
    pub address: String,
    pub port: u16,
    pub link: String,
    pub key: String,
    pub process: Process,
}

impl Hub {
    /// Starts a hub, and waits until clients can join.
    pub fn start(command: Command) -> Self {
        let mut process = Process::start("the hub", command, Face::Json(Stream::Log));
        let listening = process.then("hub-listening");
        let text = |field: &str| listening[field].as_str().unwrap().to_owned();
        let port = u16::try_from(listening["port"].as_u64().unwrap()).unwrap();
        Self { address: format!("{}:{port}", text("address")), port, link: text("link"), key: text("key"), process }
    }
}
