//! Who fetches.

use std::path::Path;

use super::local_peer::LocalPeer;
use crate::io::content::store::ContentStore;

/// Who fetches, what they serve meanwhile, and where it goes.
pub struct Fetcher<'a> {
    /// 16 lower-case hex digits, new for each transfer; by it a source knows which of our connections belong together.
    pub token: String,
    /// From this follows with which chunk it begins; with 0 it is the first.
    pub seed: u64,
    /// The download folder. It must exist.
    pub folder: &'a Path,
    /// Who we are.
    pub local: &'a LocalPeer,
    /// What we serve: what is verified is on it from then on, until [`ContentStore::forget`], unless it is not to be shared.
    pub store: &'a ContentStore,
}
