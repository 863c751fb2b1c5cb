//! What a receiver keeps of the codes by which it is fetching something, so that it may come back over a kill of its
//! process.
//!
//! Each ticket is a file of its own, readable for its owner only, whose name is a hash of the hub's key and the code.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::io::fs::own_file::{read_json, replace_own};
use crate::protocol::parcel::Ticket;
use crate::protocol::{Code, PublicKey, to_json};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 10;
/// How many tickets are kept. Of more, the oldest are dropped.
const MAX_TICKETS: usize = 64;
/// How long a ticket is kept. No sender waits that long.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// What the names of the files end in.
const ENDING: &str = ".ticket";

/// The tickets of one client.
#[derive(Debug, Clone)]
pub struct Tickets(PathBuf);

impl Tickets {
    pub(crate) fn at(dir: &Path) -> Self {
        Self(dir.join("tickets"))
    }

    /// What was kept of a code at this hub. A file that cannot be read is as good as none.
    pub fn find(&self, hub: &PublicKey, code: &Code) -> Option<Ticket> {
        read_json(&self.file(hub, code), MAX_BYTES).filter(|ticket: &Ticket| ticket.code == *code)
    }

    /// Keeps a ticket, on disk when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, hub: &PublicKey, ticket: &Ticket) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        self.prune();
        replace_own(&self.file(hub, &ticket.code), &to_json(ticket))
    }

    /// Forgets what was kept of a code.
    pub fn drop(&self, hub: &PublicKey, code: &Code) {
        let _ = std::fs::remove_file(self.file(hub, code));
    }

    /// Drops those that are old, and the oldest if there are too many.
    fn prune(&self) {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(ENDING)));
        let mut all: Vec<(SystemTime, PathBuf)> =
            ours.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
        all.sort_unstable();
        let surplus = (all.len() + 1).saturating_sub(MAX_TICKETS);
        for (place, (kept, path)) in all.into_iter().enumerate() {
            if place < surplus || kept.elapsed().is_ok_and(|age| age > LONGEST) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn file(&self, hub: &PublicKey, code: &Code) -> PathBuf {
        let hash = blake3::hash(format!("{hub} {code}").as_bytes());
        self.0.join(format!("{}{ENDING}", &hash.to_hex()[..32]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    use crate::protocol::parcel::{Parcel, ParcelContent, ParcelKind};

    const HUB: PublicKey = PublicKey([1; 32]);

    fn ticket(number: u32) -> Ticket {
        let content = ParcelContent::Text("soup".into());
        let (kind, name) = (ParcelKind::Text, "a text".to_owned());
        let parcel = Parcel { kind, name, files: 0, size: 4, content, addresses: Vec::new(), port: 0 };
        Ticket { code: Code::new(number, 77), sender: PublicKey([2; 32]), parcel, resumption: [3; 32].into() }
    }

    #[test]
    fn a_ticket_is_found_for_its_code_at_its_hub_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let tickets = Tickets::at(dir.path());
        let ticket = ticket(8);
        assert_eq!(tickets.find(&HUB, &ticket.code), None);
        tickets.keep(&HUB, &ticket).unwrap();
        assert_eq!(tickets.find(&HUB, &ticket.code), Some(ticket.clone()));
        assert_eq!(tickets.find(&PublicKey([3; 32]), &ticket.code), None);
        assert_eq!(tickets.find(&HUB, &Code::new(8, 78)), None);
        let files: Vec<_> = std::fs::read_dir(&tickets.0).unwrap().flatten().collect();
        let name = files[0].file_name().into_string().unwrap();
        assert!(files.len() == 1 && ticket.code.words().split('-').all(|word| !name.contains(word)), "{name}");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        tickets.drop(&HUB, &ticket.code);
        assert_eq!(tickets.find(&HUB, &ticket.code), None);
    }

    #[test]
    fn no_more_are_kept_than_there_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let tickets = Tickets::at(dir.path());
        for number in 1..=MAX_TICKETS as u32 + 5 {
            tickets.keep(&HUB, &ticket(number)).unwrap();
        }
        assert_eq!(std::fs::read_dir(&tickets.0).unwrap().count(), MAX_TICKETS);
        assert!(tickets.find(&HUB, &Code::new(MAX_TICKETS as u32 + 5, 77)).is_some());
        std::fs::write(tickets.file(&HUB, &Code::new(9, 77)), "{").unwrap();
        assert_eq!(tickets.find(&HUB, &Code::new(9, 77)), None);
    }
}
