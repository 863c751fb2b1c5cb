//! Plans the download of a folder, from our copy of the table or from the hub's pages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use crate::core::fetch::plan::unfit;
use crate::core::fetch::{FetchPlan, PlannedFile, Source};
use crate::core::session::context::Context;
use crate::core::session::replica::Replica;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{HUB, NameKey, check_file};
use crate::protocol::{ErrorCode, Failure, Offer, PublicKey, request};

/// The plan for everything that is offered in the folder.
pub(super) fn plan(
    cx: &Context,
    replica: &Replica,
    get: &request::Get,
    offers: impl Iterator<Item = Offer>,
) -> Result<FetchPlan, Failure> {
    let me = cx.registration.name().unwrap_or_default();
    let from = get.from.as_deref().map(NameKey::of);
    let wanted = |offer: &Offer| {
        offer.file.starts_with(&get.file)
            && offer.owner != me
            && from
                .as_ref()
                .is_none_or(|from| NameKey::of(&offer.owner) == *from || (offer.kept && from.as_str() == HUB))
    };
    let mut sources: Vec<Source> = Vec::new();
    let mut files: BTreeMap<String, PlannedFile> = BTreeMap::new();
    for offer in offers.filter(wanted) {
        let Some(key) = key_of(cx, replica, &offer) else { continue };
        let source = match sources.iter().position(|known| known.name == offer.owner) {
            Some(at) => at,
            None => {
                let address = SocketAddr::new(offer.address, offer.port);
                sources.push(Source { name: offer.owner.clone(), address, key, has: None });
                sources.len() - 1
            }
        };
        let file = match files.entry(offer.file.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(planned(get, &offer)?),
        };
        if file.hash != offer.hash {
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
    Ok(FetchPlan::of_folder(&get.file, files.into_values().collect(), sources, on_conflict))
}

/// A file of the folder, from nobody yet.
fn planned(get: &request::Get, offer: &Offer) -> Result<PlannedFile, Failure> {
    let target = match &get.to {
        Some(to) => {
            let below = offer.file.strip_prefix(get.file.as_str()).unwrap_or(&offer.file);
            format!("{}/{below}", to.trim_end_matches('/'))
        }
        None => offer.file.clone(),
    };
    let (file, hash, modified) = (offer.file.clone(), offer.hash, offer.modified);
    let chunking = offer.chunking().ok_or_else(unfit)?;
    Ok(PlannedFile { file, target, hash, chunking, modified, sources: Vec::new() })
}

/// The key that the server of an offer must prove to hold, if it is known.
fn key_of(cx: &Context, replica: &Replica, offer: &Offer) -> Option<PublicKey> {
    match offer.kept || offer.owner == HUB {
        true => cx.uplink.hub_key(),
        false => replica.find(&offer.owner).map(|client| client.key),
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
