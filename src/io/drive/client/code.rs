//! Exchanges a short code for an invite, before the first connection of the session: the client is the typist of
//! [`core::exchange`](crate::core::exchange).
//!
//! There is one exchange for each code that was typed: one connection to one address, and if the hub is busy with that
//! code, another before anything was confirmed. It is never made with several hosts at once.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::core::exchange::{Binding, Typist, Wrong};
use crate::core::secrets::Secrets;
use crate::io::net::identity::Identity;
use crate::io::net::{Conn, connect_alone};
use crate::io::os::clock::random_bytes;
use crate::io::state::redeemed::Redeemed;
use crate::protocol::limits::HELLO_BYTES;
use crate::protocol::wire::{
    EXCHANGE_PROTOCOL, ExchangeAnswer, ExchangeConfirm, ExchangeEnd, ExchangeStart, Farewell, Invitation,
};
use crate::protocol::{Code, ErrorCode, Failure, HostPort, JoinLink, PublicKey, TransportChoice, to_json};

/// How long the hub may take for each line.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a hub that is busy with the code is asked again, and how long after.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Gets the hub's key and an invite for a code. With `expected`, any other key of the hub is refused before anything is
/// said about the code.
///
/// # Errors
/// Those of connecting; `no-such-code`, `code-void`, `code-busy`, `wrong-code`, `too-many`; `wrong-protocol` or `hub-lost`
/// if the hub does not keep to the exchange.
pub(super) async fn redeem(
    hub: &JoinLink,
    code: &Code,
    identity: &Identity,
    expected: Option<PublicKey>,
    transport: TransportChoice,
) -> Result<Redeemed, Failure> {
    let mut secrets = Secrets::new(random_bytes().map_err(Failure::internal)?);
    let (at, mut tries) = (HostPort { host: hub.host.clone(), port: hub.port }, 0);
    loop {
        let mut conn = connect_alone(&at, identity, expected, transport).await?;
        let exchanged = exchange(&mut conn, code, identity.key, &mut secrets).await;
        // Whatever else comes on this connection is of no interest.
        let _ = conn.close().await;
        tries += 1;
        match exchanged {
            Err(failure) if failure.code == ErrorCode::CodeBusy && tries < TRIES => sleep(PAUSE).await,
            exchanged => return exchanged.map_err(|failure| explained(failure, hub)),
        }
    }
}

async fn exchange(conn: &mut Conn, code: &Code, ours: PublicKey, secrets: &mut Secrets) -> Result<Redeemed, Failure> {
    let (nameplate, key) = (code.nameplate(), conn.peer);
    let binding = Binding { nameplate, typist: ours, maker: key, exporter: Some(conn.exporter) };
    conn.reader.set_limit(HELLO_BYTES);
    let (typist, share) = Typist::start(code, secrets);
    say(conn, to_json(&ExchangeStart { exchange: EXCHANGE_PROTOCOL.into(), nameplate, share: share.into() })).await?;
    let ExchangeAnswer { share } = hear(conn).await?;
    let (typist, confirmation) = typist.confirm(&binding, &share.0).map_err(not_confirmed)?;
    say(conn, to_json(&ExchangeConfirm { confirmation: confirmation.into() })).await?;
    let ExchangeEnd { confirmation, sealed } = hear(conn).await?;
    let mut channel = typist.finish(&confirmation.0).map_err(not_confirmed)?;
    let opened = channel.open(&sealed.0).map_err(|_| not_confirmed(Wrong))?;
    let Invitation { invite } = serde_json::from_slice(&opened).map_err(|_| ErrorCode::WrongProtocol)?;
    Ok(Redeemed { key, invite })
}

async fn say(conn: &mut Conn, line: String) -> Result<(), Failure> {
    let said = async {
        conn.writer.write_all((line + "\n").as_bytes()).await?;
        conn.writer.flush().await
    };
    timeout(PATIENCE, said).await.map_err(|_| silent())?.map_err(|_| broken_off())
}

async fn hear<T: DeserializeOwned>(conn: &mut Conn) -> Result<T, Failure> {
    let heard = timeout(PATIENCE, conn.reader.next()).await.map_err(|_| silent())?;
    let line = heard.map_err(|_| broken_off())?.ok_or_else(broken_off)?;
    match (serde_json::from_slice(line), serde_json::from_slice::<Farewell>(line)) {
        (Ok(heard), _) => Ok(heard),
        (Err(_), Ok(Farewell { farewell })) => Err(farewell.into()),
        (Err(_), Err(_)) => Err(ErrorCode::WrongProtocol.into()),
    }
}

fn silent() -> Failure {
    Failure::new(ErrorCode::HubLost, "The hub has not answered while the code was being used.")
        .hint("The code may be void now; ask whoever made it for another one.")
}

fn broken_off() -> Failure {
    Failure::new(ErrorCode::HubLost, "The connection broke while the code was being used.")
        .hint("The code may be void now; ask whoever made it for another one.")
}

fn not_confirmed(_: Wrong) -> Failure {
    Failure::new(ErrorCode::WrongCode, "Whoever answers there does not know the code; they learned nothing from you.")
        .hint(
            "Check the address; if it is right, someone may be in between. Ask whoever made the code for another one.",
        )
}

/// Adds to a failure that concerns this hub's codes where the code was tried.
fn explained(failure: Failure, hub: &JoinLink) -> Failure {
    if failure.code != ErrorCode::NoSuchCode {
        return failure;
    }
    Failure { message: format!("There is no code of that number at {}.", hub.host_port()).into(), ..failure }
}
