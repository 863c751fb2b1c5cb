//! The files that a client serves: hashes them on threads, adds them to the content store, and watches them.

use tokio::sync::mpsc;

use super::Message;
use super::serving::Serving;
use crate::core::session::Offering;
use crate::io::state::pins::Pins;
use crate::protocol::{ErrorCode, Failure, PublicKey};

impl Serving {
    /// The work of hashing what is offered; it ends with the message for the driver.
    pub(super) fn hash(
        &self,
        offering: Offering,
        sender: mpsc::Sender<Message>,
    ) -> impl FnOnce() -> Message + Send + use<> {
        let (offers, cancel) = (self.offers.clone(), self.hashing.clone());
        move || {
            let task = offering.task;
            let mut progress = |progress| {
                let _ = sender.blocking_send(Message::Hashing(task, progress));
            };
            Message::Hashed(task, offers.offer(&offering, &mut progress, &cancel))
        }
    }

    /// The work of hashing a file and granting it to one person: to the key that was pinned for them at this hub, if there
    /// is one.
    pub(super) fn grant(
        &self,
        (task, dir, file, to): (u64, Option<String>, String, String),
        (pins, hub): (Pins, Option<PublicKey>),
    ) -> impl FnOnce() -> Message + Send + use<> {
        let (offers, contents, cancel) = (self.offers.clone(), self.contents.clone(), self.hashing.clone());
        move || {
            let granted = hub.ok_or_else(|| Failure::from(ErrorCode::Internal)).and_then(|hub| {
                let (content, path, hashed) = offers.hash_one(dir.as_deref(), &file, &cancel)?;
                contents.grant(&to, pins.pinned_peer(&to, &hub)?, path, hashed);
                Ok(content)
            });
            Message::Granted(task, granted)
        }
    }

    /// Cancels the hashing in progress.
    pub(super) fn stop_hashing(&mut self) {
        std::mem::take(&mut self.hashing).cancel();
    }
}
