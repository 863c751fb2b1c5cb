//! Plans the download of a folder, from our copy of the table or from the hub's pages.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::core::session::context::Context;
use crate::core::session::replica::Replica;
use crate::core::session::{FolderFile, FolderPlan, FolderSource};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{HUB, NameKey, check_file};
use crate::protocol::{ContentHash, ErrorCode, Failure, Offer, PublicKey, request};

/// The plan for everything that is offered in the folder.
pub(super) fn plan(
    cx: &Context,
    replica: &Replica,
    transfer: u64,
    get: &request::Get,
    offers: impl Iterator<Item = Offer>,
) -> Result<FolderPlan, Failure> {
    let me = cx.registration.name().unwrap_or_default();
    let from = get.from.as_deref().map(NameKey::of);
    let wanted = |offer: &Offer| {
        offer.file.starts_with(&get.file)
            && offer.owner != me
            && from
                .as_ref()
                .is_none_or(|from| NameKey::of(&offer.owner) == *from || (offer.kept && from.as_str() == HUB))
    };
    let mut sources: Vec<FolderSource> = Vec::new();
    let mut files: BTreeMap<String, FolderFile> = BTreeMap::new();
    for offer in offers.filter(wanted) {
        let Some(key) = key_of(replica, &offer) else { continue };
        let source = match sources.iter().position(|known| known.name == offer.owner) {
            Some(at) => at,
            None => {
                let address = SocketAddr::new(offer.address, offer.port);
                sources.push(FolderSource { name: offer.owner.clone(), address, key });
                sources.len() - 1
            }
        };
        let file = files.entry(offer.file.clone()).or_insert_with(|| FolderFile {
            content: offer.content(),
            target: match &get.to {
                Some(to) => {
                    let below = offer.file.strip_prefix(get.file.as_str()).unwrap_or(&offer.file);
                    format!("{}/{below}", to.trim_end_matches('/'))
                }
                None => offer.file.clone(),
            },
            sources: Vec::new(),
        });
        if file.content.hash != offer.hash {
            let message = format!("Several people offer different files named {}.", offer.file);
            return Err(Failure::new(ErrorCode::Ambiguous, message).at(pointer_at("/from")));
        }
        file.sources.push(source as u32);
    }
    if files.is_empty() {
        let message = format!("Nobody else offers anything in {}.", get.file);
        return Err(Failure::new(ErrorCode::NotOffered, message).at(pointer_at("/file")));
    }
    let on_conflict = get.on_conflict.unwrap_or(cx.config.downloads.on_conflict);
    Ok(FolderPlan { transfer, folder: get.file.clone(), files: files.into_values().collect(), sources, on_conflict })
}

/// The key that the server of an offer must prove to hold; `Some(None)` for the hub, `None` if it is unknown.
fn key_of(replica: &Replica, offer: &Offer) -> Option<Option<PublicKey>> {
    match offer.kept || offer.owner == HUB {
        true => Some(None),
        false => replica.find(&offer.owner).map(|client| Some(client.key)),
    }
}

/// Checks a `get` before it is passed on.
pub(in crate::core::session) fn check_get(get: &request::Get) -> Result<(), Failure> {
    let folder = get.file.strip_suffix('/');
    if folder.is_some() && get.chunks.is_some() {
        return Err(Failure::new(ErrorCode::BadRequest, "A folder has no chunks.").at(pointer_at("/chunks")));
    }
    if get.chunks.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new(ErrorCode::BadRequest, "No chunk is named.").at(pointer_at("/chunks")));
    }
    let file = folder.unwrap_or(&get.file);
    check_file(file).map_err(|failure| failure.at(pointer_at("/file")))?;
    let Some(to) = &get.to else { return Ok(()) };
    let to = if folder.is_some() { to.strip_suffix('/').unwrap_or(to) } else { to };
    check_file(to).map_err(|failure| failure.at(pointer_at("/to")))
}

impl FolderPlan {
    /// The bytes of all its files.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.content.size))
    }

    /// The hash of the folder: that of what `b3sum` prints for its files.
    pub fn hash(&self) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        for FolderFile { content, .. } in &self.files {
            hasher.update(format!("{}  {}\n", content.hash, content.file).as_bytes());
        }
        ContentHash(*hasher.finalize().as_bytes())
    }
}
