//! A hub and its clients in a folder that goes away.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use potluck::protocol::schema::Stream;

use super::process::{Ended, Face, Running, potluck};

/// A hub's and its clients' folders, in one place that goes away.
pub struct Scene {
    pub dir: tempfile::TempDir,
}

impl Default for Scene {
    fn default() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }
}

impl Scene {
    /// A path in it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// A file in it, with the folders that it needs.
    pub fn file(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, at home here.
    pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Command {
        let mut command = potluck(self.dir.path());
        command.args(args);
        command
    }

    /// Runs the program to its end with this input.
    pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I, input: impl AsRef<[u8]>) -> Ended {
        self.run_as(Face::Text, args, input)
    }

    /// The same, checking the lines that it writes.
    pub fn run_as<I: IntoIterator<Item: AsRef<OsStr>>>(&self, face: Face, args: I, input: impl AsRef<[u8]>) -> Ended {
        let mut running = Running::start("potluck", self.command(args), face);
        running.write(input);
        running.finish()
    }

    /// A hub on a free port, ready to be joined.
    pub fn hub(&self) -> Hub {
        self.hub_with(&[])
    }

    pub fn hub_with(&self, args: &[&str]) -> Hub {
        let mut command = self.command(["serve", "--log-format", "json", "--data", "hub"]);
        command.args(args);
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        let mut running = Running::start("the hub", command, Face::Json(Stream::Log));
        let listening = running.expect("hub-listening");
        let text = |field: &str| listening[field].as_str().unwrap().to_owned();
        let port = u16::try_from(listening["port"].as_u64().unwrap()).unwrap();
        Hub { address: format!("{}:{port}", text("address")), port, link: text("link"), key: text("key"), running }
    }

    /// A client with `NAME/shared` to offer from and `NAME/downloads`, once it is welcome.
    pub fn client(&self, hub: &Hub, name: &str) -> Running {
        self.client_with(hub, name, &[])
    }

    pub fn client_with(&self, hub: &Hub, name: &str, args: &[&str]) -> Running {
        let mut client = Running::start(name, self.join(&hub.address, name, args), Face::Json(Stream::Events));
        client.expect("ready");
        client.expect("welcome");
        client
    }

    /// The command of such a client.
    pub fn join(&self, hub: &str, name: &str, args: &[&str]) -> Command {
        let mut command = self.command(["join", hub, "--name", name, "--json"]);
        self.own_folders(&mut command, name);
        command.args(args);
        command
    }

    /// Gives a client its own folders.
    pub fn own_folders(&self, command: &mut Command, name: &str) {
        std::fs::create_dir_all(self.path(&format!("{name}/shared"))).unwrap();
        command.arg("--data").arg(self.path(&format!("{name}/data")));
        command.arg("--dir").arg(self.path(&format!("{name}/shared")));
        command.arg("--downloads").arg(self.path(&format!("{name}/downloads")));
    }
}

/// A hub that listens.
pub struct Hub {
    pub address: String,
    pub port: u16,
    pub link: String,
    pub key: String,
    pub running: Running,
}
