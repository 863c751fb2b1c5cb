//! What reaches the session, and messages on their way to the user: when they have been written, and who has had which.

use tokio::sync::mpsc;

use super::{ClientDriver, Observer};
use crate::core::outbox::Popped;
use crate::core::peers::PeerConn;
use crate::core::session::{FilesChanged, Hashed, Input, TransferNote, UploadNote, is_private, number_of};
use crate::io::drive::output::Render;
use crate::io::drive::queued::tell;
use crate::io::net::Conn;
use crate::io::net::line_room::Line;
use crate::protocol::event::OfferProgress;
use crate::protocol::wire::Received;
use crate::protocol::{Content, Event, EventLine, Failure};

/// How many messages may wait for the session; further senders wait.
const QUEUE: usize = 1_024;

/// Sends messages to a client, with the receiver.
pub fn mailbox() -> (mpsc::Sender<Message>, mpsc::Receiver<Message>) {
    mpsc::channel(QUEUE)
}

/// Something for the session.
#[derive(Debug)]
pub enum Message {
    /// The program shall end with this exit code.
    Interrupt(u8),
    /// The hub is reached, on the connection of this number.
    Connected(u64, Box<ConnBox>),
    /// The hub could not be reached.
    ConnectFailed(Failure),
    /// A line from the hub.
    HubLine(u64, Line),
    /// A connection broke.
    Disconnected(u64, String),
    /// A folder was looked at.
    Dir(u64, Result<String, Failure>),
    /// Files were hashed.
    Hashed(u64, Result<Hashed, Failure>),
    /// How far hashing is.
    Hashing(u64, OfferProgress),
    /// A file for one person was hashed.
    Lent(u64, Result<Content, Failure>),
    /// Files that we offer have changed.
    FilesChanged(FilesChanged),
    /// Messages of these numbers have been written to the user, and so many private ones.
    Written(Vec<u64>, usize),
    /// A transfer goes on.
    Transfer(u64, TransferNote),
    /// The keys of further sources of a transfer were looked up.
    SourcesChecked(u64),
    /// An upload goes on.
    Upload(u64, UploadNote),
    /// Something of a direct connection.
    Peer(PeerNote),
}

/// Something of a direct connection, for the session.
#[derive(Debug)]
pub enum PeerNote {
    /// Somebody has connected.
    Accepted(u64, Box<ConnBox>),
    /// Who was dialled is there.
    Dialled(u64, Box<ConnBox>),
    /// Who was dialled could not be reached.
    DialFailed(u64, Failure),
    /// Whether an accepted connection has the key that is known.
    Pinned(u64, Result<(), Failure>),
    /// A line arrived.
    Line(PeerConn, Line),
    /// A connection broke.
    Broken(PeerConn, String),
}

/// A connection on its way through a channel.
pub struct ConnBox(pub(super) Conn);

impl std::fmt::Debug for ConnBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection to {}", self.0.address)
    }
}

/// An input for the session that waits until its outputs have been performed.
pub(super) enum Later {
    /// Which messages somebody has had.
    InboxOpened(String, Received),
    /// This message stands in a gap: the user is told so, and can ask `history` for it.
    InGap(u64),
    /// This private message of somebody stands in a gap, and nobody has it any more.
    PrivateInGap(String, u64),
    /// The same of one that the user is not meant to see.
    WithheldInGap,
}

impl Later {
    pub(super) fn input(&self) -> Input<'_> {
        match self {
            Self::InboxOpened(name, shown) => Input::InboxOpened(name, shown),
            Self::InGap(number) => Input::Written(std::slice::from_ref(number)),
            Self::WithheldInGap => Input::PrivateLost(None),
            Self::PrivateInGap(from, number) => Input::PrivateLost(Some((from, *number))),
        }
    }
}

impl<W: Observer> ClientDriver<W> {
    pub(super) fn tell(&mut self, line: EventLine) {
        diagnose(&line);
        let lost = if let Event::PrivateMessage(said) = &line.event {
            Some(Later::PrivateInGap(said.from.clone(), said.number))
        } else if is_private(&line.event) {
            Some(Later::WithheldInGap)
        } else {
            number_of(&line.event).map(Later::InGap)
        };
        let Some(line) = self.watch.told(line) else { return };
        if !tell(&self.printed, line) {
            self.later.extend(lost);
        }
    }

    pub(super) fn open_inbox(&mut self, name: String) {
        let shown = self.inboxes.as_mut().map_or_else(|| Ok(Received::default()), |inboxes| inboxes.shown(&name));
        let shown = shown.unwrap_or_else(|e| {
            tracing::warn!(
                "what {name} has read cannot be looked up: {}",
                crate::protocol::cause::plain(&e.to_string())
            );
            Received::default()
        });
        self.later.push_back(Later::InboxOpened(name, shown));
    }

    pub(super) fn remember(&mut self, name: &str, shown: &Received) {
        let kept = self.inboxes.as_mut().map_or(Ok(()), |inboxes| inboxes.remember(name, shown));
        if let Err(e) = kept {
            tracing::warn!(
                "what {name} has read cannot be remembered: {}",
                crate::protocol::cause::plain(&e.to_string())
            );
        }
    }
}

/// Logs what became of connections and transfers, for diagnostics; never what people say.
fn diagnose(line: &EventLine) {
    if let Event::Welcome(welcome) = &line.event {
        tracing::debug!(name = welcome.name, number = welcome.number, "the hub let us in");
    } else if let Event::HubLost(lost) = &line.event {
        tracing::debug!(reason = lost.reason, "the link to the hub is lost");
    } else if let Event::HubBack(back) = &line.event {
        tracing::debug!(resumed = back.resumed, away = back.away, "the link to the hub is back");
    } else if let Event::Error(error) = &line.event {
        tracing::debug!(code = %error.code, id = ?line.id, "failed");
    } else if let Event::TransferStarted(started) = &line.event {
        tracing::debug!(transfer = started.transfer, peer = started.peer, "a transfer begins");
    } else if let Event::TransferCompleted(done) = &line.event {
        tracing::debug!(transfer = done.transfer, bytes = done.bytes, "a transfer is done");
    } else if let Event::TransferFailed(failed) = &line.event {
        tracing::debug!(transfer = failed.transfer, code = %failed.code, "a transfer failed");
    } else if let Event::SourceDropped(dropped) = &line.event {
        tracing::debug!(transfer = dropped.transfer, peer = dropped.peer, code = %dropped.code, "a source is given up");
    } else if let Event::Bye(bye) = &line.event {
        tracing::debug!(code = bye.code, reason = bye.reason, "the session ends");
    }
}

/// Renders what is told, and lets the client know which messages its user has.
pub struct Reporting<R> {
    render: R,
    mailbox: tokio::sync::mpsc::Sender<Message>,
    numbers: Vec<u64>,
    privates: usize,
}

impl<R> Reporting<R> {
    /// Wraps a renderer.
    pub fn new(render: R, mailbox: tokio::sync::mpsc::Sender<Message>) -> Self {
        Self { render, mailbox, numbers: Vec::new(), privates: 0 }
    }
}

impl<R: Render<EventLine>> Render<EventLine> for Reporting<R> {
    fn render(&mut self, popped: Popped<EventLine>, out: &mut Vec<u8>) {
        if let Popped::Item(line) = &popped {
            self.numbers.extend(number_of(&line.event));
            self.privates += usize::from(is_private(&line.event));
            if matches!(line.event, Event::Withheld(_)) {
                return;
            }
        }
        self.render.render(popped, out);
    }

    fn is_due(&self) -> bool {
        !self.numbers.is_empty() || self.privates > 0 || self.render.is_due()
    }

    fn written(&mut self) {
        self.render.written();
        if !self.numbers.is_empty() || self.privates > 0 {
            let written = Message::Written(std::mem::take(&mut self.numbers), std::mem::take(&mut self.privates));
            // A client that has ended does not listen any more.
            let _ = self.mailbox.blocking_send(written);
        }
    }
}
