//! Exchanges of a short code for an invite, on connections that have not said hello.
//!
//! The hub is the maker of [`core::exchange`](crate::core::exchange). Codes are in the store, as invites are, so that one
//! is good as soon as it was made. That one was answered is on disk before the answer leaves: after a crash, it counts as
//! a guess. There is one exchange for a code at a time, and a limit for all, and for wrong guesses from one network.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::newcomers::Newcomers;
use crate::core::exchange::{Binding, Channel, Confirmation, Life, Maker, Over, Share, Unready, Wrong};
use crate::core::hub::cx::Cx;
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::journal::queries::PendingQuery;
use crate::core::hub::sessions::pending::PendingConnection;
use crate::core::hub::{ConnId, Output};
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::code::Nameplate;
use crate::protocol::invite::{CodeRecord, InviteOver, InviteRecord};
use crate::protocol::limits::{CODE_GUESSES, EXCHANGES};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Query, Record};
use crate::protocol::wire::{
    EXCHANGE_PROTOCOL, ExchangeAnswer, ExchangeConfirm, ExchangeEnd, ExchangeStart, Invitation, Octets,
};
use crate::protocol::{ErrorCode, Failure, Network, cause, event, log, to_json};

/// How the first line of an exchange begins.
const START: &[u8] = br#"{"exchange":"#;

/// Milliseconds after which a client may ask again for a code that somebody else is using.
const ASK_AGAIN: u64 = 500;

/// The exchanges that are under way. Each belongs to a pending connection.
pub(in crate::core::hub) struct Codes {
    pub(super) secrets: Secrets,
    under_way: BTreeMap<ConnId, Exchange>,
    /// The connections that have guessed wrong, by network.
    guesses: Newcomers,
    /// The number of the newest code.
    pub(super) last_nameplate: Nameplate,
    /// How many invites each member has made in the day that began then.
    pub(super) made: BTreeMap<NameKey, (Time, usize)>,
}

struct Exchange {
    binding: Binding,
    address: SocketAddr,
    stage: Stage,
}

enum Stage {
    /// The store is asked for the code. Holds the client's share.
    LookingUp(Vec<u8>),
    /// That the code is answered is on its way to the disk.
    Answering(Answered, Share),
    /// The answer is sent, and the client's confirmation awaited.
    Confirming(Answered),
    /// That the client was right is on its way to the disk. Holds the line for it.
    Ending(Answered, String),
}

/// A code that is being used.
struct Answered {
    code: CodeRecord,
    invite: InviteRecord,
    life: Life,
    maker: Option<Maker>,
}

impl Answered {
    /// What the store is to keep of the code.
    fn record(&self, answered: bool, void: bool) -> Record {
        Record::Code { nameplate: self.code.nameplate, right: self.life.right(), answered, void }
    }
}

impl Codes {
    pub(in crate::core::hub) fn new(secrets: Secrets, last_nameplate: Nameplate) -> Self {
        let (under_way, made) = (BTreeMap::new(), BTreeMap::new());
        Self { secrets, under_way, guesses: Newcomers::default(), last_nameplate, made }
    }

    /// Whether a line of a pending connection belongs to an exchange.
    pub(in crate::core::hub) fn is_for(&self, conn: ConnId, line: &[u8]) -> bool {
        self.under_way.contains_key(&conn) || line.starts_with(START)
    }

    /// A line of an exchange came.
    ///
    /// # Errors
    /// Why the connection is turned away.
    pub(in crate::core::hub) fn line(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        pending: &PendingConnection,
        line: &[u8],
    ) -> Result<(), Failure> {
        match self.under_way.get(&conn).map(|exchange| &exchange.stage) {
            None => self.start(cx, conn, pending, line),
            Some(Stage::Confirming(_)) => self.confirm(cx, conn, line),
            Some(Stage::LookingUp(_) | Stage::Answering(..) | Stage::Ending(..)) => {
                Err(Failure::new(ErrorCode::WrongProtocol, "a line before the last one was answered"))
            }
        }
    }

    /// The first line came: the store is asked for the code.
    fn start(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        pending: &PendingConnection,
        line: &[u8],
    ) -> Result<(), Failure> {
        let ExchangeStart { exchange, nameplate, share } = serde_json::from_slice(line).map_err(not_understood)?;
        if exchange != EXCHANGE_PROTOCOL {
            return Err(ErrorCode::WrongProtocol.into());
        }
        self.may_guess(cx.now, Network::of(pending.address.ip()))?;
        if self.under_way.values().any(|other| other.binding.nameplate == nameplate) {
            return Err(Failure::from(ErrorCode::CodeBusy).wait(ASK_AGAIN));
        }
        if self.under_way.len() >= EXCHANGES {
            return Err(Failure::from(ErrorCode::SlowDown).wait(ASK_AGAIN));
        }
        let maker = cx.config.keys.key;
        let binding = Binding { nameplate, typist: pending.key, maker, exporter: pending.exporter };
        let stage = Stage::LookingUp(share.0);
        self.under_way.insert(conn, Exchange { binding, address: pending.address, stage });
        cx.query(Query::Code(nameplate), PendingQuery::Code(conn));
        Ok(())
    }

    /// Checks whether anybody in a network may try one more code.
    ///
    /// # Errors
    /// `too-many` if too many were guessed wrong from there.
    pub(in crate::core::hub) fn may_guess(&mut self, now: Time, network: Network) -> Result<(), Failure> {
        if self.guesses.count(now, network) < CODE_GUESSES {
            return Ok(());
        }
        let message = format!("From your address {CODE_GUESSES} codes were guessed wrong within a day.");
        Err(Failure::new(ErrorCode::TooMany, message).hint("Come with a join link, or tomorrow."))
    }

    /// Counts a wrong guess of somebody in a network.
    pub(in crate::core::hub) fn guessed(&mut self, now: Time, network: Network) {
        self.guesses.add(now, network);
    }

    /// The store has looked up a code: if it is good, that it is answered is written down first.
    ///
    /// # Errors
    /// Why the connection is turned away.
    pub(in crate::core::hub) fn found(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        found: Option<Box<(CodeRecord, InviteRecord)>>,
    ) -> Result<(), Failure> {
        let Some(exchange) = self.under_way.get_mut(&conn) else { return Ok(()) };
        let Stage::LookingUp(share) = &exchange.stage else { return Ok(()) };
        let (code, invite) = *found.ok_or(ErrorCode::NoSuchCode)?;
        let mut life = Life::recalled(invite.uses, code.right, code.answered);
        life.answer().map_err(unready)?;
        invite.over(cx.today()).map_or(Ok(()), |over| Err(void(over)))?;
        cx.journal.can_keep()?;
        let words = code.code.as_ref().ok_or(ErrorCode::CodeVoid)?;
        let answered = Maker::answer(words, &exchange.binding, share, &mut self.secrets);
        let (maker, ours) = answered.map_err(|Wrong| ErrorCode::WrongProtocol)?;
        let answered = Answered { code, invite, life, maker: Some(maker) };
        write_down(cx, conn, answered.record(true, false));
        exchange.stage = Stage::Answering(answered, ours);
        Ok(())
    }

    /// The client's confirmation came: if it is right, that is written down before the client is told.
    fn confirm(&mut self, cx: &mut Cx<'_>, conn: ConnId, line: &[u8]) -> Result<(), Failure> {
        let ExchangeConfirm { confirmation } = serde_json::from_slice(line).map_err(not_understood)?;
        let Some(exchange) = self.under_way.remove(&conn) else { return Ok(()) };
        let Stage::Confirming(mut answered) = exchange.stage else { return Ok(()) };
        let finished = answered.maker.take().map(|maker| maker.finish(&confirmation.0));
        let (stage, done) = match finished {
            Some(Ok((ours, channel))) => {
                answered.life.confirmed();
                write_down(cx, conn, answered.record(false, answered.life.over() == Some(Over::UsedUp)));
                let line = ending(ours, channel, &answered.code.secret);
                (Stage::Ending(answered, line), Ok(()))
            }
            Some(Err(Wrong)) | None => (Stage::Confirming(answered), Err(ErrorCode::WrongCode.into())),
        };
        self.under_way.insert(conn, Exchange { stage, ..exchange });
        done
    }

    /// What was to be written down for an exchange is on disk, or (`written` is false) never will be. Returns whether the
    /// exchange has ended well, and the connection can be closed.
    ///
    /// # Errors
    /// Why the connection is turned away.
    pub(in crate::core::hub) fn written(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        written: bool,
    ) -> Result<bool, Failure> {
        if !written {
            return Err(ErrorCode::Internal.into());
        }
        let Some(exchange) = self.under_way.remove(&conn) else { return Ok(false) };
        match exchange.stage {
            Stage::Answering(answered, share) => {
                let line = to_json(&ExchangeAnswer { share: share.into() });
                cx.out.push_back(Output::SayToStranger(conn, line));
                self.under_way.insert(conn, Exchange { stage: Stage::Confirming(answered), ..exchange });
                Ok(false)
            }
            Stage::Ending(answered, line) => {
                cx.out.push_back(Output::SayToStranger(conn, line));
                let (invite, address) = (answered.invite.name, exchange.address.to_string());
                cx.log(log::CodeUsed { invite, address });
                Ok(true)
            }
            stage @ (Stage::LookingUp(_) | Stage::Confirming(_)) => {
                self.under_way.insert(conn, Exchange { stage, ..exchange });
                Ok(false)
            }
        }
    }

    /// Ends the exchanges whose connections have gone or were turned away, by what `is_pending` says of each.
    pub(in crate::core::hub) fn settle(&mut self, cx: &mut Cx<'_>, is_pending: impl Fn(ConnId) -> bool) {
        let gone: Vec<_> = self.under_way.extract_if(.., |conn, _| !is_pending(*conn)).collect();
        for (_, exchange) in gone {
            match exchange.stage {
                // The client has seen no answer.
                Stage::Answering(answered, _) => cx.record(answered.record(false, false)),
                Stage::Confirming(answered) => {
                    cx.record(answered.record(true, true));
                    self.guessed(cx.now, Network::of(exchange.address.ip()));
                    let Answered { code, invite, .. } = answered;
                    if let Some(id) = invite.maker.as_ref().and_then(|maker| cx.sessions.named(maker)) {
                        cx.tell(id, event::InviteGuessed { invite: invite.name.clone(), code: code.nameplate });
                    }
                    cx.log(log::CodeGuessed { invite: invite.name, address: exchange.address.to_string() });
                }
                Stage::LookingUp(_) | Stage::Ending(..) => {}
            }
        }
    }

    /// The number of exchanges that are under way.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.under_way.len()
    }
}

/// Writes something down; the exchange goes on when it is on disk.
fn write_down(cx: &mut Cx<'_>, conn: ConnId, record: Record) {
    cx.record(record);
    cx.journal.commits.hold(AwaitingCommit::Exchange { conn, written: true });
}

/// The last line for a client that was right.
fn ending(confirmation: Confirmation, mut channel: Channel, secret: &str) -> String {
    let invitation = to_json(&Invitation { invite: secret.to_owned() });
    let sealed = Octets(channel.seal(invitation.as_bytes()));
    to_json(&ExchangeEnd { confirmation: confirmation.into(), sealed })
}

fn not_understood(e: serde_json::Error) -> Failure {
    cause::not_understood("That is no line of an exchange by a code", &e)
}

fn unready(unready: Unready) -> Failure {
    match unready {
        Unready::Busy => Failure::from(ErrorCode::CodeBusy).wait(ASK_AGAIN),
        Unready::Over(Over::UsedUp) => void(InviteOver::Spent),
        Unready::Over(Over::Guessed) => {
            Failure::new(ErrorCode::CodeVoid, "Somebody has guessed at the code, so it is void now.")
        }
    }
}

fn void(over: InviteOver) -> Failure {
    let message = match over {
        InviteOver::Spent => "The code has let in as many as it may.",
        InviteOver::Expired => "The time of the code is over.",
    };
    Failure::new(ErrorCode::CodeVoid, message)
}
