//! How a parcel ends whose time is over.

use std::time::Duration;

use super::{Hands, Prepared};
use crate::core::session::pending::RequestId;
use crate::protocol::{ErrorCode, Failure};

/// How long after its time those who have claimed a parcel may fetch nothing of it.
const LINGER: Duration = Duration::from_secs(60);

impl Prepared {
    /// Ends what its time is over for. Whoever is fetching then may go on; whoever only stays there may not.
    pub(super) fn end_in_time(&mut self, hands: &mut Hands<'_>, id: &RequestId) {
        let now = hands.now;
        if self.over.is_none() && self.until.is_some_and(|(until, _)| until <= now) {
            self.over = Some(now + LINGER);
            let message = "Nobody has taken it in the time for which the code was good.";
            let hint = "Send it again, for another code, which is good for as long as it runs without --until.";
            self.sending.close(Failure::new(ErrorCode::NotTaken, message).hint(hint));
        }
        let Some(over) = &mut self.over else { return };
        if hands.transfers.is_giving_parcel(id) {
            *over = now + LINGER;
        } else if *over <= now {
            self.sending.end();
        }
    }
}
