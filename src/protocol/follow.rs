//! What a client wants to be told by itself: so that whoever asks one thing is not sent everything.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How something that changes is followed: what is offered, or who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// Nothing is told; what is asked for is answered by the hub.
    None,
    /// What changes from now on is told.
    Changes,
    /// All there is is told, then what changes.
    #[default]
    Table,
}

/// What a client follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    /// What is offered.
    #[serde(default)]
    pub table: Follow,
    /// Who is there.
    #[serde(default)]
    pub roster: Follow,
}

impl Follows {
    /// Nothing at all.
    pub const NOTHING: Self = Self { table: Follow::None, roster: Follow::None };

    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}
