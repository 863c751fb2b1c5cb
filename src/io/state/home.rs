//! A client's data folder: its keys, the keys that it has pinned, and the history of the line editor.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::joined::JoinedHubs;
use super::pins::Pins;
use super::redeemed::RedeemedFile;
use super::sent_codes::SentCodes;
use super::tickets::Tickets;
use crate::io::fs::own_file::{file_of, mark_private};
use crate::io::net::identity::Identity;
use crate::protocol::cause;
use crate::protocol::name::check_person;
use crate::protocol::{ErrorCode, Failure};

/// The environment variable that names the folder if `--data` does not.
pub const HOME_VARIABLE: &str = "POTLUCK_HOME";

/// An open data folder.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
    /// Whether `--data` named it, so that suggested commands must name it too.
    named: bool,
}

/// `--data DIR`, quoted for a shell.
pub fn data_option(dir: &Path) -> String {
    let dir = dir.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "_-./+,:=@%".contains(c);
    match dir.chars().all(plain) && !dir.is_empty() {
        true => format!("--data {dir}"),
        false => format!("--data '{}'", dir.replace('\'', r"'\''")),
    }
}

impl Home {
    /// Opens `dir`, or else the folder that `POTLUCK_HOME` names, or else `potluck` in the platform's data folder. It
    /// is created, readable for its owner only, if it does not exist.
    ///
    /// # Errors
    /// `bad-config` if the folder cannot be created, or there is no home folder for it.
    pub fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        let named = dir.is_some();
        let dir = dir.map_or_else(Self::default_dir, |dir| Ok(dir.to_owned()))?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|e| {
            if e.kind() == ErrorKind::AlreadyExists {
                return bad(format!("The data folder {} is not a folder.", dir.display()));
            }
            bad(format!("The data folder {} cannot be made: {}.", dir.display(), cause::of_io(&e)))
        })
        .map_err(|failure| failure.hint("Name another folder with --data, or in POTLUCK_HOME."))?;
        mark_private(&dir);
        Ok(Self { dir, named })
    }

    /// The folder that is opened if none is named. It may not exist yet.
    ///
    /// # Errors
    /// `bad-config` if there is no home folder for it.
    pub fn default_dir() -> Result<PathBuf, Failure> {
        if let Some(dir) = std::env::var_os(HOME_VARIABLE).filter(|dir| !dir.is_empty()) {
            return Ok(dir.into());
        }
        let base = etcetera::choose_base_strategy();
        base.map(|base| base.data_dir().join("potluck")).map_err(|_| {
            bad("There is no place for the data folder: no home folder is known.".to_owned())
                .hint("Name one with --data, or in POTLUCK_HOME.")
        })
    }

    /// The key pair for a name, created at first use. Each name has its own, so that several clients of one person can
    /// be told apart, and a key can be deleted with its name.
    ///
    /// # Errors
    /// `bad-name` if the name is invalid; `bad-config` if the key's file is unreadable, damaged, or open to others.
    pub fn identity(&self, name: &str) -> Result<Identity, Failure> {
        // A valid name has no character with a meaning in paths.
        check_person(name)?;
        load(&file_of(&self.dir.join("keys"), name, ".key"))
    }

    /// The key pair of whoever sends by a short code at a hub where they have no name, created at first use.
    ///
    /// # Errors
    /// `bad-config` if the key's file is unreadable, damaged, or open to others.
    pub fn sender_identity(&self) -> Result<Identity, Failure> {
        load(&self.dir.join("sender.key"))
    }

    /// The key pair of whoever receives by a short code; another one, since people try both on one machine.
    ///
    /// # Errors
    /// As for [`sender_identity`](Self::sender_identity).
    pub fn receiver_identity(&self) -> Result<Identity, Failure> {
        load(&self.dir.join("receiver.key"))
    }

    /// The pinned keys of hubs and peers.
    pub fn pins(&self) -> Pins {
        Pins::at(&self.dir)
    }

    /// What was got for the short code that was used last.
    pub fn redeemed(&self) -> RedeemedFile {
        RedeemedFile::at(&self.dir)
    }

    /// The hubs that were joined.
    pub fn joined(&self) -> JoinedHubs {
        JoinedHubs::at(&self.dir)
    }

    /// What is kept of the codes by which something is being received.
    pub fn tickets(&self) -> Tickets {
        Tickets::at(&self.dir)
    }

    /// What is kept of the codes by which something is being sent.
    pub fn sent_codes(&self) -> SentCodes {
        SentCodes::at(&self.dir)
    }

    /// The file for the history of the line editor.
    pub fn history(&self) -> PathBuf {
        self.dir.join("history")
    }

    /// A command line that uses this folder: with `--data` if the folder was named.
    pub fn command(&self, words: &str) -> String {
        if self.named { format!("{words} {}", data_option(&self.dir)) } else { words.to_owned() }
    }

    /// The path of the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn load(file: &Path) -> Result<Identity, Failure> {
    Identity::load_or_create(file)
        .map_err(|e| bad(format!("The key {} cannot be used: {}.", file.display(), cause::of_io(&e))))
}

fn bad(message: String) -> Failure {
    Failure::new(ErrorCode::BadConfig, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_made_for_its_owner_and_keeps_the_key() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("deep/home");
        let home = Home::open(Some(&dir)).unwrap();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let key = home.identity("erin").unwrap().key;
        assert_eq!(Home::open(Some(&dir)).unwrap().identity("erin").unwrap().key, key);
        assert!(home.history().starts_with(&dir));
    }

    #[test]
    fn a_key_that_was_kept_under_another_fold_of_its_name_is_found() {
        let base = tempfile::tempdir().unwrap();
        let home = Home::open(Some(base.path())).unwrap();
        let key = home.identity("STRAẞE").unwrap().key;
        std::fs::rename(base.path().join("keys/strasse.key"), base.path().join("keys/straße.key")).unwrap();
        assert_eq!(home.identity("STRAẞE").unwrap().key, key);
        assert_ne!(home.identity("Straẞen").unwrap().key, key);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let refused = Home::open(Some(&file.join("home"))).unwrap_err();
        assert!(refused.code == ErrorCode::BadConfig && refused.message.contains("file/home"), "{refused}");
        let home = Home::open(Some(base.path())).unwrap();
        std::fs::create_dir(base.path().join("keys")).unwrap();
        std::fs::write(base.path().join("keys/erin.key"), b"short").unwrap();
        assert!(home.identity("erin").err().unwrap().message.contains("erin.key"));
    }
}
