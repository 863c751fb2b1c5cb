//! Finds the data folder of a hub for the commands that work on it, such as `potluck user`, and makes their hints name
//! it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::recording::complain;
use crate::io::state::home::{Home, data_option};
use crate::protocol::{ErrorCode, Failure};
use crate::ui::escape::escape;

/// The folder of a hub.
#[derive(Debug, Args)]
pub(super) struct HubFolder {
    /// The hub's folder, as for `potluck serve` [default: the platform's data folder].
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

/// The commands that work on the folder of a hub.
const OURS: [&str; 3] = ["potluck user ", "potluck invite ", "potluck serve"];

impl HubFolder {
    /// Opens the hub's data with `find`, if there was ever a hub. Creates nothing.
    pub(super) fn find<T>(&self, find: fn(&Path) -> Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
        find(&self.dir()?)
    }

    /// Opens the hub's data with `find`; a failure if there is none.
    pub(super) fn existing<T>(&self, find: fn(&Path) -> Result<Option<T>, Failure>) -> Result<T, Failure> {
        let dir = self.dir()?;
        find(&dir)?.ok_or_else(|| {
            let (dir, way) =
                (dir.display(), if self.data.is_some() { "Check the path" } else { "Name its folder with --data DIR" });
            Failure::new(ErrorCode::BadConfig, format!("No hub has ever been in {dir}; nothing was made there."))
                .hint(format!("{way}; `potluck serve` starts one."))
        })
    }

    /// Opens or creates the hub's data with `open`. If it was created, the user is told, in case the path was misspelt.
    pub(super) fn made<T>(&self, open: fn(&Path) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.data.is_none() {
            Home::open(None)?;
        }
        let dir = self.dir()?;
        let opened = open(&dir)?;
        complain(&format!("no hub has been in {} yet: its folder was made", escape(&dir.to_string_lossy())));
        Ok(opened)
    }

    fn dir(&self) -> Result<PathBuf, Failure> {
        self.data.clone().map_or_else(|| Ok(Home::default_dir()?.join("hub")), Ok)
    }

    /// The same failure, whose hint names this folder in its commands.
    pub(super) fn leads_here(&self, failure: Failure) -> Failure {
        let Some(dir) = &self.data else { return failure };
        let hint = failure.hint.clone().unwrap_or(failure.code.advice().into());
        // Every second part stands between backticks.
        let parts = hint.split('`').enumerate().map(|(n, part)| {
            match n % 2 == 1 && OURS.iter().any(|our| part.starts_with(our)) {
                true => format!("{part} {}", data_option(dir)),
                false => part.to_owned(),
            }
        });
        let led = parts.collect::<Vec<_>>().join("`");
        if led == hint { failure } else { failure.hint(led) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hint_names_leads_to_the_folder_that_was_given() {
        let hint = |data: Option<&str>, failure: Failure| {
            let folder = HubFolder { data: data.map(PathBuf::from) };
            folder.leads_here(failure).hint.map(String::from)
        };
        let failure = || Failure::from(ErrorCode::NameTaken).hint("`potluck user passwd erin` or `help`.");
        for (dir, told) in [
            ("d", "`potluck user passwd erin --data d` or `help`."),
            ("my hub", "`potluck user passwd erin --data 'my hub'` or `help`."),
            ("it's", r"`potluck user passwd erin --data 'it'\''s'` or `help`."),
        ] {
            assert_eq!(hint(Some(dir), failure()).as_deref(), Some(told));
        }
        assert_eq!(hint(None, failure()).as_deref(), Some("`potluck user passwd erin` or `help`."));
        // The advice of a code is changed, too.
        let advice = hint(Some("d"), ErrorCode::NoSuchInvite.into());
        assert_eq!(advice.as_deref(), Some("`potluck invite list --data d` shows them."));
    }
}
