//! `potluck forget`: accept another key the next time.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::fail;
use super::recording::{complain, finish};
use crate::io::state::home::Home;
use crate::protocol::{Failure, JoinLink};

/// Forget a key that was pinned, so that another one is accepted the next time.
#[derive(Debug, Args)]
pub struct Forget {
    /// A hub as HOST:PORT or by its link, or a person at a hub as NAME@HOST:PORT.
    #[arg(value_name = "HUB|NAME@HUB")]
    what: String,
    /// The folder with this client's key and the keys that it knows.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Forget {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        // `HOST` means `HOST:7755`, as elsewhere. A hub's key is taken as it is.
        let whats = match self.what.parse::<JoinLink>() {
            Ok(link) if !is_key(&self.what) => {
                let name = link.name.as_ref().map(|name| format!("{}@", crate::protocol::name::NameKey::of(name)));
                let name = name.unwrap_or_default();
                link.hosts().iter().map(|host| format!("{name}{host}")).collect()
            }
            _ => vec![self.what.clone()],
        };
        match Home::open(self.data.as_deref()).and_then(|home| forget(&home, whats.clone())) {
            Ok(forgotten) if forgotten.is_empty() => {
                complain(&format!("no key is known for {}", crate::ui::escape::escape(&whats.join(", "))));
                ExitCode::FAILURE
            }
            Ok(forgotten) => {
                finish(write_line(&format!("Forgotten: {}", crate::ui::escape::escape(&forgotten.join(", ")))))
            }
            Err(failure) => fail(&failure),
        }
    }
}

/// Forgets the keys of these hubs or people, and returns those of which one was known.
fn forget(home: &Home, whats: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut forgotten = Vec::new();
    for what in whats {
        if home.pins().forget(&what)? {
            forgotten.push(what);
        }
    }
    Ok(forgotten)
}

fn is_key(what: &str) -> bool {
    what.rsplit('@').next().is_some_and(|key| key.parse::<crate::protocol::PublicKey>().is_ok())
}

fn write_line(text: &str) -> std::io::Result<ExitCode> {
    use std::io::Write;
    writeln!(crate::io::drive::stdout::StandardOutput, "{text}").map(|()| ExitCode::SUCCESS)
}
