//! Files: who offers and who holds which content, and the copies that the hub keeps.
//!
//! The table of offers is part of the state. [`Files`] owns what is known beside it: who has fetched which content
//! (`holders`), the offers whose owners are gone (`orphans`), the copies that the hub makes for others (`copies`), and
//! changes of very many offers that are carried out in portions (`chores`). `offers` changes the table; `locate`,
//! `search` and `pages` answer requests from it.

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

/// What is known of files beside the table of offers.
pub(in crate::core::hub) struct Files {
    /// Who has which content.
    pub(in crate::core::hub) holders: Holders,
    /// The copies that the hub makes and keeps of clients' files.
    pub(in crate::core::hub) copies: Copies,
    /// Changes of very many offers, carried out in portions.
    pub(in crate::core::hub) chores: Chores,
}
