//! What `receive` does with an event that says that all is here, before it is told: a text goes into the file that was
//! named, and what people read does not repeat what standard output gets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::client::Retold;
use crate::io::content::kept::keep;
use crate::protocol::event::ParcelReceived;
use crate::protocol::parcel::ParcelKind;
use crate::protocol::{Event, EventLine, Failure, OnConflict};

/// The name of a text's file, if only its folder was named.
pub(super) const TEXT_FILE: &str = "text.txt";

/// The file that a text goes to.
#[derive(Debug, Clone)]
pub(super) struct TextFile {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its name there.
    pub(super) name: String,
    /// What happens if it exists.
    pub(super) on_conflict: OnConflict,
}

/// What has come so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Came(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How many events were told.
    told: u64,
    received: Option<ParcelReceived>,
    unkept: Option<Failure>,
}

impl Came {
    /// Hears each event before it is told. A text goes to `file`, if there is one; `aside` says that standard output gets
    /// what has come, and `private` is where that is until then.
    pub(super) fn retold(&self, file: Option<TextFile>, aside: bool, private: Option<PathBuf>) -> Retold {
        let this = self.clone();
        Box::new(move |line: &mut EventLine| {
            let mut state = this.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.told += 1;
            let Event::ParcelReceived(received) = &mut line.event else { return };
            state.unkept = file.as_ref().and_then(|file| keep_text(received, file, aside).err());
            state.received = Some(received.clone());
            if aside {
                conceal(received, private.as_deref());
            }
        })
    }

    /// What has come, and why a text could not be kept.
    pub(super) fn take(&self) -> (Option<ParcelReceived>, Option<Failure>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.received.take(), state.unkept.take())
    }

    /// How many events were told.
    pub(super) fn told(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told
    }
}

/// Puts a text into its file. If that fails, it stays where it was, so that it is shown.
fn keep_text(received: &mut ParcelReceived, file: &TextFile, aside: bool) -> Result<(), Failure> {
    let Some(text) = &received.text else { return Ok(()) };
    let TextFile { folder, name, on_conflict } = file;
    let path = keep(folder, name, *on_conflict, |out| out.write_all(text.as_bytes()));
    let path = path.map_err(|failure| match (&failure.hint, aside) {
        (None, true) => failure.hint("Standard output has the text."),
        (None, false) => failure.hint("The text stands above."),
        (Some(_), _) => failure,
    })?;
    (received.path, received.text) = (Some(path.to_string_lossy().into_owned()), None);
    Ok(())
}

/// Leaves out what standard output gets, and where that is until then.
fn conceal(received: &mut ParcelReceived, private: Option<&Path>) {
    received.text = None;
    if received.path.as_deref().is_some_and(|path| private.is_some_and(|private| Path::new(path).starts_with(private)))
    {
        received.path = None;
    }
    if received.kind == ParcelKind::Text && received.path.is_none() {
        "a text".clone_into(&mut received.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str) -> ParcelReceived {
        let (name, size) = ("text".to_owned(), text.len() as u64);
        ParcelReceived { kind: ParcelKind::Text, name, files: 0, size, path: None, text: Some(text.into()) }
    }

    fn hear(came: &Came, file: Option<TextFile>, aside: bool, received: ParcelReceived) -> ParcelReceived {
        let mut line = EventLine { seq: None, time: None, id: None, last: true, event: received.into() };
        came.retold(file, aside, Some("/var/tmp/potluck-1".into()))(&mut line);
        let Event::ParcelReceived(received) = line.event else { unreachable!() };
        received
    }

    #[test]
    fn a_text_goes_to_the_file_that_was_named_and_is_shown_if_that_fails() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = (dir.path().to_owned(), TEXT_FILE.to_owned());
        let file = Some(TextFile { folder, name, on_conflict: OnConflict::Fail });
        let came = Came::default();
        let told = hear(&came, file.clone(), false, text_of("soup"));
        assert_eq!((told.text, came.take().0.unwrap().text), (None, None));
        assert_eq!(std::fs::read_to_string(told.path.unwrap()).unwrap(), "soup");
        let told = hear(&came, file, false, text_of("stew"));
        assert_eq!(told.text.as_deref(), Some("stew"), "nothing is lost");
        assert!(came.take().1.is_some());
        assert_eq!(came.told(), 2);
    }

    #[test]
    fn what_goes_to_standard_output_is_not_told_as_well() {
        let came = Came::default();
        let told = hear(&came, None, true, text_of("soup"));
        assert_eq!((told.text, told.path, told.name.as_str()), (None, None, "a text"));
        assert_eq!(came.take().0.unwrap().text.as_deref(), Some("soup"));
        let file = |path: &str| ParcelReceived { path: Some(path.into()), kind: ParcelKind::Files, ..text_of("") };
        assert_eq!(hear(&came, None, true, file("/var/tmp/potluck-1/a.txt")).path, None);
        assert_eq!(hear(&came, None, true, file("./a.txt")).path.as_deref(), Some("./a.txt"));
    }
}
