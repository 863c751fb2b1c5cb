//! `potluck user`: manages the accounts of a hub, whether the hub runs or not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::first_line::first_line;
use super::hub_folder::HubFolder;
use super::recording::{Recording, print};
use crate::io::os::clock::Clock;
use crate::io::store::passwords::hash;
use crate::io::store::{Conflicts, NewAccount, Users};
use crate::protocol::cause;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::record::NameRecord;
use crate::protocol::types::Password;
use crate::protocol::{ErrorCode, Failure, PublicKey, Timestamp, to_json};
use crate::ui::escape::escape;
use crate::ui::style::Style;
use crate::ui::table;

/// Manage the accounts of a hub: names that are proved with a password.
///
/// The hub may be running: it hears of what is changed within a second. A password is asked for at a terminal,
/// or is the first line of --password-file or of standard input; it is never an argument, which others could see.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 1 a failure, 2 usage.")]
pub struct User {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    folder: HubFolder,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a name an account.
    Add {
        /// The name.
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        /// Make it an account even if the name belongs to a key, and forget the key.
        #[arg(long)]
        take: bool,
    },
    /// Show all names that are taken.
    ///
    /// With --json one object a line: `name`, `since` (UTC, RFC 3339), `keys` (the keys that may use the name, in
    /// base32), `account` (whether it has a password), `unread` (how many messages wait for it).
    List {
        /// Write JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Forget a name with its password and its keys; what was said stays with those it was said to.
    ///
    /// Its sessions at a running hub end within a second or two. The name is free then. Whoever takes it next does not see what was said to or by the one before.
    Remove {
        /// The name.
        name: String,
    },
    /// Give an account another password.
    ///
    /// The keys that have logged in before are forgotten, and running sessions end: all must log in again.
    Passwd {
        /// The name.
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Make accounts of a list: all of them, or none if there is a mistake in it.
    ///
    /// Each line is a name, a space, and the password, which may have spaces. Empty lines and lines that start
    /// with `#` are skipped.
    Import {
        /// The list; `-` is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Give accounts that are there the new password, and forget the keys that have logged in.
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Debug, Args)]
struct PasswordSource {
    /// Take the password from the first line of this file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A name as `list --json` shows it.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    since: Timestamp,
    keys: &'a [PublicKey],
    account: bool,
    unread: u64,
}

impl User {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        print(self.text().map_err(|failure| self.folder.leads_here(failure)))
    }

    /// Does what was asked; returns the text to print.
    fn text(&self) -> Result<String, Failure> {
        match &self.what {
            What::Add { name, password, take } => {
                check_person(name)?;
                let conflicts = Conflicts { take: *take, replace: false };
                let there = self.folder.find(Users::find)?;
                // The name is checked first, so that nobody thinks of a password in vain.
                there.as_ref().map_or(Ok(()), |users| users.check(name, conflicts))?;
                let hash = hash(&password.read(name)?)?;
                let mut users = there.map_or_else(|| self.folder.made(Users::open), Ok)?;
                let account = NewAccount { name: name.clone(), hash, since: Clock::start().epoch().0 };
                users.add(&[account], conflicts).map_err(|(_, failure)| failure)?;
                Ok(format!("Added: {}\n", escape(name)))
            }
            What::List { json } => {
                let names = self.users()?.list()?;
                Ok(if *json { names.iter().map(json_line).collect() } else { table(&names) })
            }
            What::Remove { name } => Ok(format!("Removed: {}\n", escape(&self.users()?.remove(name)?))),
            What::Passwd { name, password } => {
                let mut users = self.users()?;
                let account = users.account(name)?;
                let hash = hash(&password.read(&account.name)?)?;
                users.change_password(name, &hash)?;
                Ok(format!("Changed: {}\n", escape(&account.name)))
            }
            What::Import { file, replace } => {
                let added = self.import(file, Conflicts { replace: *replace, take: false })?;
                Ok(format!("Accounts imported: {added}\n"))
            }
        }
    }

    fn users(&self) -> Result<Users, Failure> {
        self.folder.existing(Users::find)
    }

    /// Every line is checked before any password is hashed, and all are hashed before any is stored.
    fn import(&self, file: &Path, conflicts: Conflicts) -> Result<usize, Failure> {
        let lines = read_list(file)?;
        let there = self.folder.find(Users::find)?;
        for (number, name, _) in &lines {
            let checked = there.as_ref().map_or(Ok(()), |users| users.check(name, conflicts));
            checked.map_err(|failure| in_line(*number, failure))?;
        }
        let since = Clock::start().epoch().0;
        let hashed =
            lines.iter().map(|(_, name, password)| Ok(NewAccount { name: name.clone(), hash: hash(password)?, since }));
        let accounts = hashed.collect::<Result<Vec<_>, Failure>>()?;
        let mut users = there.map_or_else(|| self.folder.made(Users::open), Ok)?;
        users.add(&accounts, conflicts).map_err(|(at, failure)| match at.and_then(|at| lines.get(at)) {
            Some((number, ..)) => in_line(*number, failure),
            None => failure,
        })?;
        Ok(accounts.len())
    }
}

/// The accounts of a list, each with its line number.
fn read_list(file: &Path) -> Result<Vec<(u64, String, Password)>, Failure> {
    let unreadable = |e: io::Error| unreadable(file, &e);
    let mut recording = Recording::open(file).map_err(unreadable)?;
    let (mut accounts, mut seen) = (Vec::new(), BTreeMap::new());
    while let Some(line) = recording.next_line().map_err(unreadable)? {
        let number = recording.number;
        let line = String::from_utf8(line).map_err(|_| in_line(number, bad("the line is not valid UTF-8.")))?;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, password) =
            line.split_once(' ').ok_or_else(|| in_line(number, bad("there is no password behind the name.")))?;
        let password = Password(password.to_owned());
        check_person(name).and_then(|()| password.check()).map_err(|failure| in_line(number, failure))?;
        if let Some(before) = seen.insert(NameKey::of(name), number) {
            let message = format!("{name} is in line {before} already.");
            return Err(in_line(
                number,
                Failure::new(ErrorCode::NameTaken, message).hint("Keep one of the two lines."),
            ));
        }
        accounts.push((number, name.to_owned(), password));
    }
    Ok(accounts)
}

fn in_line(number: u64, failure: Failure) -> Failure {
    Failure { message: format!("line {number}: {}", failure.message).into(), ..failure }
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(ErrorCode::BadConfig, message)
}

fn unreadable(file: &Path, e: &io::Error) -> Failure {
    bad(format!("{} cannot be read: {}.", file.display(), cause::of_io(e)))
}

impl PasswordSource {
    fn read(&self, name: &str) -> Result<Password, Failure> {
        let password = match self.password_file.as_deref() {
            None if io::stdin().is_terminal() => prompt(name)?,
            None => first_password(io::stdin().lock(), "standard input")?,
            Some(file) if file.as_os_str() == OsStr::new("-") => first_password(io::stdin().lock(), "standard input")?,
            Some(file) => {
                let open = File::open(file).map_err(|e| unreadable(file, &e))?;
                if open.metadata().is_ok_and(|found| found.is_dir()) {
                    return Err(unreadable(file, &io::ErrorKind::IsADirectory.into()));
                }
                first_password(BufReader::new(open), &escape(&file.to_string_lossy()))?
            }
        };
        password.check()?;
        Ok(password)
    }
}

/// Asks for a password twice, because what cannot be seen is easily mistyped.
fn prompt(name: &str) -> Result<Password, Failure> {
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map_err(|e| bad(format!("No password can be asked for: {}.", cause::of_io(&e))))
    };
    let password = ask(format!("Password for {}: ", escape(name)))?;
    Password(password.clone()).check()?;
    if ask("The same again: ".to_owned())? != password {
        return Err(bad("The two passwords are not the same."));
    }
    Ok(Password(password))
}

/// The password in the first line.
fn first_password(input: impl BufRead, source: &str) -> Result<Password, Failure> {
    let line = first_line(input).map_err(|e| bad(format!("{source}: {}.", cause::of_io(&e))))?;
    let line = line.ok_or_else(|| bad(format!("There is no password: {source} is empty.")))?;
    String::from_utf8(line).map(Password).map_err(|_| bad(format!("{source}: the password is not valid UTF-8.")))
}

fn json_line(name: &NameRecord) -> String {
    let NameRecord { name, keys, credential, since, unread, .. } = name;
    let account = credential.is_some();
    to_json(&Listed { name, since: Timestamp(*since), keys, account, unread: *unread }) + "\n"
}

fn table(names: &[NameRecord]) -> String {
    let rows = names.iter().map(|record| {
        let NameRecord { name, keys, credential, since, unread, .. } = record;
        let password = if credential.is_some() { "yes" } else { "no" };
        let since = Timestamp(*since).to_string();
        vec![escape(name).into_owned(), since, keys.len().to_string(), password.to_owned(), unread.to_string()]
    });
    table::table(&["NAME", "SINCE", "KEYS", "PASSWORD", "UNREAD"], &[2, 4], rows.collect(), Style::Plain)
}
