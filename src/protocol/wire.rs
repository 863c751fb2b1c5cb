//! The frames of the link between hub and client, and between two clients: one JSON line each.
//!
//! The first line in each direction is a hello. Then come frames. A frame has a numbered body, an acknowledgement, a
//! probe, or several of these.
//!
//! Hub and client parse and write these lines; [`core::link`](crate::core) numbers, acknowledges and repeats the
//! bodies, and never parses them.

mod exchange;
mod files;
mod handover;
mod meeting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use exchange::*;
pub use files::*;
pub use handover::*;
pub use meeting::{MEETING_GREETING, Meet, MeetAt, Purpose, RELAY_GREETING};

use super::event;
use super::line::{BadLine, RequestLine, parse_json};
use super::request::Turn;
use super::to_json;
use super::{ErrorCode, Failure, Follows, Id, Timestamp, cause, strict};

/// The protocol of the link, named in every hello.
pub const LINK_PROTOCOL: &str = "potluck-link/1";

/// The protocol of the streams that users read and write.
pub const USER_PROTOCOL: &str = "potluck/1";

/// The first line of every connection from a client to its hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The session to resume; nothing for a new session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The number of the last frame that the client received in that session.
    pub received: u64,
    /// The port on which this client serves files.
    pub port: u16,
    /// The port on which this client accepts direct connections.
    #[serde(default)]
    pub link_port: u16,
    /// The random name that this process gave itself at its start, 16 hex digits. With the number of a request it makes
    /// the request's idempotency key.
    #[serde(default)]
    pub instance: String,
    /// The number of this process's newest request. In a new session, requests up to it are repetitions of earlier
    /// ones.
    #[serde(default)]
    pub asked: i64,
    /// The secret of an invite, if the join link had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// Whether the client comes as a guest, for a parcel: it gets a session without being a member, and can do nothing
    /// but knock at a number and what follows from that ([`Knock`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// For a new session: how the client follows the table and the roster.
    #[serde(default, skip_serializing_if = "Follows::is_everything")]
    pub follow: Follows,
}

/// The hub's first line on every connection, in answer to the client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The name of the session: resumed or new.
    pub session: String,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// The number of the last frame that the hub received in that session.
    pub received: u64,
}

/// The last line of a connection if the hub refuses a client or ends its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Farewell {
    /// The reason.
    pub farewell: event::Error,
}

/// The first line of a direct connection, in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The name under which the speaker is registered at the hub.
    pub private: String,
    /// The speaker's running number at the hub. It differs from one run of a client to the next.
    pub number: u64,
}

/// The body of a frame on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerBody {
    /// A message to the user.
    Private(PrivateText),
    /// The user has all messages up to this number.
    Had(u64),
    /// All messages up to this number are held back, because the user hears only one room. `Had` follows once they hear
    /// everything again.
    Held(u64),
    /// Ends the link, with a reason; it is the last frame. Without a frame, in place of a hello, it refuses the link.
    Close(String),
}

/// A message on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateText {
    /// The number of the message on this link, from 1.
    pub number: u64,
    /// The text of the message.
    pub text: String,
    /// The time of sending, by the sender's clock.
    pub sent: Timestamp,
}

/// A frame to send. Frames to many clients can share the memory of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The number of the body, and the body as JSON.
    pub body: Option<(u64, Arc<str>)>,
    /// The number of the last frame received from the other side.
    pub ack: u64,
    /// Whether the other side must answer at once.
    pub probe: bool,
}

impl Frame {
    /// Appends the frame to `out` as one line.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let probe = if self.probe { r#","probe":true"# } else { "" };
        let written = match &self.body {
            Some((n, body)) => writeln!(out, r#"{{"n":{n},"ack":{}{probe},"body":{body}}}"#, self.ack),
            None => writeln!(out, r#"{{"ack":{}{probe}}}"#, self.ack),
        };
        written.expect("writing to memory does not fail");
    }
}

/// A received frame, whose body has not been parsed yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameIn<'a> {
    /// The number of the body.
    pub n: Option<u64>,
    /// The number of the last frame that the other side has received.
    pub ack: u64,
    /// Whether the other side wants an answer at once.
    #[serde(default)]
    pub probe: bool,
    /// The body as JSON.
    #[serde(borrow)]
    pub body: Option<&'a RawValue>,
}

/// The body of a frame from a client to its hub: a request of its user, or one of the client's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A request of the user, forwarded unchanged.
    Request(RequestLine),
    /// Add contents to the table.
    Publish(Publish),
    /// The user has received all messages up to a number.
    Received(Received),
    /// Another client does not answer.
    Unreachable(Unreachable),
    /// This client has contents, or parts of them, that others can fetch from it.
    Have(Have),
    /// This client no longer fetches a content and wants no more news of its holders.
    Settled(Settled),
    /// Offer a file to one person.
    Push(Push),
    /// Take back a push.
    TakeBack(TakeBack),
    /// A push that was accepted could not be fetched.
    NotTaken(NotTaken),
    /// Files of this client are gone: withdraw them.
    Gone(Gone),
    /// Asks for the next page of the offers in a folder that this client fetches.
    Folder(Folder),
    /// Asks for a meeting with another client.
    Meet(Meet),
    /// Where this side of a meeting can be reached.
    MeetAt(MeetAt),
    /// Asks for a number for a code.
    OpenCode(OpenCode),
    /// Gives a number back.
    CloseCode(CloseCode),
    /// Wants to talk to whoever has opened a number.
    Knock(Knock),
    /// Says something in a conversation.
    Say(Say),
    /// Lets the other side of a conversation meet this one.
    Admit(Admit),
    /// Ends a conversation.
    HangUp(HangUp),
}

/// Confirms messages: the user has received all up to a number, except those listed. The hub starts to send messages
/// when it gets the first of these after a registration. There is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The number of the newest message received.
    pub received: u64,
    /// Messages up to there that the user has not received, ascending; at most
    /// [`FEED_MESSAGES`](super::limits::FEED_MESSAGES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<u64>,
}

impl Received {
    /// The largest number up to which the user has every message.
    pub fn all_up_to(&self) -> u64 {
        self.except.first().map_or(self.received, |first| self.received.min(first.saturating_sub(1)))
    }
}

/// Reports that another client does not answer on a direct connection. The hub probes that client over its own link.
/// There is no answer to the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// The name of that client.
    pub unreachable: String,
}

impl Ask {
    /// Serializes the request as the body of a frame.
    pub fn to_body(&self) -> Arc<str> {
        match self {
            Self::Request(line) => to_json(line).into(),
            Self::Publish(publish) => to_json(publish).into(),
            Self::Received(received) => to_json(received).into(),
            Self::Unreachable(unreachable) => to_json(unreachable).into(),
            Self::Have(have) => to_json(have).into(),
            Self::Settled(settled) => to_json(settled).into(),
            Self::Push(push) => to_json(push).into(),
            Self::TakeBack(take_back) => to_json(take_back).into(),
            Self::NotTaken(not_taken) => to_json(not_taken).into(),
            Self::Gone(gone) => to_json(gone).into(),
            Self::Folder(folder) => to_json(folder).into(),
            Self::Meet(meet) => to_json(meet).into(),
            Self::MeetAt(meet_at) => to_json(meet_at).into(),
            Self::OpenCode(open) => to_json(open).into(),
            Self::CloseCode(close) => to_json(close).into(),
            Self::Knock(knock) => to_json(knock).into(),
            Self::Say(say) => to_json(say).into(),
            Self::Admit(admit) => to_json(admit).into(),
            Self::HangUp(hang_up) => to_json(hang_up).into(),
        }
    }

    /// Reads the body of a frame; unknown or duplicate fields are an error.
    pub fn parse(body: &str) -> Result<Self, BadLine> {
        let bad = |e: serde_json::Error| {
            BadLine::from(Failure::new(
                ErrorCode::BadRequest,
                format!("The request has a wrong field: {}.", cause::of_json(&e)),
            ))
        };
        if body.starts_with(r#"{"received":"#) {
            return serde_json::from_str(body).map(Self::Received).map_err(bad);
        }
        if body.starts_with(r#"{"unreachable":"#) {
            return serde_json::from_str(body).map(Self::Unreachable).map_err(bad);
        }
        if body.starts_with(r#"{"have":"#) {
            return serde_json::from_str(body).map(Self::Have).map_err(bad);
        }
        if body.starts_with(r#"{"take_back":"#) {
            return serde_json::from_str(body).map(Self::TakeBack).map_err(bad);
        }
        if body.starts_with(r#"{"not_taken":"#) {
            return serde_json::from_str(body).map(Self::NotTaken).map_err(bad);
        }
        if body.starts_with(r#"{"settled":"#) {
            return serde_json::from_str(body).map(Self::Settled).map_err(bad);
        }
        if body.starts_with(r#"{"meet":"#) {
            return serde_json::from_str(body).map(Self::Meet).map_err(bad);
        }
        if body.starts_with(r#"{"meet_at":"#) {
            return serde_json::from_str(body).map(Self::MeetAt).map_err(bad);
        }
        if body.starts_with(r#"{"open_code":"#) {
            return serde_json::from_str(body).map(Self::OpenCode).map_err(bad);
        }
        if body.starts_with(r#"{"close_code":"#) {
            return serde_json::from_str(body).map(Self::CloseCode).map_err(bad);
        }
        if body.starts_with(r#"{"knock":"#) {
            return serde_json::from_str(body).map(Self::Knock).map_err(bad);
        }
        if body.starts_with(r#"{"say":"#) {
            return serde_json::from_str(body).map(Self::Say).map_err(bad);
        }
        if body.starts_with(r#"{"admit":"#) {
            return serde_json::from_str(body).map(Self::Admit).map_err(bad);
        }
        if body.starts_with(r#"{"hang_up":"#) {
            return serde_json::from_str(body).map(Self::HangUp).map_err(bad);
        }
        let ours = [r#""publish":"#, r#""push":"#, r#""gone":"#, r#""folder":"#];
        if !body.starts_with(r#"{"id":"#) || !ours.iter().any(|word| body.contains(word)) {
            return parse_json(body).map(Self::Request);
        }
        let value = strict::parse(body).map_err(bad)?;
        if value.get("request").is_some() {
            return parse_json(body).map(Self::Request);
        }
        if value.get("push").is_some() {
            return Push::deserialize(value).map(Self::Push).map_err(bad);
        }
        if value.get("folder").is_some() {
            return Folder::deserialize(value).map(Self::Folder).map_err(bad);
        }
        if value.get("gone").is_some() {
            return Gone::deserialize(value).map(Self::Gone).map_err(bad);
        }
        Publish::deserialize(value).map(Self::Publish).map_err(bad)
    }

    /// In which order the request is answered among those of its client; `None` if it has no answer.
    pub fn turn(&self) -> Option<Turn> {
        match self {
            Self::Request(line) => Some(line.request.rules().turn),
            Self::Publish(_) | Self::Push(_) | Self::Gone(_) | Self::Folder(_) => Some(Turn::InOrder),
            Self::Received(_) | Self::Unreachable(_) | Self::Have(_) | Self::Settled(_) => None,
            Self::TakeBack(_) | Self::NotTaken(_) | Self::Meet(_) | Self::MeetAt(_) => None,
            Self::OpenCode(_) | Self::CloseCode(_) | Self::Knock(_) => None,
            Self::Say(_) | Self::Admit(_) | Self::HangUp(_) => None,
        }
    }

    /// The number that the client gave the request.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Request(line) => line.id.clone(),
            Self::Publish(publish) => Some(Id::Number(publish.id)),
            Self::Push(push) => Some(Id::Number(push.id)),
            Self::Gone(gone) => Some(Id::Number(gone.id)),
            Self::Folder(folder) => Some(Id::Number(folder.id)),
            Self::Received(_) | Self::Unreachable(_) | Self::Have(_) | Self::Settled(_) => None,
            Self::TakeBack(_) | Self::NotTaken(_) | Self::Meet(_) | Self::MeetAt(_) => None,
            Self::OpenCode(_) | Self::CloseCode(_) | Self::Knock(_) => None,
            Self::Say(_) | Self::Admit(_) | Self::HangUp(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::Content;
    use crate::protocol::{ContentHash, PublicKey};

    #[test]
    fn frames_read_back() {
        let mut wire = Vec::new();
        Frame { body: Some((3, r#"{"event":"waited"}"#.into())), ack: 2, probe: false }.write(&mut wire);
        Frame { body: None, ack: 9, probe: true }.write(&mut wire);
        let lines: Vec<FrameIn<'_>> =
            std::str::from_utf8(&wire).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((lines[0].n, lines[0].ack, lines[0].body.unwrap().get()), (Some(3), 2, r#"{"event":"waited"}"#));
        assert_eq!((lines[1].n, lines[1].ack, lines[1].probe), (None, 9, true));
    }

    #[test]
    fn asks_read_back() {
        let request = parse_json(r#"{"id":4,"request":"withdraw","files":["\"publish\":"]}"#).unwrap();
        let publish = Publish { id: 5, publish: Vec::new(), more: 0, keep: true };
        let content = Content {
            file: "a".into(),
            size: 1,
            hash: ContentHash([1; 32]),
            chunk_size: 1 << 20,
            chunks: 1,
            modified: None,
        };
        let had = Had { hash: content.hash, size: 9, chunk_size: 1 << 20, chunks: [0].into_iter().collect() };
        let push = Push { id: 6, push: content, to: "erin".into() };
        let received = Ask::Received(Received { received: 7, except: vec![3, 5] });
        let unreachable = Ask::Unreachable(Unreachable { unreachable: "erin".into() });
        let have = Ask::Have(Have { have: vec![had] });
        let settled = Ask::Settled(Settled { settled: ContentHash([2; 32]) });
        for ask in [
            Ask::Request(request),
            Ask::Publish(publish),
            received,
            unreachable,
            have,
            settled,
            Ask::Push(push),
            Ask::TakeBack(TakeBack { take_back: 9 }),
            Ask::NotTaken(NotTaken { not_taken: 9 }),
            Ask::Gone(Gone { id: 7, gone: vec!["a".into()] }),
            Ask::Meet(Meet {
                meet: PublicKey([3; 32]),
                name: None,
                ask: 1,
                purpose: Purpose::Content(ContentHash([2; 32])),
            }),
            Ask::MeetAt(MeetAt { meet_at: 7, inner: vec!["192.168.1.7:40007".parse().unwrap()] }),
            Ask::OpenCode(OpenCode { open_code: 1, nameplate: Some(8), admitted: vec![PublicKey([3; 32])] }),
            Ask::CloseCode(CloseCode { close_code: 8 }),
            Ask::Knock(Knock { knock: 8, ask: 2, share: Some([1; 33].into()) }),
            Ask::Say(Say { say: 4, message: [2; 9].into() }),
            Ask::Admit(Admit { admit: 4 }),
            Ask::HangUp(HangUp { hang_up: 4, guessed: true }),
            Ask::Folder(Folder { id: 8, folder: "a/".into(), from: None, after: "a/b/erin".into() }),
        ] {
            assert_eq!(Ask::parse(&ask.to_body()).unwrap(), ask);
        }
    }
}
