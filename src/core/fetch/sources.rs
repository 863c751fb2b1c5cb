//! Who can be asked, by the numbers that the plan gives them; those that are learned of later follow.

use std::net::SocketAddr;

use super::plan::Source;
use crate::protocol::{PublicKey, Route};

/// The most sources that one transfer remembers.
const MAX_SOURCES: usize = 4_096;

/// One source, whatever it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: String,
    address: SocketAddr,
    key: PublicKey,
    /// The bytes that came from it, verified and written.
    pub(super) bytes: u64,
    /// It sent something wrong: it is never asked again.
    pub(super) lied: bool,
    /// Which way the last lane to it went that was connected. If there was any, it can be waited for.
    pub(super) route: Option<Route>,
    /// It has left, as far as is known: it is not waited for.
    left: bool,
    /// Of a folder: it gives nothing in chunks any more.
    pub(super) skipped: bool,
    /// Of a folder: that it is not used any more was told.
    told: bool,
}

/// All sources of a transfer.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(Vec<Known>);

/// What is new of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is new, with this number.
    New,
    /// It has been known, under this number, and is elsewhere by now if so.
    Again(u32, bool),
    /// It is of no use.
    Useless,
}

impl Sources {
    /// Takes a source in, or takes note of where a known one is.
    pub(super) fn hear_of(&mut self, source: &Source) -> Heard {
        if let Some((number, known)) = (0..).zip(&mut self.0).find(|(_, known)| known.key == source.key) {
            if known.lied {
                return Heard::Useless;
            }
            known.left = false;
            let moved = std::mem::replace(&mut known.address, source.address) != source.address;
            return Heard::Again(number, moved);
        }
        if self.0.len() >= MAX_SOURCES {
            return Heard::Useless;
        }
        self.add(source);
        Heard::New
    }

    /// Takes a source in.
    pub(super) fn add(&mut self, Source { name, address, key, has: _ }: &Source) {
        let (name, address, key) = (name.clone(), *address, *key);
        self.0.push(Known {
            name,
            address,
            key,
            bytes: 0,
            lied: false,
            route: None,
            left: false,
            skipped: false,
            told: false,
        });
    }

    /// Where a source is, and who it must be.
    pub(super) fn place(&self, number: u32) -> Option<(SocketAddr, PublicKey)> {
        self.get(number).map(|known| (known.address, known.key))
    }

    pub(super) fn all(&self) -> &[Known] {
        &self.0
    }

    pub(super) fn get(&self, number: u32) -> Option<&Known> {
        self.0.get(number as usize)
    }

    pub(super) fn came_from(&mut self, number: u32, bytes: u64) {
        if let Some(known) = self.0.get_mut(number as usize) {
            known.bytes = known.bytes.saturating_add(bytes);
        }
    }

    /// The number of the source with this key.
    pub(super) fn number(&self, key: &PublicKey) -> Option<u32> {
        (0..).zip(&self.0).find(|(_, known)| known.key == *key).map(|(number, _)| number)
    }

    /// A lane to it is connected, this way.
    pub(super) fn reached(&mut self, number: u32, route: Route) {
        if let Some(known) = self.0.get_mut(number as usize) {
            (known.route, known.left) = (Some(route), false);
        }
    }

    /// It serves at this address. Says whether that is another one than before.
    pub(super) fn is_at(&mut self, number: u32, address: SocketAddr) -> bool {
        let Some(known) = self.0.get_mut(number as usize) else { return false };
        known.left = false;
        std::mem::replace(&mut known.address, address) != address
    }

    /// It has left.
    pub(super) fn leaves(&mut self, number: u32) {
        self.0.get_mut(number as usize).into_iter().for_each(|known| known.left = true);
    }

    /// Whether it may be back soon if it is lost.
    pub(super) fn may_return(&self, number: u32) -> bool {
        self.get(number).is_some_and(|known| known.route.is_some() && !known.left && !known.lied)
    }

    pub(super) fn set_lied(&mut self, number: u32) {
        self.0.get_mut(number as usize).into_iter().for_each(|known| known.lied = true);
    }

    pub(super) fn skip(&mut self, number: u32) {
        self.0.get_mut(number as usize).into_iter().for_each(|known| known.skipped = true);
    }

    /// Its name, the first time that it is to be told of as not used any more.
    pub(super) fn tell(&mut self, number: u32) -> Option<String> {
        let known = self.0.get_mut(number as usize)?;
        (!std::mem::replace(&mut known.told, true)).then(|| known.name.clone())
    }
}
