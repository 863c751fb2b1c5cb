//! What a sender keeps on its disk, and how it goes on with that after a kill of its process.

use std::collections::BTreeMap;

use super::{Admitted, Returns, Sending};
use crate::core::exchange::{Life, Over, Resumption};
use crate::core::secrets::Secrets;
use crate::protocol::parcel::{SentCode, SentTo};
use crate::protocol::{PublicKey, Timestamp};

impl Sending {
    /// The same parcel after a kill of the process, with what was kept. Nothing if its code is good for nobody any more.
    pub fn recalled(ours: PublicKey, word: Vec<u8>, kept: &SentCode, secrets: &mut Secrets) -> Option<Self> {
        let SentCode { code, times, right, answered, admitted, .. } = kept;
        let mut known = BTreeMap::new();
        for SentTo { key, receiver, resumption, has_all } in admitted {
            let resumption = Resumption::recalled(&resumption.0).ok()?;
            let returns = Returns::default();
            known.insert(*key, Admitted { receiver: *receiver, resumption, has_all: *has_all, returns });
        }
        let received = known.values().filter(|admitted| admitted.has_all).count() as u64;
        let life = Life::recalled(Some(*times), *right, *answered);
        let new = Self::new(ours, *times, word, secrets);
        let sending = Self { code: Some(code.clone()), life, admitted: known, received, ..new };
        let is_of_use = sending.life.over() != Some(Over::Guessed) && !sending.is_received_by_all();
        is_of_use.then_some(sending)
    }

    /// What is to be kept on disk, if that has changed. It must be there before anything is said.
    pub fn to_keep(&mut self, until: Option<Timestamp>) -> Option<SentCode> {
        let code = self.code.clone().filter(|_| std::mem::take(&mut self.changed))?;
        let admitted = self.admitted.iter().map(|(key, admitted)| SentTo {
            key: *key,
            receiver: admitted.receiver,
            resumption: admitted.resumption.to_keep().into(),
            has_all: admitted.has_all,
        });
        let (right, answered) = (self.life.right(), self.life.is_answered() || self.life.over() == Some(Over::Guessed));
        Some(SentCode { code, times: self.times, right, answered, until, admitted: admitted.collect() })
    }
}
