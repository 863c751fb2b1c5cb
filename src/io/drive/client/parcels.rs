//! Parcels that go from one to another by a short code: hashes what is to be sent and serves it to those whom the session
//! admits; fetches the listing of what is received, and keeps tickets.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::transfers::token;
use super::verify::complain;
use super::{ClientDriver, Message, Observer};
use crate::core::fetch::FetchPlan;
use crate::core::session::Input;
use crate::io::content::parcels::ParcelFiles;
use crate::io::content::store::ContentStore;
use crate::io::fs::temporary::TemporaryDir;
use crate::io::offers::{Gathered, Offers, ParcelFile};
use crate::io::os::cancel::Cancel;
use crate::io::state::tickets::Tickets;
use crate::io::transfer::{Control, Fetcher, LocalPeer, fetch};
use crate::protocol::limits::{PARCEL_FILES, PARCEL_INLINE, PARCEL_LISTING, SAY_BYTES};
use crate::protocol::parcel::{Listing, Parcel, ParcelContent, ParcelKind, Ticket};
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Code, Content, ErrorCode, Failure, cause, to_json};

/// The most bytes of the files' names and hashes that go into the first word about a parcel.
const INLINE_BYTES: usize = SAY_BYTES / 2;
/// How many files that are left out are told of by name.
const TOLD_LEFT_OUT: usize = 10;
/// What the listing of a parcel is called.
const LISTING: &str = "listing";

/// The parcels of a client.
#[derive(Default)]
pub(super) struct Parcels {
    sending: HashMap<u64, Sending>,
    /// The listings that are being fetched, by their tasks.
    listings: HashMap<u64, Control>,
}

/// A parcel that is hashed, or can be fetched.
#[derive(Default)]
struct Sending {
    hashing: Cancel,
    /// Where its listing lies, if it has one.
    _listing: Option<TemporaryDir>,
}

impl Parcels {
    /// The listings that are being fetched.
    pub(super) fn listings(&self) -> impl Iterator<Item = &Control> {
        self.listings.values()
    }
}

/// A parcel that is ready to be fetched.
pub struct ReadyParcel {
    parcel: Parcel,
    files: ParcelFiles,
    listing: Option<TemporaryDir>,
    skipped: Vec<Skipped>,
}

impl std::fmt::Debug for ReadyParcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyParcel").field("files", &self.files.len()).finish()
    }
}

impl<W: Observer> ClientDriver<W> {
    /// Hashes what a parcel consists of, on a thread.
    pub(super) fn prepare_parcel(&mut self, parcel: u64, paths: Vec<String>, stream: bool) {
        let sending = Sending::default();
        let (offers, sender, cancel) = (self.serving.offers.clone(), self.sender.clone(), sending.hashing.clone());
        self.serving.parcels.sending.insert(parcel, sending);
        self.on_thread(move || {
            let mut progress = |progress| {
                let _ = sender.blocking_send(Message::ParcelHashing(parcel, progress));
            };
            let gathered = offers.gather(&paths, stream, &mut progress, &cancel);
            let ready = gathered.and_then(|gathered| ready(&offers, gathered, stream, &cancel));
            Message::ParcelPrepared(parcel, ready.map(Box::new))
        });
    }

    /// A parcel was hashed: it goes into the content store, unless it is not wanted any more.
    pub(super) fn parcel_prepared(&mut self, parcel: u64, ready: Result<Box<ReadyParcel>, Failure>) {
        let Some(sending) = self.serving.parcels.sending.get_mut(&parcel) else { return };
        let prepared = ready.map(|ready| {
            let ReadyParcel { parcel: mut told, files, listing, skipped } = *ready;
            left_out(&skipped);
            sending._listing = listing;
            self.serving.contents.put_parcel(parcel, files);
            (told.port, told.addresses) = (self.serving.server.port(), self.hub.reacher.own_addresses());
            told
        });
        self.handle(Input::ParcelPrepared(parcel, prepared));
    }

    /// Nobody may fetch a parcel any more; what is being fetched of it ends.
    pub(super) fn drop_parcel(&mut self, parcel: u64) {
        if let Some(sending) = self.serving.parcels.sending.remove(&parcel) {
            sending.hashing.cancel();
        }
        for key in self.serving.contents.drop_parcel(parcel) {
            self.serving.server.cancel_all_of(&key);
        }
    }

    /// Fetches the listing of a parcel into a temporary folder, and reads it.
    pub(super) fn fetch_listing(&mut self, task: u64, plan: Arc<FetchPlan>) {
        let (control, number) = (Control::default(), self.fetching.tokens.next_u64());
        self.serving.parcels.listings.insert(task, control.clone());
        let local = self.local.clone();
        self.on_thread(move || Message::Listed(task, listed(plan, number, &local, &control)));
    }

    /// A listing was fetched, or could not be.
    pub(super) fn listed(&mut self, task: u64, files: Result<Vec<Content>, Failure>) {
        if self.serving.parcels.listings.remove(&task).is_some() {
            self.handle(Input::Listed(task, files));
        }
    }

    /// Looks for what was kept of a code at this hub.
    pub(super) fn find_ticket(&self, task: u64, code: Code) {
        let (tickets, hub) = (self.tickets(), self.hub.key);
        self.on_thread(move || {
            let found = hub.and_then(|hub| tickets.find(&hub, &code));
            Message::TicketFound(task, found.map(Box::new))
        });
    }

    /// Keeps a ticket; if that fails, the user cannot go on after a kill, and is told.
    pub(super) fn keep_ticket(&self, ticket: &Ticket) {
        let kept = self.hub.key.map_or(Ok(()), |hub| self.tickets().keep(&hub, ticket));
        if let Err(e) = kept {
            let failure = Failure::new(ErrorCode::NotWritable, cause::of_io(&e));
            complain("what is received cannot go on after a crash of this program", &failure);
        }
    }

    /// Forgets what was kept of a code.
    pub(super) fn drop_ticket(&self, code: &Code) {
        if let Some(hub) = self.hub.key {
            self.tickets().drop(&hub, code);
        }
    }

    fn tickets(&self) -> Tickets {
        self.options.folders.home.tickets()
    }
}

/// Makes a parcel of hashed files; if there are many, or their names are long, with a listing of its own.
fn ready(offers: &Offers, gathered: Gathered, stream: bool, cancel: &Cancel) -> Result<ReadyParcel, Failure> {
    let Gathered { name, mut files, skipped } = gathered;
    let contents: Vec<Content> = files.iter().map(ParcelFile::content).collect();
    let (count, size) =
        (contents.len() as u64, contents.iter().fold(0_u64, |sum, content| sum.saturating_add(content.size)));
    let inline = ParcelContent::Files(contents);
    let (content, listing) = match inline {
        ParcelContent::Files(ref all) if all.len() <= PARCEL_INLINE && to_json(&inline).len() <= INLINE_BYTES => {
            (inline, None)
        }
        ParcelContent::Files(all) => {
            let (listing, dir) = listing_of(offers, all, cancel)?;
            let content = listing.content();
            files.push(listing);
            (ParcelContent::Listed(content), Some(dir))
        }
        other @ (ParcelContent::Text(_) | ParcelContent::Listed(_)) => (other, None),
    };
    let kind = if stream { ParcelKind::Stream } else { ParcelKind::Files };
    let parcel = Parcel { kind, name, files: count, size, content, addresses: Vec::new(), port: 0 };
    let files = files.into_iter().map(|file| (file.content().hash, Arc::new(file.stored()))).collect();
    Ok(ReadyParcel { parcel, files, listing, skipped })
}

fn listing_of(offers: &Offers, files: Vec<Content>, cancel: &Cancel) -> Result<(ParcelFile, TemporaryDir), Failure> {
    let text = to_json(&Listing { files });
    if text.len() as u64 > PARCEL_LISTING {
        return Err(Failure::new(ErrorCode::TooMany, "There are too many files with long names.")
            .hint("Pack them: `tar c FOLDER | potluck send -`."));
    }
    let dir = TemporaryDir::create().map_err(|e| no_place(&e))?;
    let path = dir.path().join(LISTING);
    std::fs::write(&path, text).map_err(|e| no_place(&e))?;
    Ok((offers.gather_one(&path, LISTING, cancel)?, dir))
}

fn listed(
    mut plan: Arc<FetchPlan>,
    number: u64,
    local: &LocalPeer,
    control: &Control,
) -> Result<Vec<Content>, Failure> {
    if plan.size() > PARCEL_LISTING {
        return Err(unreadable());
    }
    let dir = TemporaryDir::create().map_err(|e| no_place(&e))?;
    Arc::make_mut(&mut plan).share = false;
    let contents = ContentStore::default();
    let fetcher = Fetcher { token: token(number), seed: number, folder: dir.path(), local, store: &contents };
    let fetched = fetch(plan, &fetcher, &|_| (), control)?;
    read_listing(&fetched.path)
}

fn read_listing(path: &Path) -> Result<Vec<Content>, Failure> {
    let text = std::fs::read(path).map_err(|e| no_place(&e))?;
    let Listing { files } = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    if files.len() > PARCEL_FILES {
        return Err(Failure::new(ErrorCode::TooMany, format!("There are more than {PARCEL_FILES} files in it.")));
    }
    Ok(files)
}

fn unreadable() -> Failure {
    Failure::new(ErrorCode::PeerBroke, "The sender's list of files cannot be read.")
}

fn no_place(e: &io::Error) -> Failure {
    let code = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        _ => ErrorCode::NotWritable,
    };
    Failure::new(code, format!("The list of files cannot be kept in a temporary folder: {}.", cause::of_io(e)))
        .hint("TMPDIR names another place for temporary files.")
}

/// Says on standard error what of a parcel's folders is not in it.
fn left_out(skipped: &[Skipped]) {
    for Skipped { file, reason } in skipped.iter().take(TOLD_LEFT_OUT) {
        let why = match reason {
            SkipReason::Link => "a link, and links are not followed",
            SkipReason::Special => "neither a file nor a folder",
            SkipReason::Name => "its name cannot be sent",
            SkipReason::Unreadable => "it cannot be read",
        };
        let _ = writeln!(io::stderr(), "potluck: left out {}: {why}.", file.escape_debug());
    }
    if skipped.len() > TOLD_LEFT_OUT {
        let _ = writeln!(io::stderr(), "potluck: left out {} more.", skipped.len() - TOLD_LEFT_OUT);
    }
}
