//! Logins whose passwords are being checked. There are few at a time, because each holds a password and checking is
//! slow, and nobody may have so many that others must wait.

use std::collections::{BTreeMap, HashMap};

use crate::core::hub::PeerId;
use crate::protocol::limits::{LOGINS_WAITING, LOGINS_WAITING_OF_ADDRESS, LOGINS_WAITING_OF_KEY};
use crate::protocol::name::NameKey;
use crate::protocol::{Id, Network, PublicKey};

/// A login whose password is being checked.
pub(in crate::core::hub) struct Attempt {
    pub(in crate::core::hub) peer: PeerId,
    pub(in crate::core::hub) request_id: Option<Id>,
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    pub(in crate::core::hub) address: String,
    pub(in crate::core::hub) key: PublicKey,
    pub(in crate::core::hub) network: Network,
    /// What a wrong password is counted for, see [`FailureRecord::whom`](crate::protocol::record::FailureRecord::whom),
    /// and how many failures are allowed.
    pub(in crate::core::hub) counted: Vec<(String, u32)>,
    /// The number of reloads of the names when the check began, see
    /// [`Credentials::is_news`](super::credentials::Credentials::is_news).
    pub(in crate::core::hub) reloads: u64,
}

/// What has a share of the logins that may be checked at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Key(PublicKey),
    Network(Network),
    /// A name, key or network whose failures are counted.
    Counted(String),
}

impl Attempt {
    fn holders(&self) -> impl Iterator<Item = Holder> {
        let counted = self.counted.iter().map(|(whom, _)| Holder::Counted(whom.clone()));
        [Holder::Key(self.key), Holder::Network(self.network)].into_iter().chain(counted)
    }
}

/// The logins that are being checked, by the numbers of their attempts, and how many each holder has.
#[derive(Default)]
pub(in crate::core::hub) struct Attempts {
    all: BTreeMap<u64, Attempt>,
    of: HashMap<Holder, usize>,
}

impl Attempts {
    pub(in crate::core::hub) fn insert(&mut self, number: u64, attempt: Attempt) {
        for holder in attempt.holders() {
            *self.of.entry(holder).or_default() += 1;
        }
        self.all.insert(number, attempt);
    }

    pub(in crate::core::hub) fn remove(&mut self, number: u64) -> Option<Attempt> {
        let attempt = self.all.remove(&number)?;
        for holder in attempt.holders() {
            if let Some(count) = self.of.get_mut(&holder) {
                *count -= 1;
                if *count == 0 {
                    self.of.remove(&holder);
                }
            }
        }
        Some(attempt)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.all.len()
    }

    fn of(&self, holder: &Holder) -> usize {
        self.of.get(holder).copied().unwrap_or(0)
    }

    /// How many of the logins that are being checked would count as failures of this name, key or network.
    pub(in crate::core::hub) fn counted(&self, whom: &str) -> u32 {
        u32::try_from(self.of(&Holder::Counted(whom.to_owned()))).unwrap_or(u32::MAX)
    }

    /// Whether one more login may be checked, in all and for its key and network. The hub's own machine has no limit
    /// for its network.
    pub(in crate::core::hub) fn has_room_for(&self, attempt: &Attempt) -> bool {
        let of_network = if attempt.network.is_loopback() { 0 } else { self.of(&Holder::Network(attempt.network)) };
        self.all.len() < LOGINS_WAITING
            && self.of(&Holder::Key(attempt.key)) < LOGINS_WAITING_OF_KEY
            && of_network < LOGINS_WAITING_OF_ADDRESS
    }
}
