//! Handles `search`: finds files by a part of their name, or by the first digits of their hash.

use std::collections::BTreeSet;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::state::{Key, ListedOffer, key};
use crate::protocol::limits::{FOUND_FILES, PAGE_LOOKS, SEARCH_BYTES};
use crate::protocol::line::pointer_at;
use crate::protocol::{ContentHash, ErrorCode, Event, Failure, event, request};

/// The fewest digits that are taken for the beginning of a hash.
const HASH_DIGITS: usize = 8;

/// The price of a search, in simple requests: it looks at some thousand names at most.
const PRICE: usize = 4;

/// The highest hash. Together with a file's name it is the place after all contents of that name.
const LAST_HASH: ContentHash = ContentHash([0xff; 32]);

/// A found file: its name and its content.
type Hit = (String, ContentHash);

/// The result of looking through some of the offers.
#[derive(Default)]
struct Finding {
    found: BTreeSet<Hit>,
    /// If the search was broken off: the last file that was looked at completely.
    up_to: Option<String>,
}

impl Finding {
    /// Looks for a text in the names of offers, until [`PAGE_LOOKS`] offers or more than [`FOUND_FILES`] hits. It stops
    /// only between files, so that a file is found with all its contents.
    fn look<'a>(&mut self, rows: impl Iterator<Item = (&'a Key, &'a ListedOffer)>, text: &str, after: &Hit) {
        let (mut looked, mut found) = (0, 0);
        let mut last: Option<(&str, bool)> = None;
        for ((file, _), listed) in rows {
            let matches = match last {
                Some((name, matches)) if *name == **file => matches,
                _ => {
                    if let Some((name, _)) = last.filter(|_| looked >= PAGE_LOOKS || found > FOUND_FILES) {
                        let up_to = self.up_to.take().map_or(name.to_owned(), |other| other.min(name.to_owned()));
                        self.up_to = Some(up_to);
                        break;
                    }
                    file.to_lowercase().contains(text)
                }
            };
            last = Some((file, matches));
            looked += 1;
            let hit = || (file.to_string(), listed.content.hash);
            if matches && (&**file, listed.content.hash) > (after.0.as_str(), after.1) && self.found.insert(hit()) {
                found += 1;
            }
        }
    }
}

impl Files {
    /// Handles `search`, one page at a time. Offers whose owners are gone are found as well.
    ///
    /// # Errors
    /// `not-registered`, `bad-request` for a text or place that is not valid, `slow-down`
    pub(in crate::core::hub) fn search(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: &request::Search,
    ) -> Result<Event, Failure> {
        cx.sessions.me(id)?;
        let text = request.text.trim();
        if text.is_empty() || text.len() > SEARCH_BYTES {
            let message = format!("Search for 1 to {SEARCH_BYTES} bytes of text.");
            return Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/text")));
        }
        // Going through the table delays other clients.
        (0..PRICE).try_for_each(|_| cx.spend_request(id))?;
        let limit = request.limit.map_or(FOUND_FILES, |limit| (limit as usize).clamp(1, FOUND_FILES));
        let after = request.after.as_deref().map(read_place).transpose()?;
        let after = after.unwrap_or((String::new(), ContentHash([0; 32])));
        let (name, from) = (text.to_lowercase(), key(&after.0, ""));
        let mut finding = Finding::default();
        finding.look(cx.journal.state.table().like(&from, &name), &name, &after);
        finding.look(self.holders.orphans().like(&from, &name), &name, &after);
        let digits = text.to_ascii_lowercase();
        if digits.len() >= HASH_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let hits = self.holders.of_hash(&digits).take(PAGE_LOOKS).map(|(hash, (file, _))| (file.to_string(), hash));
            finding.found.extend(hits.filter(|hit| *hit > after));
        }
        let Finding { found, up_to } = finding;
        let mut found: Vec<Hit> =
            found.into_iter().filter(|(file, _)| up_to.as_ref().is_none_or(|up_to| file <= up_to)).collect();
        let cut = found.len() > limit;
        found.truncate(limit);
        let next = match found.last().filter(|_| cut) {
            Some((file, hash)) => Some(format!("{file}/{hash}")),
            None => up_to.map(|file| format!("{file}/{LAST_HASH}")),
        };
        let files = found.iter().filter_map(|(file, hash)| self.found_file(cx, file, *hash)).collect();
        let (text, revision) = (text.to_owned(), cx.journal.state.revision());
        Ok(event::Found { text, revision, files, more: next.is_some(), next }.into())
    }
}

/// The place where a search goes on: the file's name, and its hash after the last `/`.
///
/// # Errors
/// `bad-request`
fn read_place(place: &str) -> Result<Hit, Failure> {
    let parts = place.rsplit_once('/').and_then(|(file, hash)| Some((file.to_owned(), hash.parse().ok()?)));
    parts.ok_or_else(|| {
        let message = "To go on, name the file that `next` named: FILE/HASH.";
        Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after"))
    })
}
