//! The hub's connections: a task for each, and what waits to be written.

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
    /// Connections with something new to write.
    filled: Vec<ConnId>,
}

impl Connections {
    /// No connections yet. Their lines will go to this mailbox.
    pub(super) fn new(mailbox: Mailbox) -> Self {
        let (open, room, tasks) = (HashMap::new(), Arc::new(LineRoom::of_many()), JoinSet::new());
        Self { mailbox, open, room, next: 1, tasks, filled: Vec::new() }
    }

    /// Starts a connection's task, and returns its number. Everybody is told a client's address, so one that has moved
    /// connects again.
    pub(super) fn add(&mut self, mut connection: Conn) -> ConnId {
        connection.reader.must_stay_at(connection.address.ip());
        let conn = self.next;
        self.next += 1;
        let outgoing = Arc::new(Outgoing::default());
        self.open.insert(conn, Arc::clone(&outgoing));
        let (mailbox, room) = (self.mailbox.clone(), self.room.clone());
        // Removes tasks that have ended.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let line = |line| Message::Line(conn, line);
            let broken = run_connection(connection, &outgoing, MAX_FRAME, &room, &mailbox, line).await;
            let reason = broken.unwrap_or_else(|| "closed".into());
            // If the hub has ended, nobody needs the message.
            let _ = mailbox.send(Message::Disconnected(conn, reason)).await;
        });
        conn
    }

    /// Adds something to write to a connection. It is sent by the next [`Connections::flush`].
    pub(super) fn write(&mut self, conn: ConnId, change: impl FnOnce(&Outgoing)) {
        if let Some(outgoing) = self.open.get(&conn) {
            change(outgoing);
            if self.filled.last() != Some(&conn) {
                self.filled.push(conn);
            }
        }
    }

    /// Wakes the writers of all connections with something new to write.
    pub(super) fn flush(&mut self) {
        for conn in self.filled.drain(..) {
            if let Some(outgoing) = self.open.get(&conn) {
                outgoing.flush();
            }
        }
    }

    /// Closes a connection once everything has been written.
    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(outgoing) = self.open.remove(&conn) {
            outgoing.close();
        }
    }

    /// A connection broke: forgets it.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }

    /// Gives the last lines time to be sent. A client that does not read is not waited for.
    pub(super) async fn farewell(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CLOSE_TIME, all).await;
    }
}
