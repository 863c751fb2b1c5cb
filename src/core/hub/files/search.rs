//! Who has files of a name or of a hash.

use std::collections::BTreeSet;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::state::{Key, Shelved, key};
use crate::protocol::limits::{FOUND_FILES, PAGE_LOOKS, SEARCH_BYTES};
use crate::protocol::line::pointer_at;
use crate::protocol::{ContentHash, ErrorCode, Event, Failure, event, request};

/// The fewest digits of a hash that are searched for.
const HASH_DIGITS: usize = 8;

/// What a search costs, in requests: it looks at some thousand names at most.
const PRICE: usize = 4;

/// The last hash that there can be: with a file it names the place after all of that file.
const LAST_HASH: ContentHash = ContentHash([0xff; 32]);

/// A file's name and its content.
type Hit = (String, ContentHash);

/// What was found in a part of the offers.
#[derive(Default)]
struct Finding {
    found: BTreeSet<Hit>,
    /// Where it was broken off: everything up to this file was looked at. `None`: everything.
    up_to: Option<String>,
}

impl Finding {
    /// Looks for a text in the names of offers. A file is looked at whole, so that it is found with all its contents.
    fn look<'a>(&mut self, rows: impl Iterator<Item = (&'a Key, &'a Shelved)>, text: &str, after: &Hit) {
        let (mut looked, mut found) = (0, 0);
        let mut last: Option<(&str, bool)> = None;
        for ((file, _), shelved) in rows {
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
            let hit = || (file.to_string(), shelved.content.hash);
            if matches && (&**file, shelved.content.hash) > (after.0.as_str(), after.1) && self.found.insert(hit()) {
                found += 1;
            }
        }
    }
}

impl Files {
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
        // Looking through the table takes its time, which others pay for with theirs.
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

/// A place among what is found, as it is written: the file, and its hash after the last `/`.
fn read_place(place: &str) -> Result<Hit, Failure> {
    let parts = place.rsplit_once('/').and_then(|(file, hash)| Some((file.to_owned(), hash.parse().ok()?)));
    parts.ok_or_else(|| {
        let message = "To go on, name the file that `next` named: FILE/HASH.";
        Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after"))
    })
}
