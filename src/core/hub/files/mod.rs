//! Files: who offers and who holds what, and what the hub keeps of it.

pub(in crate::core::hub) mod chores;
pub(in crate::core::hub) mod copies;
pub(in crate::core::hub) mod holders;
pub(in crate::core::hub) mod locate;
pub(in crate::core::hub) mod offers;
pub(in crate::core::hub) mod orphans;
pub(in crate::core::hub) mod pages;
pub(in crate::core::hub) mod search;

use crate::core::hub::files::chores::Chores;
use crate::core::hub::files::copies::Copies;
use crate::core::hub::files::holders::Holders;

/// What is known of files beside the table.
pub(in crate::core::hub) struct Files {
    /// Who has which content.
    pub(in crate::core::hub) holders: Holders,
    /// What is done for the copies of others' files.
    pub(in crate::core::hub) copies: Copies,
    /// What is done with very many offers, a part at a time.
    pub(in crate::core::hub) chores: Chores,
}
