//! Checks what a sender says of its parcel. Its sender is whoever knew the code, and not to be believed.

use std::collections::BTreeSet;

use crate::protocol::limits::{PARCEL_FILES, PARCEL_INLINE, PARCEL_LISTING, PARCEL_TEXT};
use crate::protocol::name::check_file;
use crate::protocol::parcel::{Parcel, ParcelContent};
use crate::protocol::{Content, ErrorCode, Failure};

/// The longest name of a parcel that is shown, in bytes.
const NAME_BYTES: usize = 4 << 10;

/// Checks a parcel: its name, its text, and its files unless they are listed elsewhere.
///
/// # Errors
/// `peer-broke` if it cannot be.
pub fn check_parcel(parcel: &Parcel) -> Result<(), Failure> {
    if parcel.name.is_empty() || parcel.name.len() > NAME_BYTES {
        return unfit("The parcel has no usable name.");
    }
    match &parcel.content {
        ParcelContent::Text(text) if text.len() > PARCEL_TEXT => unfit("The text is too long."),
        ParcelContent::Text(_) => Ok(()),
        ParcelContent::Files(files) if files.len() > PARCEL_INLINE => unfit("Too many files are named at once."),
        ParcelContent::Files(files) => check_files(parcel, files),
        ParcelContent::Listed(listing) if listing.size > PARCEL_LISTING || listing.chunking().is_none() => {
            unfit("The list of the files is too long.")
        }
        ParcelContent::Listed(_) => Ok(()),
    }
}

/// Checks the files of a parcel: their names, their sizes, that they are as many as was said, and that no two of them
/// want one place.
///
/// # Errors
/// `peer-broke` if they do not fit.
pub fn check_files(parcel: &Parcel, files: &[Content]) -> Result<(), Failure> {
    if files.is_empty() || files.len() > PARCEL_FILES || files.len() as u64 != parcel.files {
        return unfit("The parcel has another number of files than its sender says.");
    }
    let size = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.size));
    if size != Some(parcel.size) || files.iter().any(|file| file.chunking().is_none()) {
        return unfit("The files of the parcel have other sizes than its sender says.");
    }
    if let Some(Err(bad)) = files.iter().map(|file| check_file(&file.file)).find(Result::is_err) {
        return unfit(&format!("The sender gives a file a name that cannot be: {}.", bad.message));
    }
    let names: BTreeSet<&str> = files.iter().map(|file| &*file.file).collect();
    // A name that is also a folder of another one.
    let is_file = |folder: Option<&str>| folder.is_some_and(|folder| names.contains(folder));
    let is_folder = |name: &&str| name.match_indices('/').any(|(at, _)| is_file(name.get(..at)));
    if names.len() < files.len() || names.iter().any(is_folder) {
        return unfit("The sender gives two files the same place.");
    }
    Ok(())
}

fn unfit(message: &str) -> Result<(), Failure> {
    Err(Failure::new(ErrorCode::PeerBroke, message.to_owned()).hint("Ask whoever sends it to send it again."))
}
