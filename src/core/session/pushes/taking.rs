//! What others want to give us: told, accepted by itself or by hand, and over.

use super::Offered;
use crate::core::session::requests::{Mark, Pending};
use crate::core::session::{AcceptFrom, Origin, Session};
use crate::core::time::Time;
use crate::protocol::limits::PUSHES_TO_ONE;
use crate::protocol::name::{NameKey, check_file, check_person};
use crate::protocol::{event, request};

impl Session {
    /// Somebody wants to give us a file. Whether that is accepted by itself was decided when we were started.
    pub(in crate::core::session) fn push_offered(&mut self, now: Time, mut offered: event::PushOffered) {
        if let Err(failure) = check_file(&offered.file).and_then(|()| check_person(&offered.from)) {
            return self.tell(now, event::Error::from(failure));
        }
        let (at_hub, known) = (offered.push, self.pushes.told_as(offered.push));
        if self.pushes.offered.len() >= PUSHES_TO_ONE && known.is_none() {
            return;
        }
        offered.push = known.unwrap_or_else(|| self.numbers.take_over(at_hub));
        self.pushes.offered.insert(offered.push, Offered { push: at_hub, told: offered.clone(), gone: false });
        let welcome = match &self.config.accept_from {
            AcceptFrom::Nobody => false,
            AcceptFrom::Names(names) => names.iter().any(|name| NameKey::of(name) == NameKey::of(&offered.from)),
            AcceptFrom::All => true,
        };
        // A hidden file can do much in a home folder: it is taken by hand alone.
        let accepted = welcome && !offered.file.starts_with('.');
        let push = offered.push;
        self.tell(now, offered);
        if accepted {
            let request = request::Accept { push, to: None, on_conflict: None };
            let pending = Pending { said_to_wait: true, ..Pending::new(Mark::default(), request.clone().into(), 0) };
            let asked = request::Accept { push: at_hub, ..request };
            self.ask(now, asked.into(), Origin::User(Box::new(pending)));
        }
    }

    pub(in crate::core::session) fn push_gone(&mut self, now: Time, gone: event::PushGone) {
        let Some(push) = self.pushes.told_as(gone.push) else { return };
        // Whoever gives it takes it back when it has arrived: what we have accepted and fetch ends by itself.
        if self.running.contains_key(&push) {
            if let Some(offered) = self.pushes.offered.get_mut(&push) {
                offered.gone = true;
            }
            return;
        }
        self.pushes.offered.remove(&push);
        self.tell(now, event::PushGone { push, ..gone });
    }

    /// What we have accepted could not be fetched, and nobody gives it any more.
    pub(in crate::core::session) fn gone_meanwhile(&mut self, now: Time, number: u64) {
        let gone = self.pushes.offered.get(&number).filter(|offered| offered.gone).map(|offered| offered.told.clone());
        if let Some(event::PushOffered { from, file, .. }) = gone {
            self.pushes.offered.remove(&number);
            self.tell(now, event::PushGone { push: number, from, file });
        }
    }

    /// What was offered under this number.
    pub(in crate::core::session) fn offered_push(&self, number: u64) -> Option<&event::PushOffered> {
        self.pushes.offered.get(&number).map(|offered| &offered.told)
    }

    /// The push of this number is over, unless it is being fetched.
    pub(in crate::core::session) fn forget_push(&mut self, number: u64) {
        if !self.running.contains_key(&number) {
            self.pushes.offered.remove(&number);
        }
    }
}
