//! Parcels that go from one to another by a short code: hashes what is to be sent and serves it to those whom the session
//! admits; fetches the listing of what is received, and keeps tickets.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::messages::Message;
use super::parcel_news::{ParcelNews, ReadyParcel};
use super::transfers::token;
use super::verify::complain;
use crate::core::Rng;
use crate::core::fetch::FetchPlan;
use crate::core::session::{ParcelInput, ParcelOutput};
use crate::io::content::store::ContentStore;
use crate::io::fs::temporary::{self, TemporaryDir};
use crate::io::offers::{Gathered, Offers, ParcelFile};
use crate::io::os::cancel::Cancel;
use crate::io::state::sent_codes::{SentCodeFile, SentCodes};
use crate::io::state::tickets::Tickets;
use crate::io::transfer::{Control, Fetcher, LocalPeer, fetch};
use crate::protocol::limits::{PARCEL_FILES, PARCEL_INLINE, PARCEL_LISTING, SAY_BYTES};
use crate::protocol::parcel::{Listing, Parcel, ParcelContent, ParcelKind, SentCode, Ticket};
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Content, ContentHash, ErrorCode, Failure, PublicKey, cause, to_json};

/// The most bytes of the files' names and hashes that go into the first word about a parcel.
const INLINE_BYTES: usize = SAY_BYTES / 2;
/// How many files that are left out are told of by name.
const TOLD_LEFT_OUT: usize = 10;
/// What the listing of a parcel is called.
const LISTING: &str = "listing";

/// The parcels of a client: those that it sends, and what it does for those that it receives.
pub(super) struct Parcels {
    with: Tools,
    sending: HashMap<u64, Sending>,
    /// The listings that are being fetched, by their tasks.
    listings: HashMap<u64, Control>,
    tokens: Rng,
}

/// What is used for parcels, of the client.
pub(super) struct Tools {
    pub(super) contents: ContentStore,
    pub(super) offers: Offers,
    pub(super) local: LocalPeer,
    pub(super) tickets: Tickets,
    pub(super) sent_codes: SentCodes,
    pub(super) sender: mpsc::Sender<Message>,
}

/// A parcel that is hashed, or can be fetched.
#[derive(Default)]
struct Sending {
    hashing: Cancel,
    /// Where its listing lies, if it has one.
    _listing: Option<TemporaryDir>,
    /// Where its code is kept.
    code: Option<SentCodeFile>,
}

impl Parcels {
    pub(super) fn new(with: Tools, seed: u64) -> Self {
        Self { with, sending: HashMap::new(), listings: HashMap::new(), tokens: Rng(seed) }
    }

    /// The listings that are being fetched.
    pub(super) fn listings(&self) -> impl Iterator<Item = &Control> {
        self.listings.values()
    }

    /// Does what the session says. Returns the keys whose holders may fetch nothing any more.
    pub(super) fn perform(&mut self, output: ParcelOutput, hub: Option<PublicKey>) -> Vec<PublicKey> {
        match output {
            ParcelOutput::Prepare { parcel, paths, stream } => self.prepare(parcel, paths, stream),
            ParcelOutput::Serve(parcel, key, name) => self.with.contents.admit(parcel, key, name),
            ParcelOutput::Drop(parcel) => {
                if let Some(sending) = self.sending.remove(&parcel) {
                    sending.hashing.cancel();
                    if let Some(code) = sending.code {
                        code.remove();
                    }
                }
                return self.with.contents.drop_parcel(parcel);
            }
            ParcelOutput::KeepCode(parcel, code) => self.keep_code(parcel, &code),
            ParcelOutput::FetchListing(task, plan) => {
                let (control, number, local) = (Control::default(), self.tokens.next_u64(), self.with.local.clone());
                self.listings.insert(task, control.clone());
                self.on_thread(move || ParcelNews::Listed(task, listed(plan, number, &local, &control)));
            }
            ParcelOutput::FindTicket(task, code) => {
                let tickets = self.with.tickets.clone();
                self.on_thread(move || {
                    let found = hub.and_then(|hub| tickets.find(&hub, &code));
                    ParcelNews::TicketFound(task, found.map(Box::new))
                });
            }
            ParcelOutput::KeepTicket(ticket) => self.keep(&ticket, hub),
            ParcelOutput::DropTicket(code) => {
                if let Some(hub) = hub {
                    self.with.tickets.drop(&hub, &code);
                }
            }
        }
        Vec::new()
    }

    /// What the session is told of news, if they are still of interest. `place` says on which port and at which addresses
    /// this client serves files.
    pub(super) fn hear(
        &mut self,
        news: ParcelNews,
        hub: Option<PublicKey>,
        place: impl FnOnce() -> (u16, Vec<IpAddr>),
    ) -> Vec<ParcelInput> {
        match news {
            ParcelNews::Prepared(parcel, ready) => self.prepared(parcel, ready, hub, place),
            ParcelNews::Hashing(parcel, progress) => vec![ParcelInput::Hashing(parcel, progress)],
            ParcelNews::Listed(task, files) => {
                self.listings.remove(&task).map(|_| ParcelInput::Listed(task, files)).into_iter().collect()
            }
            ParcelNews::TicketFound(task, ticket) => vec![ParcelInput::TicketFound(task, ticket)],
        }
    }

    fn prepared(
        &mut self,
        parcel: u64,
        ready: Result<Box<ReadyParcel>, Failure>,
        hub: Option<PublicKey>,
        place: impl FnOnce() -> (u16, Vec<IpAddr>),
    ) -> Vec<ParcelInput> {
        let Some(sending) = self.sending.get_mut(&parcel) else { return Vec::new() };
        let ready = match ready {
            Ok(ready) => *ready,
            Err(failure) => return vec![ParcelInput::Prepared(parcel, Err(failure))],
        };
        let ReadyParcel { parcel: mut told, files, what, listing, skipped, empty } = ready;
        left_out(&skipped, &empty);
        sending._listing = listing;
        self.with.contents.put_parcel(parcel, files);
        (told.port, told.addresses) = place();
        sending.code = hub.and_then(|hub| self.with.sent_codes.open(&hub, &self.with.local.key, &what));
        let kept = sending.code.as_ref().and_then(SentCodeFile::read).map(Box::new);
        let recalled = kept.map(|kept| ParcelInput::Recalled(parcel, kept));
        recalled.into_iter().chain([ParcelInput::Prepared(parcel, Ok(told))]).collect()
    }

    /// Keeps the code of a parcel; if that fails, it cannot be sent on after a kill, and the user is told.
    fn keep_code(&mut self, parcel: u64, code: &SentCode) {
        let Some(sending) = self.sending.get_mut(&parcel) else { return };
        if let Some(Err(e)) = sending.code.as_ref().map(|file| file.keep(code)) {
            let failure = Failure::new(ErrorCode::NotWritable, cause::of_io(&e));
            complain("what is sent cannot go on after a crash of this program", &failure);
            sending.code = None;
        }
    }

    /// Hashes what a parcel consists of, on a thread.
    fn prepare(&mut self, parcel: u64, paths: Vec<String>, stream: bool) {
        let sending = Sending::default();
        let (offers, sender, cancel) = (self.with.offers.clone(), self.with.sender.clone(), sending.hashing.clone());
        self.sending.insert(parcel, sending);
        self.on_thread(move || {
            let mut progress = |progress| {
                let _ = sender.blocking_send(Message::Parcel(ParcelNews::Hashing(parcel, progress)));
            };
            let gathered = offers.gather(&paths, stream, &mut progress, &cancel);
            let ready = gathered.and_then(|gathered| ready(&offers, gathered, stream, &cancel));
            ParcelNews::Prepared(parcel, ready.map(Box::new))
        });
    }

    /// Keeps a ticket; if that fails, the user cannot go on after a kill, and is told.
    fn keep(&self, ticket: &Ticket, hub: Option<PublicKey>) {
        if let Err(e) = hub.map_or(Ok(()), |hub| self.with.tickets.keep(&hub, ticket)) {
            let failure = Failure::new(ErrorCode::NotWritable, cause::of_io(&e));
            complain("what is received cannot go on after a crash of this program", &failure);
        }
    }

    fn on_thread(&self, work: impl FnOnce() -> ParcelNews + Send + 'static) {
        let sender = self.with.sender.clone();
        std::thread::spawn(move || {
            let _ = sender.blocking_send(Message::Parcel(work()));
        });
    }
}

/// Makes a parcel of hashed files; if there are many, or their names are long, with a listing of its own.
fn ready(offers: &Offers, gathered: Gathered, stream: bool, cancel: &Cancel) -> Result<ReadyParcel, Failure> {
    let Gathered { name, mut files, skipped, empty } = gathered;
    let contents: Vec<Content> = files.iter().map(ParcelFile::content).collect();
    let (count, size) =
        (contents.len() as u64, contents.iter().fold(0_u64, |sum, content| sum.saturating_add(content.size)));
    let what = what(stream, &contents);
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
    Ok(ReadyParcel { parcel, files, what, listing, skipped, empty })
}

/// The hash of the names and contents, whenever they were last touched.
fn what(stream: bool, contents: &[Content]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::from(stream)]);
    for Content { file, hash, .. } in contents {
        hasher.update(&hash.0).update(file.as_bytes()).update(b"\n");
    }
    ContentHash(*hasher.finalize().as_bytes())
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

fn listed(plan: Arc<FetchPlan>, number: u64, local: &LocalPeer, control: &Control) -> Result<Vec<Content>, Failure> {
    if plan.size() > PARCEL_LISTING {
        return Err(unreadable());
    }
    let dir = TemporaryDir::create().map_err(|e| no_place(&e))?;
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
    temporary::unkept("The list of files cannot be kept in a temporary folder", e)
}

/// Says on standard error what of a parcel's folders is not in it.
fn left_out(skipped: &[Skipped], empty: &[String]) {
    for folder in empty {
        let _ = writeln!(io::stderr(), "potluck: left out {}: an empty folder.", folder.escape_debug());
    }
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
