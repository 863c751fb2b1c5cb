//! What others can fetch from a client, and the port on which they do.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::messages::Message;
use super::options::ClientOptions;
use super::parcels::{Parcels, Tools};
use super::transfers::upload_note;
use crate::io::content::store::ContentStore;
use crate::io::net::bind::listen;
use crate::io::offers::Offers;
use crate::io::os::cancel::Cancel;
use crate::io::transfer::{DataServer, LocalPeer, UploadEvent};
use crate::protocol::Failure;

/// What others can fetch from this client.
pub(super) struct Serving {
    pub(super) contents: ContentStore,
    pub(super) offers: Offers,
    /// Cancels the hashing in progress.
    pub(super) hashing: Cancel,
    pub(super) server: DataServer,
    pub(super) parcels: Parcels,
}

impl Serving {
    /// Opens the port, at `reach` if only this machine needs to reach it.
    ///
    /// # Errors
    /// `port-in-use`.
    pub(super) fn open(
        options: &ClientOptions,
        reach: Option<IpAddr>,
        local: &LocalPeer,
        sender: &mpsc::Sender<Message>,
        seed: u64,
    ) -> Result<Self, Failure> {
        let (contents, home) = (ContentStore::default(), &options.folders.home);
        let uploads = sender.clone();
        let notify = Arc::new(move |event: UploadEvent| {
            let (upload, notes) = upload_note(event);
            for note in notes {
                // A program that ends does not listen any more.
                let _ = uploads.blocking_send(Message::Upload(upload, note));
            }
        });
        let listener = listen(options.ports.files, reach)?;
        let server = DataServer::start(listener, local, contents.clone(), notify).map_err(Failure::internal)?;
        let watching = sender.clone();
        let offers = Offers::new(contents.clone(), Some(home.dir()), move |changes| {
            let _ = watching.blocking_send(Message::FilesChanged(changes));
        });
        let with = Tools {
            contents: contents.clone(),
            offers: offers.clone(),
            local: local.clone(),
            tickets: home.tickets(),
            sent_codes: home.sent_codes(),
            sender: sender.clone(),
        };
        let parcels = Parcels::new(with, seed);
        Ok(Self { contents, offers, hashing: Cancel::default(), server, parcels })
    }
}
