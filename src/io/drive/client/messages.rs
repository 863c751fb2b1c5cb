//! The messages to the client's driver, and the report of messages that were written to the user.

use crate::io::state::redeemed::Redeemed;
use tokio::sync::mpsc;

use super::parcel_news::ParcelNews;
use super::{ClientDriver, Observer};
use crate::core::outbox::Popped;
use crate::core::peers::PeerConn;
use crate::core::session::{FilesChanged, Hashed, Input, TransferNote, UploadNote, is_private, number_of};
use crate::core::verify::KnownKey;
use crate::io::drive::output::Render;
use crate::io::drive::queued::tell;
use crate::io::net::Conn;
use crate::io::net::line_room::Line;
use crate::io::net::reach::ToHub;
use crate::protocol::event::{OfferProgress, SafetyNumber};
use crate::protocol::wire::Received;
use crate::protocol::{Content, Event, EventLine, Failure, Route};

/// The messages that may wait for the driver. Further senders wait.
const QUEUE: usize = 1_024;

/// A channel of messages to a client's driver.
pub fn mailbox() -> (mpsc::Sender<Message>, mpsc::Receiver<Message>) {
    mpsc::channel(QUEUE)
}

/// A message to the client's driver.
#[derive(Debug)]
pub enum Message {
    /// End the program with this exit code.
    Interrupt(u8),
    /// The hub is connected; the connection has this number, and leads to this `HOST:PORT`.
    Connected(u64, Box<ConnBox>, String),
    /// The code was exchanged for the hub's key and an invite.
    Redeemed(Redeemed),
    /// The hub could not be reached.
    ConnectFailed(Failure),
    /// A line from the hub, on the connection of this number.
    HubLine(u64, Line),
    /// The connection of this number broke.
    Disconnected(u64, String),
    /// A folder was checked, for this task.
    Dir(u64, Result<String, Failure>),
    /// Files were hashed, for this task.
    Hashed(u64, Result<Hashed, Failure>),
    /// Progress of hashing, for this task.
    Hashing(u64, OfferProgress),
    /// Something has been done for a parcel.
    Parcel(ParcelNews),
    /// A file was hashed and granted to one person, for this task.
    Granted(u64, Result<Content, Failure>),
    /// A `verify` was judged, for this task.
    Verified(u64, Result<(KnownKey, SafetyNumber), Failure>),
    /// Offered files have changed.
    FilesChanged(FilesChanged),
    /// Messages of these numbers were written to the user, and this many private ones.
    Written(Vec<u64>, usize),
    /// News of a download.
    Transfer(u64, TransferNote),
    /// The keys of a download's further sources were looked up.
    SourcesChecked(u64),
    /// News of an upload.
    Upload(u64, UploadNote),
    /// News of a direct connection.
    Peer(PeerNote),
    /// Something for the hub about a meeting.
    ToHub(ToHub),
}

/// News of a direct connection.
#[derive(Debug)]
pub enum PeerNote {
    /// Somebody has connected.
    Accepted(u64, Box<ConnBox>, Route),
    /// A dialled connection is open.
    Dialled(u64, Box<ConnBox>, Route),
    /// The hub is asked for a meeting, for this connection.
    Meeting(u64),
    /// Dialling failed, for this connection, with the reason.
    DialFailed(u64, Failure),
    /// The key of an accepted connection was compared with the pinned one.
    Pinned(u64, Result<(), Failure>),
    /// A line arrived.
    Line(PeerConn, Line),
    /// A connection broke, with the reason.
    Broken(PeerConn, String),
}

/// A connection that is sent through a channel.
pub struct ConnBox(pub(super) Conn);

impl std::fmt::Debug for ConnBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection to {}", self.0.address)
    }
}

/// An input that must wait until the session's present outputs have been carried out.
pub(super) enum Later {
    /// The messages that this name has seen.
    InboxOpened(String, Received),
    /// The message with this number was dropped and counted in a gap. The user can ask for it by `history`.
    InGap(u64),
    /// The private message of this sender with this number was dropped, and nobody has it any more.
    PrivateInGap(String, u64),
    /// A private message that must not be shown was dropped.
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

/// Logs the fate of connections and transfers, for diagnostics. It never logs what people say.
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

/// Renders events, and reports to the client which messages were written.
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
            // If the client has ended, nobody needs the report.
            let _ = self.mailbox.blocking_send(written);
        }
    }
}
