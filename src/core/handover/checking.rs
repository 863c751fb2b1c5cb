//! Checks what a sender says of its parcel. Its sender is whoever knew the code, and not to be believed.
//!
//! What is shown is what is written: the name of a parcel follows from its files, and another one is refused.

use std::collections::BTreeSet;

use crate::protocol::limits::{PARCEL_FILES, PARCEL_INLINE, PARCEL_LISTING, PARCEL_TEXT};
use crate::protocol::name::check_file;
use crate::protocol::parcel::{Parcel, ParcelContent, ParcelKind, TEXT_NAME, name_of, stream_name};
use crate::protocol::{Code, Content, ErrorCode, Failure};

/// The longest name of a parcel that is shown, in bytes.
const NAME_BYTES: usize = 4 << 10;

/// Checks a parcel: that it is of its kind, its text, and its files and its name unless they are listed elsewhere.
///
/// # Errors
/// `peer-broke` if it cannot be.
pub fn check_parcel(parcel: &Parcel) -> Result<(), Failure> {
    if parcel.name.is_empty() || parcel.name.len() > NAME_BYTES {
        return unfit("The parcel has no usable name.");
    }
    match (parcel.kind, &parcel.content) {
        (ParcelKind::Text, ParcelContent::Text(text)) => check_text(parcel, text),
        (ParcelKind::Files | ParcelKind::Stream, ParcelContent::Files(files)) if files.len() > PARCEL_INLINE => {
            unfit("Too many files are named at once.")
        }
        (ParcelKind::Files | ParcelKind::Stream, ParcelContent::Files(files)) => check_files(parcel, files),
        (ParcelKind::Files, ParcelContent::Listed(listing)) => check_listing(parcel, listing),
        (ParcelKind::Text, ParcelContent::Files(_) | ParcelContent::Listed(_))
        | (ParcelKind::Stream, ParcelContent::Text(_) | ParcelContent::Listed(_))
        | (ParcelKind::Files, ParcelContent::Text(_)) => unfit("The parcel is not of the kind that its sender says."),
    }
}

fn check_text(parcel: &Parcel, text: &str) -> Result<(), Failure> {
    if text.len() > PARCEL_TEXT {
        return unfit("The text is too long.");
    }
    if parcel.files != 0 || parcel.size != text.len() as u64 || parcel.name != TEXT_NAME {
        return unfit("The text is not what its sender says.");
    }
    Ok(())
}

/// What a listed parcel is called is checked once the list is here; until then it is at least no path.
fn check_listing(parcel: &Parcel, listing: &Content) -> Result<(), Failure> {
    if listing.size > PARCEL_LISTING || listing.chunking().is_none() {
        return unfit("The list of the files is too long.");
    }
    let name = parcel.name.strip_suffix('/').unwrap_or(&parcel.name);
    if name.contains('/') || check_file(name).is_err() {
        return unfit("The parcel has no usable name.");
    }
    Ok(())
}

/// Checks the files of a parcel: their names, their sizes, that they are as many as was said, that no two of them want one
/// place, and that the parcel is called by them.
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
    let is_stream = |file: &Content| files.len() == 1 && *file.file == *stream_name(&file.hash);
    if parcel.kind == ParcelKind::Stream && !files.first().is_some_and(is_stream) {
        return unfit("The stream has a name, and none has: its sender is false, or of another version.");
    }
    if parcel.name != name_of(files.iter().map(|file| &*file.file)) {
        return unfit("The parcel is called otherwise than its files: its sender is false, or of another version.");
    }
    Ok(())
}

/// Checks that no file goes to a hidden place at the top, where programs and shells look for what they obey. Whoever wants
/// it gives it a name. Below a folder that is not hidden, anything is allowed.
///
/// # Errors
/// `bad-name`, with the way out.
pub fn check_not_hidden(code: &Code, files: &[Content]) -> Result<(), Failure> {
    let Some(hidden) = files.iter().find(|file| file.file.starts_with('.')) else { return Ok(()) };
    let top = hidden.file.split('/').next().unwrap_or_default();
    let message = format!("It would be put at {top}, a hidden name, where programs may look for what they obey.");
    let hint = format!(
        "If you want it, say under which name: `potluck receive {}-… --output NAME` (`to` in a request). Nothing was fetched, and the code is still yours.",
        code.nameplate()
    );
    Err(Failure::new(ErrorCode::BadName, message).hint(hint))
}

fn unfit(message: &str) -> Result<(), Failure> {
    Err(Failure::new(ErrorCode::PeerBroke, message.to_owned()).hint("Ask whoever sends it to send it again."))
}
