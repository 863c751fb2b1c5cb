//! Which changes a client wants to be told without asking: those of the table, and those of the roster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a client follows the table or the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// It is told nothing. Requests are answered by the hub.
    None,
    /// It is told every change from now on.
    Changes,
    /// It is told everything first, then every change.
    #[default]
    Table,
}

/// How a client follows the table and the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    /// How it follows the table: the offers.
    #[serde(default)]
    pub table: Follow,
    /// How it follows the roster: the clients that are there.
    #[serde(default)]
    pub roster: Follow,
}

impl Follows {
    /// Follows neither.
    pub const NOTHING: Self = Self { table: Follow::None, roster: Follow::None };

    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}
