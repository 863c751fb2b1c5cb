//! Parcels that can be fetched: each by the holders of the keys that were admitted, and by nobody else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::stored_content::StoredContent;
use crate::protocol::{ContentHash, PublicKey};

/// The files of a parcel, by their contents.
pub(in crate::io) type ParcelFiles = HashMap<ContentHash, Arc<StoredContent>>;

/// The parcels of a content store.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    files: HashMap<u64, ParcelFiles>,
    receivers: HashMap<PublicKey, Receiver>,
}

/// Somebody who may fetch parcels.
#[derive(Debug)]
struct Receiver {
    /// By which they are told about.
    name: String,
    parcels: HashSet<u64>,
}

impl Parcels {
    /// Keeps the files of the parcel with this number. Nobody may fetch them yet.
    pub(super) fn put(&mut self, parcel: u64, files: ParcelFiles) {
        self.files.insert(parcel, files);
    }

    /// Lets the holder of this key fetch a parcel.
    pub(super) fn admit(&mut self, parcel: u64, key: PublicKey, name: String) {
        let receiver = self.receivers.entry(key).or_insert_with(|| Receiver { name, parcels: HashSet::new() });
        receiver.parcels.insert(parcel);
    }

    /// Nobody may fetch a parcel any more. Returns those who may fetch none now.
    pub(super) fn drop(&mut self, parcel: u64) -> Vec<PublicKey> {
        self.files.remove(&parcel);
        let without = self.receivers.extract_if(|_, receiver| {
            receiver.parcels.remove(&parcel);
            receiver.parcels.is_empty()
        });
        without.map(|(key, _)| key).collect()
    }

    /// The name of whoever may fetch a parcel by this key.
    pub(super) fn receiver(&self, key: &PublicKey) -> Option<&str> {
        self.receivers.get(key).map(|receiver| receiver.name.as_str())
    }

    /// A content of a parcel that the holder of this key may fetch.
    pub(super) fn find(&self, key: &PublicKey, hash: &ContentHash) -> Option<&Arc<StoredContent>> {
        let parcels = self.receivers.get(key)?.parcels.iter();
        parcels.filter_map(|parcel| self.files.get(parcel)).find_map(|files| files.get(hash))
    }
}
