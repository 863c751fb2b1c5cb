//! What is fetched of a parcel, and where it is put.

use std::net::SocketAddr;

use crate::core::fetch::plan::unfit;
use crate::core::fetch::{FetchPlan, PlannedFile, Source};
use crate::core::session::PassesOn;
use crate::protocol::code::Nameplate;
use crate::protocol::parcel::Parcel;
use crate::protocol::{Content, Failure, OnConflict, PublicKey};

/// Who has a parcel.
pub(super) struct Sender {
    pub(super) key: PublicKey,
    pub(super) nameplate: Nameplate,
    pub(super) address: SocketAddr,
}

impl Sender {
    fn source(&self) -> Source {
        Source { name: format!("sender of {}", self.nameplate), address: self.address, key: self.key, has: None }
    }
}

/// The plan for the files of a parcel, which were checked. One file is put where `to` says, several are put below it.
///
/// # Errors
/// `peer-broke` if a file cannot be cut as its sender says.
pub(super) fn plan(
    parcel: &Parcel,
    files: &[Content],
    sender: &Sender,
    to: Option<&str>,
    (on_conflict, passes_on): (OnConflict, PassesOn),
) -> Result<FetchPlan, Failure> {
    let source = sender.source();
    let to = to.map(|to| to.trim_end_matches('/'));
    let mut plan = match files {
        [file] => {
            let chunking = file.chunking().ok_or_else(unfit)?;
            let mut plan = FetchPlan::of_file(&file.file, file.hash, chunking, vec![source]);
            plan.files[0].modified = file.modified;
            if let Some(to) = to {
                plan.files[0].target = to.to_owned();
            }
            plan
        }
        files => {
            let top = shared_top(files).unwrap_or_default();
            let planned = files.iter().map(|file| {
                let below = |to: &str| format!("{to}/{}", file.file.strip_prefix(top).unwrap_or(&file.file));
                let target = to.map_or_else(|| file.file.to_string(), below);
                let (name, hash, modified) = (file.file.to_string(), file.hash, file.modified);
                let chunking = file.chunking().ok_or_else(unfit)?;
                Ok(PlannedFile { file: name, target, hash, chunking, modified, sources: vec![0] })
            });
            let planned = planned.collect::<Result<Vec<_>, Failure>>()?;
            let name = format!("{}/", parcel.name.trim_end_matches('/'));
            FetchPlan::of_folder(&name, planned, vec![source], on_conflict)
        }
    };
    // What is given to us alone is not for others, and its sender is known by its key.
    (plan.on_conflict, plan.share, plan.by_key) = (on_conflict, false, true);
    plan.apart = passes_on.takes(parcel.kind);
    Ok(plan)
}

/// The plan for a listing of the files of a parcel.
///
/// # Errors
/// `peer-broke` if it cannot be cut as its sender says.
pub(super) fn plan_listing(listing: &Content, sender: &Sender) -> Result<FetchPlan, Failure> {
    let chunking = listing.chunking().ok_or_else(unfit)?;
    let mut plan = FetchPlan::of_file("listing", listing.hash, chunking, vec![sender.source()]);
    (plan.share, plan.by_key) = (false, true);
    Ok(plan)
}

/// The folder that all files are in, if there is one, with its `/`. With `to`, that is the one that is renamed.
fn shared_top(files: &[Content]) -> Option<&str> {
    let top = files.first()?.file.split_inclusive('/').next().filter(|top| top.ends_with('/'))?;
    files.iter().all(|file| file.file.starts_with(top)).then_some(top)
}
