//! Asks the hubs that announce themselves whether they have a code's number.

use std::net::SocketAddr;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::Air;
use super::browse::{Browser, Heard};
use crate::core::nearby::{Announced, Answer, Ended, Input, Output, SEEK_TIME, Search, is_worth_asking};
use crate::core::reach::Surroundings;
use crate::core::time::Time;
use crate::io::net::identity::Identity;
use crate::io::net::reach::look_around;
use crate::io::net::{Conn, connect};
use crate::io::os::clock::until;
use crate::protocol::code::Nameplate;
use crate::protocol::limits::HELLO_BYTES;
use crate::protocol::wire::{SEEK_PROTOCOL, Seek, SeekAnswer};
use crate::protocol::{Failure, TransportChoice, to_json};

/// Looks for the hub that has this number, in 15 s at most. Nobody is told anything but the number, nor who asks: each
/// question is asked under a key that is used for nothing else.
///
/// # Errors
/// `internal` if the system has no thread or no randomness for it.
pub async fn search(air: Air, nameplate: Nameplate, transport: TransportChoice) -> Result<Ended, Failure> {
    let mut browser = Browser::start(air)?;
    let began = Instant::now();
    let now = || Time::default() + began.elapsed();
    let (mut search, mut asking) = (Search::new(now()), JoinSet::new());
    let (around, mut listens) = (look_around(None), true);
    loop {
        while let Some(output) = search.poll() {
            match output {
                Output::Ask(number, announced) => {
                    asking.spawn(async move { (number, ask(announced, nameplate, transport).await) });
                }
                Output::Ended(ended) => return Ok(ended),
            }
        }
        let tick = search.next_timeout().map(|at| began + (at - Time::default()));
        let input = tokio::select! {
            heard = browser.next(), if listens => match heard {
                Some(Heard::Announced(announced)) if !is_near(&announced.at, &around, air) => continue,
                Some(Heard::Announced(announced)) => Input::Announced(announced),
                Some(Heard::Crowded) => Input::Crowded,
                None => {
                    listens = false;
                    continue;
                }
            },
            Some(answered) = asking.join_next() => {
                let (number, answer) = answered.map_err(Failure::internal)?;
                Input::Answered(number, answer)
            }
            () = until(tick.map(Instant::into_std)) => Input::Tick,
        };
        search.handle(now(), input);
    }
}

fn is_near(place: &SocketAddr, around: &Surroundings, air: Air) -> bool {
    let worth = is_worth_asking(place, around, air.reach);
    if !worth {
        tracing::debug!(%place, "an announced place that is not asked");
    }
    worth
}

async fn ask(announced: Announced, nameplate: Nameplate, transport: TransportChoice) -> Answer {
    let Announced { at, key } = announced;
    let asked = async {
        let identity = Identity::ephemeral().map_err(Failure::internal)?;
        let mut conn = connect(at, &identity, Some(key), transport).await?;
        Ok::<_, Failure>(question(&mut conn, nameplate).await)
    };
    let answer = match timeout(SEEK_TIME, asked).await {
        Ok(Ok(Some(SeekAnswer { opened }))) => {
            if opened {
                Answer::Has
            } else {
                Answer::HasNot
            }
        }
        Ok(Ok(None) | Err(_)) | Err(_) => Answer::Nothing,
    };
    tracing::debug!(%at, %key, nameplate, ?answer, "asked a hub in this network");
    answer
}

async fn question(conn: &mut Conn, nameplate: Nameplate) -> Option<SeekAnswer> {
    conn.reader.set_limit(HELLO_BYTES);
    let line = to_json(&Seek { seek: SEEK_PROTOCOL.into(), nameplate }) + "\n";
    conn.writer.write_all(line.as_bytes()).await.ok()?;
    conn.writer.flush().await.ok()?;
    let line = conn.reader.next().await.ok()??;
    serde_json::from_slice(line).ok()
}
