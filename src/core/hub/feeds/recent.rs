//! The newest messages in memory, for clients that are slightly behind.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::limits::{RECENT_BYTES, RECENT_MESSAGES};
use crate::protocol::name::NameKey;

/// A message that is on disk, as clients are told it.
pub(in crate::core::hub) struct Post {
    pub(in crate::core::hub) number: u64,
    /// The sender.
    pub(in crate::core::hub) from: NameKey,
    pub(in crate::core::hub) target: Target,
    /// The event, as it is sent.
    pub(in crate::core::hub) body: Arc<str>,
    /// Its size, in bytes.
    pub(in crate::core::hub) bytes: usize,
}

/// Whom a message is for.
pub(in crate::core::hub) enum Target {
    Lobby,
    Room(u64),
    /// One person.
    Person(NameKey),
}

/// The newest messages: at most [`RECENT_MESSAGES`] and [`RECENT_BYTES`].
#[derive(Default)]
pub(in crate::core::hub) struct Recent {
    posts: VecDeque<Arc<Post>>,
    bytes: usize,
    /// Every message with a higher number is here.
    after: u64,
    /// The newest message that is on disk.
    pub(in crate::core::hub) newest: u64,
    /// The newest message to the lobby that is on disk. For messages of earlier runs this is not known, so the newest
    /// of all counts.
    pub(in crate::core::hub) newest_to_all: u64,
}

impl Recent {
    /// No messages in memory; `newest` is the newest of earlier runs.
    pub(in crate::core::hub) fn new(newest: u64) -> Self {
        Self { posts: VecDeque::new(), bytes: 0, after: newest, newest, newest_to_all: newest }
    }

    /// Adds the newest message, and forgets the oldest beyond the limits.
    pub(in crate::core::hub) fn push(&mut self, post: Arc<Post>) {
        self.newest = post.number;
        if matches!(post.target, Target::Lobby) {
            self.newest_to_all = post.number;
        }
        self.bytes += post.bytes;
        self.posts.push_back(post);
        while self.posts.len() > RECENT_MESSAGES || self.bytes > RECENT_BYTES {
            let Some(old) = self.posts.pop_front() else { return };
            self.bytes -= old.bytes;
            self.after = old.number;
        }
    }

    /// The messages after a number; `None` if some of them are not here any more.
    pub(in crate::core::hub) fn since(&self, number: u64) -> Option<impl Iterator<Item = &Arc<Post>>> {
        let start = self.posts.partition_point(|post| post.number <= number);
        (number >= self.after).then(|| self.posts.range(start..))
    }
}
