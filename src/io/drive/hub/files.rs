//! The files that the hub serves: a folder of its own, and copies of what others offer.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::calls::caller;
use super::copies::Copies;
use super::{Mailbox, Message};
use crate::core::hub::{CopyPlan, HubFiles};
use crate::core::session::{FilesChanged, Offering};
use crate::io::content::store::ContentStore;
use crate::io::net::bind::listen;
use crate::io::net::identity::Identity;
use crate::io::offers::Offers;
use crate::io::os::cancel::Cancel;
use crate::io::transfer::{DataServer, LocalPeer};
use crate::protocol::cause;
use crate::protocol::limits::PUBLISH_FILES;
use crate::protocol::record::CopyRecord;
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey};

/// What a hub serves, and on which address.
#[derive(Debug, Clone)]
pub struct FilesOptions {
    /// The address to listen on.
    pub address: IpAddr,
    /// The TCP port; 0 takes a free one.
    pub port: u16,
    /// The folder of the hub's own files, by its full name, if it has one.
    pub dir: Option<PathBuf>,
    /// The space for copies, in bytes.
    pub room: u64,
}

/// The hub's own files, its copies, and the server for them. Dropping it stops all.
pub struct HubFileServer {
    config: HubFiles,
    store: ContentStore,
    /// `None` without a data folder.
    copies: Option<Copies>,
    /// At the start: the copies that can be served, and those whose file is missing.
    known: (Vec<(ContentHash, u64)>, Vec<ContentHash>),
    offering: Cancel,
    _offers: Option<Offers>,
    server: DataServer,
}

impl HubFileServer {
    /// Opens the port and serves what is there: copies at once if they are known to be sound, the folder once it has
    /// been hashed. The hub is told through `mailbox`.
    ///
    /// # Errors
    /// `port-in-use`; `bad-config` if the folder would expose the hub's data; or the failure of the data folder.
    pub fn open(
        options: &FilesOptions,
        data: Option<&Path>,
        records: &[CopyRecord],
        identity: &Identity,
        mailbox: &Mailbox,
    ) -> Result<Self, Failure> {
        if let (Some(dir), Some(data)) = (&options.dir, data) {
            check_apart(dir, data)?;
        }
        let store = ContentStore::default();
        let local = LocalPeer::new(identity.clone()).calling(caller(mailbox.clone()));
        let copies = data.map(|data| Copies::open(data, records, &local, &store, mailbox)).transpose()?;
        let (copies, known) = copies.unzip();
        let listener = listen(options.port, Some(options.address)).map_err(|failure| {
            let hint = "Choose another with --files-port; --files-port 0 takes a free one.";
            if failure.code == ErrorCode::PortInUse { failure.hint(hint) } else { failure }
        })?;
        let uploads = Arc::new(|note| tracing::debug!(?note, "upload"));
        let server = DataServer::start(listener, &local, store.clone(), uploads).map_err(Failure::internal)?;
        let offering = Cancel::default();
        let offers = options.dir.as_ref().map(|dir| offer(dir, data, &store, mailbox, &offering)).transpose()?;
        let config = HubFiles { key: identity.key, address: options.address, port: server.port(), room: options.room };
        let known = known.unwrap_or_default();
        Ok(Self { config, store, copies, known, offering, _offers: offers, server })
    }

    /// The properties of this that the hub's machine needs.
    pub fn config(&self) -> HubFiles {
        self.config.clone()
    }

    /// Takes the copies that can be served at the start, and those whose file is missing. The hub is told of the others
    /// later.
    pub(super) fn take_copies(&mut self) -> (Vec<(ContentHash, u64)>, Vec<ContentHash>) {
        std::mem::take(&mut self.known)
    }

    pub(super) fn copy(&self, plan: CopyPlan) {
        if let Some(copies) = &self.copies {
            copies.make(plan);
        }
    }

    pub(super) fn discard(&self, hash: ContentHash) {
        if let Some(copies) = &self.copies {
            copies.discard(hash);
        }
    }

    /// Allows a key to fetch, under this name. Without a name, forbids it and ends its uploads.
    pub(super) fn set_peer(&self, key: PublicKey, name: Option<String>) {
        let left = name.is_none();
        self.store.set_peer(key, name);
        if left {
            self.server.cancel_all_of(&key);
        }
    }
}

impl Drop for HubFileServer {
    fn drop(&mut self) {
        self.offering.cancel();
    }
}

/// Offers everything in a folder, and follows its changes.
fn offer(
    dir: &Path,
    data: Option<&Path>,
    store: &ContentStore,
    mailbox: &Mailbox,
    cancel: &Cancel,
) -> Result<Offers, Failure> {
    // Makes sure that changes are reported after the first list of files.
    let first = Arc::new(Mutex::new(()));
    let (after, changes) = (Arc::clone(&first), mailbox.clone());
    let offers = Offers::new(store.clone(), data, move |changed| {
        let _first = after.lock().unwrap_or_else(PoisonError::into_inner);
        // If the hub has ended, nobody needs the message.
        let _ = changes.blocking_send(Message::HubFilesChanged(changed));
    });
    let dir = dir.to_string_lossy().into_owned();
    let offering = Offering { task: 0, dir, files: vec![".".into()], chunks: None, hidden: false, watch: true };
    let (its, mailbox, cancel) = (offers.clone(), mailbox.clone(), cancel.clone());
    let work = move || {
        let _telling = first.lock().unwrap_or_else(PoisonError::into_inner);
        match its.offer(&offering, &mut |_| (), &cancel) {
            Ok(hashed) => {
                for skipped in &hashed.skipped {
                    tracing::info!(?skipped, "not offered");
                }
                for piece in hashed.contents.chunks(PUBLISH_FILES) {
                    let changed = FilesChanged { changed: piece.to_vec(), gone: Vec::new() };
                    let _ = mailbox.blocking_send(Message::HubFilesChanged(changed));
                }
            }
            Err(failure) if failure.code == ErrorCode::Interrupted => {}
            Err(failure) => tracing::error!("the files in {} are not offered: {failure}", offering.dir),
        }
    };
    std::thread::Builder::new().name("hub-files".into()).spawn(work).map_err(Failure::internal)?;
    Ok(offers)
}

/// Checks that the public folder does not hold the hub's key, and is not where the hub removes files.
fn check_apart(dir: &Path, data: &Path) -> Result<(), Failure> {
    let data = data.canonicalize().map_err(|e| {
        Failure::new(ErrorCode::StoreFailed, format!("{} cannot be used: {}.", data.display(), cause::of_io(&e)))
    })?;
    let is_hidden = |below: &Path| below.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
    let shows = data.strip_prefix(dir).is_ok_and(|below| !is_hidden(below));
    if shows || dir.starts_with(&data) {
        let message = format!("{} and the hub's data in {} lie in each other.", dir.display(), data.display());
        return Err(Failure::new(ErrorCode::BadConfig, message).hint("Name another folder with --files or --data."));
    }
    Ok(())
}
