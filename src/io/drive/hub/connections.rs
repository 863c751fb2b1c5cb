//! The connections of a hub: a task for each, and what waits to be written.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Mailbox, Message};
use crate::core::hub::ConnId;
use crate::io::net::connection::{Outgoing, run_connection};
use crate::io::net::line_room::LineRoom;
use crate::io::net::{CLOSE_TIME, Conn};
use crate::protocol::limits::MAX_FRAME;

/// The connections of a hub.
pub(super) struct Connections {
    mailbox: Mailbox,
    open: HashMap<ConnId, Arc<Outgoing>>,
    room: Arc<LineRoom>,
    next: ConnId,
    tasks: JoinSet<()>,
    /// Those that have something to write.
    filled: Vec<ConnId>,
}

impl Connections {
    /// None yet; their lines go to this mailbox.
    pub(super) fn new(mailbox: Mailbox) -> Self {
        let (open, room, tasks) = (HashMap::new(), Arc::new(LineRoom::of_many()), JoinSet::new());
        Self { mailbox, open, room, next: 1, tasks, filled: Vec::new() }
    }

    /// Runs a connection from now on, and gives its number.
    pub(super) fn add(&mut self, connection: Conn) -> ConnId {
        let conn = self.next;
        self.next += 1;
        let outgoing = Arc::new(Outgoing::default());
        self.open.insert(conn, Arc::clone(&outgoing));
        let (mailbox, room) = (self.mailbox.clone(), self.room.clone());
        // Those that have ended are let go of.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let line = |line| Message::Line(conn, line);
            let broken = run_connection(connection, &outgoing, MAX_FRAME, &room, &mailbox, line).await;
            let reason = broken.unwrap_or_else(|| "closed".into());
            // The hub that is not there any more need not know.
            let _ = mailbox.send(Message::Disconnected(conn, reason)).await;
        });
        conn
    }

    /// Gives a connection something to write, which leaves at the next [`Connections::flush`].
    pub(super) fn write(&mut self, conn: ConnId, change: impl FnOnce(&Outgoing)) {
        if let Some(outgoing) = self.open.get(&conn) {
            change(outgoing);
            if self.filled.last() != Some(&conn) {
                self.filled.push(conn);
            }
        }
    }

    /// Wakes the writers, once for all that was given to them.
    pub(super) fn flush(&mut self) {
        for conn in self.filled.drain(..) {
            if let Some(outgoing) = self.open.get(&conn) {
                outgoing.flush();
            }
        }
    }

    /// Closes a connection once everything is written.
    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(outgoing) = self.open.remove(&conn) {
            outgoing.close();
        }
    }

    /// A connection broke.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }

    /// Gives the last lines time to leave: a client that does not take them is not waited for.
    pub(super) async fn farewell(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CLOSE_TIME, all).await;
    }
}
