//! The ways to a peer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a connection to a peer goes. The best way comes first, so the lesser of two is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Straight to one of the peer's addresses.
    #[default]
    Direct,
    /// Straight, after both sides dialled each other at the same moment through their routers.
    Punched,
    /// Through the hub, which joins two connections and cannot read what passes.
    Relayed,
}

impl Route {
    /// Its name in JSON and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Punched => "punched",
            Self::Relayed => "relayed",
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_way_comes_first_and_is_called_the_same_everywhere() {
        let all = [Route::Direct, Route::Punched, Route::Relayed];
        assert!(all.is_sorted());
        for route in all {
            assert_eq!(serde_json::to_value(route).unwrap(), route.to_string());
        }
    }
}
