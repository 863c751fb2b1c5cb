//! Frames of the link: one JSON line each.
//!
//! The first line in each direction is a hello. After it come frames: a body with its number, an
//! acknowledgement, a probe, or what of these goes together.

mod files;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use files::*;

use super::event;
use super::line::{BadLine, RequestLine, parse_json};
use super::request::Turn;
use super::to_json;
use super::{ErrorCode, Failure, Follows, Id, Timestamp, cause, strict};

/// The protocol of the link, as it stands in every hello.
pub const LINK_PROTOCOL: &str = "potluck-link/1";

/// The protocol of the streams that users read and write.
pub const USER_PROTOCOL: &str = "potluck/1";

/// What a client says first on every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The session to go on with, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The number of the last frame that was received in that session.
    pub received: u64,
    /// The port on which this client serves files.
    pub port: u16,
    /// The port on which it takes direct connections.
    #[serde(default)]
    pub link_port: u16,
    /// The random name that this program gave itself at its start, 16 hex digits: with it, requests that are asked
    /// again are recognized.
    #[serde(default)]
    pub instance: String,
    /// The number of its newest request: those up to it that come in a new session are asked again.
    #[serde(default)]
    pub asked: i64,
    /// What the join link carried for this hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// What it wants to be told by itself, in a new session.
    #[serde(default, skip_serializing_if = "Follows::is_everything")]
    pub follow: Follows,
}

/// What the hub says first on every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The session that goes on, or a new one.
    pub session: String,
    /// Whether it goes on.
    pub resumed: bool,
    /// The number of the last frame that the hub received in it.
    pub received: u64,
}

/// The hub does not let somebody in, or ends a session: the last line on a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Farewell {
    /// Why.
    pub farewell: event::Error,
}

/// What a client says first on a direct connection, and what the other one answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// Who speaks: the name that is registered at the hub.
    pub private: String,
    /// Their running number there. Another one is another run of the same client.
    pub number: u64,
}

/// The body of a frame on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerBody {
    /// A message.
    Private(PrivateText),
    /// The user has everything up to the message of this number.
    Had(u64),
    /// Everything up to the message of this number is held back while the user hears only one room; `Had` follows when
    /// they hear all again.
    Held(u64),
    /// The last frame: the other side wants no more. Instead of a hello and without a frame: it never did. What it
    /// says is for whoever looks at the line.
    Close(String),
}

/// What somebody says on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateText {
    /// Its number on this link, from 1.
    pub number: u64,
    /// What.
    pub text: String,
    /// When, by the sender's clock.
    pub sent: Timestamp,
}

/// A frame to send: what is its own, and a body that may be shared among many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The body and its number.
    pub body: Option<(u64, Arc<str>)>,
    /// The number of the last frame that was received.
    pub ack: u64,
    /// Whether an answer is wanted at once.
    pub probe: bool,
}

impl Frame {
    /// Appends the frame as a line.
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

/// A frame as it arrives; the body is still text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameIn<'a> {
    /// The number of the body.
    pub n: Option<u64>,
    /// The number of the last frame that the other side received.
    pub ack: u64,
    /// Whether an answer is wanted at once.
    #[serde(default)]
    pub probe: bool,
    /// The body.
    #[serde(borrow)]
    pub body: Option<&'a RawValue>,
}

/// What a client asks of the hub: a request of its user, or what the client adds of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The user's request, passed on as it is.
    Request(RequestLine),
    /// Put these contents into the table.
    Publish(Publish),
    /// The user has every message up to a number.
    Received(Received),
    /// Another client does not answer.
    Unreachable(Unreachable),
    /// We have contents, or parts of them, that others can fetch from us.
    Have(Have),
    /// We do not fetch a content any more: no more news of it are wanted.
    Settled(Settled),
    /// A file is for one person.
    Push(Push),
    /// It is not any more.
    TakeBack(TakeBack),
    /// A file that we have accepted could not be fetched.
    NotTaken(NotTaken),
    /// Files of ours are gone.
    Gone(Gone),
    /// The next page of what is offered in a folder that we fetch.
    Folder(Folder),
}

/// The user has every message up to this number, but for some that are held back. The first one after a registration says that messages may come;
/// none is sent before. There is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The number.
    pub received: u64,
    /// Messages up to there that the user does not have, in their order; at most
    /// [`FEED_MESSAGES`](super::limits::FEED_MESSAGES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<u64>,
}

impl Received {
    /// Up to here the user has everything.
    pub fn all_up_to(&self) -> u64 {
        self.except.first().map_or(self.received, |first| self.received.min(first.saturating_sub(1)))
    }
}

/// A client of this name does not answer on a direct connection. The hub sees for itself. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// The name.
    pub unreachable: String,
}

impl Ask {
    /// The body of a frame.
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
        }
    }

    /// Reads the body of a frame, strictly.
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

    /// When it may be answered; none if there is no answer.
    pub fn turn(&self) -> Option<Turn> {
        match self {
            Self::Request(line) => Some(line.request.rules().turn),
            Self::Publish(_) | Self::Push(_) | Self::Gone(_) | Self::Folder(_) => Some(Turn::InOrder),
            Self::Received(_) | Self::Unreachable(_) | Self::Have(_) | Self::Settled(_) => None,
            Self::TakeBack(_) | Self::NotTaken(_) => None,
        }
    }

    /// The client's id of the request.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Request(line) => line.id.clone(),
            Self::Publish(publish) => Some(Id::Number(publish.id)),
            Self::Push(push) => Some(Id::Number(push.id)),
            Self::Gone(gone) => Some(Id::Number(gone.id)),
            Self::Folder(folder) => Some(Id::Number(folder.id)),
            Self::Received(_) | Self::Unreachable(_) | Self::Have(_) | Self::Settled(_) => None,
            Self::TakeBack(_) | Self::NotTaken(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ContentHash;
    use crate::protocol::types::Content;

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
            Ask::Folder(Folder { id: 8, folder: "a/".into(), from: None, after: "a/b/erin".into() }),
        ] {
            assert_eq!(Ask::parse(&ask.to_body()).unwrap(), ask);
        }
    }
}
