//! The files that a client serves: hashes them on threads, adds them to the content store, and watches them.

use super::{ClientDriver, Message, Observer};
use crate::core::session::Offering;
use crate::protocol::{ErrorCode, Failure};

impl<W: Observer> ClientDriver<W> {
    pub(super) fn hash(&mut self, offering: Offering) {
        let (offers, sender, cancel) = (self.serving.offers.clone(), self.sender.clone(), self.serving.hashing.clone());
        self.on_thread(move || {
            let task = offering.task;
            let mut progress = |progress| {
                let _ = sender.blocking_send(Message::Hashing(task, progress));
            };
            Message::Hashed(task, offers.offer(&offering, &mut progress, &cancel))
        });
    }

    /// Hashes a file and grants it to one person: to the key that was pinned for them at this hub, if there is one.
    pub(super) fn grant(&mut self, task: u64, dir: Option<String>, file: String, to: String) {
        let (offers, contents, cancel) =
            (self.serving.offers.clone(), self.serving.contents.clone(), self.serving.hashing.clone());
        let (pins, hub) = (self.options.folders.home.pins(), self.hub.key);
        self.on_thread(move || {
            let granted = hub.ok_or_else(|| Failure::from(ErrorCode::Internal)).and_then(|hub| {
                let (content, path, hashed) = offers.hash_one(dir.as_deref(), &file, &cancel)?;
                contents.grant(&to, pins.pinned_peer(&to, &hub)?, path, hashed);
                Ok(content)
            });
            Message::Granted(task, granted)
        });
    }

    /// Cancels the hashing in progress.
    pub(super) fn stop_hashing(&mut self) {
        std::mem::take(&mut self.serving.hashing).cancel();
    }
}
