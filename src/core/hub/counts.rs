//! What a hub shows to whoever tests it.

use super::Hub;

impl Hub {
    /// How much there is of everything that must go with those for whom it is there; for tests.
    #[doc(hidden)]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let challenges = self.peers.values().filter(|peer| peer.challenge.is_some()).count();
        let mut counts = vec![
            ("strangers", self.strangers.len()),
            ("peers", self.peers.len()),
            ("connections", self.conns.len()),
            ("names in use", self.online.len()),
            ("registrations", self.underway.len()),
            ("fetchers", self.fetchers.len()),
            ("logins", self.attempts.len()),
            ("awaiting", self.awaiting.len()),
            ("questions", self.queries.len()),
            ("held", self.commits.len()),
            ("unsaved", self.unsaved.len()),
            ("timers", self.session_timers()),
            ("talking", self.talking.len()),
            ("challenges", challenges),
            ("room news", self.room_news.len()),
            ("roster", self.state.roster().len()),
            ("chores", self.chores.len()),
            ("outputs", self.out.len()),
        ];
        counts.extend(self.holders.counts());
        counts.extend(self.state.pushes().counts());
        counts.push(("wanted copies", self.state.copies().count_wished()));
        counts.extend(self.copies.counts());
        counts
    }
}
