//! Limits the log lines about refused requests. A client that is refused for the same reason again and again gets
//! [`LINES`] lines a second, and one that says how many more there were, so that nobody can fill the log.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::ErrorCode;
use crate::protocol::log::RequestRefused;

/// Time for which the refusals of one client with one error code are counted together.
const SPAN: Duration = Duration::from_secs(1);

/// The number of refusals within that time that have a log line of their own.
const LINES: u32 = 5;

/// The most counts at one time; beyond, every refusal has a line. Only reachable by clients that come and go all the
/// time.
const COUNTED: usize = 16_384;

type Subject = (PeerId, ErrorCode);

/// The refusals of the last second, and when each count ends.
#[derive(Default)]
pub(in crate::core::hub) struct Refusals {
    of: HashMap<Subject, Count>,
    due: BTreeSet<(Time, Subject)>,
}

/// The refusals of one client with one error code within [`SPAN`].
#[derive(Default)]
struct Count {
    lines: u32,
    /// The newest refusal without a line; its `more` is the number of others without one.
    left_out: Option<RequestRefused>,
}

impl Refusals {
    /// Counts a refusal, and returns its log line if it is to be written now.
    pub(in crate::core::hub) fn add(&mut self, now: Time, id: PeerId, line: RequestRefused) -> Option<RequestRefused> {
        let subject = (id, line.code);
        if !self.of.contains_key(&subject) {
            if self.of.len() >= COUNTED {
                return Some(line);
            }
            self.due.insert((now + SPAN, subject));
        }
        let count = self.of.entry(subject).or_default();
        if count.lines < LINES {
            count.lines += 1;
            return Some(line);
        }
        let more = count.left_out.take().map(|before| before.more.unwrap_or(0) + 1);
        count.left_out = Some(RequestRefused { more, ..line });
        None
    }

    /// When the next count ends.
    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Ends a count that is due, and returns the line about what had none. `None` if no count is due.
    pub(in crate::core::hub) fn next(&mut self, now: Time) -> Option<Option<RequestRefused>> {
        self.due().filter(|due| *due <= now)?;
        let (_, subject) = self.due.pop_first()?;
        Some(self.of.remove(&subject).and_then(|count| count.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(code: ErrorCode) -> RequestRefused {
        RequestRefused { name: "dora".into(), request: "get".into(), code, message: "No.".into(), more: None }
    }

    #[test]
    fn who_is_refused_all_the_time_has_some_lines_a_second_and_none_is_lost_count_of() {
        let mut refusals = Refusals::default();
        let (mut lines, mut counted, mut now) = (0, 0, Time(0));
        for _ in 0..10_000 {
            now = now + Duration::from_micros(500);
            let mut written: Vec<_> = refusals.add(now, 1, line(ErrorCode::SlowDown)).into_iter().collect();
            while let Some(line) = refusals.next(now) {
                written.extend(line);
            }
            lines += written.len();
            counted += written.iter().map(|line| 1 + line.more.unwrap_or(0)).sum::<u64>();
        }
        assert!(lines <= 36, "{lines} lines in five seconds");
        while let Some(line) = refusals.next(now + SPAN) {
            counted += line.map_or(0, |line| 1 + line.more.unwrap_or(0));
        }
        assert_eq!(counted, 10_000);
        assert!(refusals.of.is_empty() && refusals.due().is_none());
    }

    #[test]
    fn other_clients_and_other_reasons_have_their_lines_and_few_are_all_written() {
        let mut refusals = Refusals::default();
        for _ in 0..100 {
            refusals.add(Time(0), 1, line(ErrorCode::SlowDown));
        }
        assert!(refusals.add(Time(0), 2, line(ErrorCode::SlowDown)).is_some());
        assert!(refusals.add(Time(0), 1, line(ErrorCode::NotOffered)).is_some());
        assert_eq!(refusals.next(Time(0)), None);
        let rest: Vec<_> = std::iter::from_fn(|| refusals.next(Time(0) + SPAN)).flatten().collect();
        assert_eq!(rest, [RequestRefused { more: Some(94), ..line(ErrorCode::SlowDown) }]);
    }
}
