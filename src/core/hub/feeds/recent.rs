//! The newest messages, for clients that are a little behind.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::limits::{RECENT_BYTES, RECENT_MESSAGES};
use crate::protocol::name::NameKey;

/// Something that was said, and is on disk.
pub(in crate::core::hub) struct Post {
    pub(in crate::core::hub) number: u64,
    /// Who said it.
    pub(in crate::core::hub) from: NameKey,
    pub(in crate::core::hub) target: Target,
    pub(in crate::core::hub) body: Arc<str>,
    pub(in crate::core::hub) bytes: usize,
}

/// Whom it is for.
pub(in crate::core::hub) enum Target {
    Lobby,
    Room(u64),
    /// Somebody, by the key of their name.
    Person(NameKey),
}

/// The newest that was said.
#[derive(Default)]
pub(in crate::core::hub) struct Recent {
    posts: VecDeque<Arc<Post>>,
    bytes: usize,
    /// Everything after this number is here.
    after: u64,
    /// The newest message that is on disk.
    pub(in crate::core::hub) newest: u64,
    /// The newest of those that were to everybody; of what was said before the hub started, the newest may be.
    pub(in crate::core::hub) newest_to_all: u64,
}

impl Recent {
    pub(in crate::core::hub) fn new(newest: u64) -> Self {
        Self { posts: VecDeque::new(), bytes: 0, after: newest, newest, newest_to_all: newest }
    }

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

    /// What is here after a number, if that is everything.
    pub(in crate::core::hub) fn since(&self, number: u64) -> Option<impl Iterator<Item = &Arc<Post>>> {
        let start = self.posts.partition_point(|post| post.number <= number);
        (number >= self.after).then(|| self.posts.range(start..))
    }
}
