//! What a client asks its hub, one in each frame.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::files::{Folder, Gone, Have, NotTaken, Publish, Push, Settled, TakeBack};
use super::handover::{Admit, CloseCode, HangUp, Knock, OpenCode, Say};
use super::meeting::{Meet, MeetAt};
use crate::protocol::line::{BadLine, RequestLine, parse_json};
use crate::protocol::request::Turn;
use crate::protocol::{ErrorCode, Failure, Id, cause, strict, to_json};

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
    /// [`FEED_MESSAGES`](crate::protocol::limits::FEED_MESSAGES).
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
        if let Some(ask) = own_ask(body) {
            return ask.map_err(bad);
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

/// Reads an ask of the client's own that its first field names; `None` for every other body.
fn own_ask(body: &str) -> Option<serde_json::Result<Ask>> {
    fn read<'a, T: Deserialize<'a>>(body: &'a str, ask: fn(T) -> Ask) -> serde_json::Result<Ask> {
        serde_json::from_str(body).map(ask)
    }
    let (first, _) = body.strip_prefix("{\"")?.split_once('"')?;
    let ask = match first {
        "received" => read(body, Ask::Received),
        "unreachable" => read(body, Ask::Unreachable),
        "have" => read(body, Ask::Have),
        "take_back" => read(body, Ask::TakeBack),
        "not_taken" => read(body, Ask::NotTaken),
        "settled" => read(body, Ask::Settled),
        "meet" => read(body, Ask::Meet),
        "meet_at" => read(body, Ask::MeetAt),
        "open_code" => read(body, Ask::OpenCode),
        "close_code" => read(body, Ask::CloseCode),
        "knock" => read(body, Ask::Knock),
        "say" => read(body, Ask::Say),
        "admit" => read(body, Ask::Admit),
        "hang_up" => read(body, Ask::HangUp),
        _ => return None,
    };
    Some(ask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::Content;
    use crate::protocol::wire::{Had, Purpose};
    use crate::protocol::{ContentHash, PublicKey};

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
