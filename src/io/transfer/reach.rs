//! A lane's connection to its source, by whatever way there is.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::task::spawn_blocking;

use super::calling::dial_or_call;
use super::dial::{dial, prove};
use super::driver::Dial;
use super::local_peer::LocalPeer;
use super::pool::Reached;
use super::socket::Hangup;
use super::stream::ClientStream;
use crate::io::net::reach::{self, Boxed, Proving};
use crate::protocol::wire::Purpose;
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey, Route};

/// How long all ways together may take. The race itself gives up earlier.
const LONGEST: Duration = Duration::from_secs(30);

/// Brings a better connection, if one comes to stand while the first is in use.
pub(super) type Better = mpsc::Receiver<reach::Reached<ClientStream>>;

/// An encrypted connection to a source, who has proved its key, the way that it takes, and what may bring a better one.
/// `content` is what is wanted of it.
///
/// # Errors
/// `None` if `hangup` was raised; otherwise why there is no way, as `dial` says it.
pub(super) fn reach(
    to: &Dial,
    content: ContentHash,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<(Reached, Option<Better>), Option<Failure>> {
    let straight = |stream| (Reached::new(stream, Route::Direct), None);
    let Some(reacher) = local.reacher() else {
        return dial_or_call(to, content, local, hangup).map(straight);
    };
    let target = reacher.target(to.key, to.address, Purpose::Content(content));
    if !target.meets {
        // There is nothing to race with.
        let address = target.direct.ok_or_else(|| Some(ErrorCode::PeerUnreachable.into()))?;
        return dial(address, to.key, local, hangup).map(straight);
    }
    let ready = Hangup::waking().map_err(|e| Some(Failure::internal(e)))?;
    let proving = DataProving { key: to.key, local: local.clone(), ready: ready.clone() };
    let mut reached = reacher.reach(target, Arc::new(proving));
    let deadline = Instant::now() + LONGEST;
    loop {
        match reached.try_recv() {
            Ok(Ok(_)) if hangup.is_raised() => return Err(None),
            Ok(Ok((stream, route))) => return Ok((Reached::new(stream, route), Some(reached))),
            Ok(Err(failure)) => return Err(Some(failure)),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(Some(ErrorCode::PeerUnreachable.into()));
            }
        }
        hangup.wait_for(&ready, deadline).map_err(|_| None)?;
    }
}

/// Makes a connection to a source of what stands: TLS by blocking calls, each on a thread of its own.
struct DataProving {
    key: PublicKey,
    local: LocalPeer,
    /// Raised when there is news for the lane's thread.
    ready: Hangup,
}

/// Ends a blocking call when nobody waits for it any more.
struct RaiseOnDrop(Hangup);

impl Drop for RaiseOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}

impl DataProving {
    fn blocking(
        &self,
        work: impl FnOnce(PublicKey, &LocalPeer, &Hangup) -> Result<ClientStream, Option<Failure>> + Send + 'static,
    ) -> Boxed<Result<ClientStream, Failure>> {
        let (key, local) = (self.key, self.local.clone());
        Box::pin(async move {
            let hangup = Hangup::waking().map_err(Failure::internal)?;
            let _ends = RaiseOnDrop(hangup.clone());
            let done = spawn_blocking(move || work(key, &local, &hangup)).await;
            done.map_err(Failure::internal)?.map_err(|failure| failure.unwrap_or_else(|| ErrorCode::Interrupted.into()))
        })
    }
}

impl Proving for DataProving {
    type Stream = ClientStream;

    fn dial(&self, address: SocketAddr) -> Boxed<Result<ClientStream, Failure>> {
        self.blocking(move |key, local, hangup| dial(address, key, local, hangup))
    }

    fn prove(&self, tcp: TcpStream) -> Boxed<Result<ClientStream, Failure>> {
        self.blocking(move |key, local, hangup| prove(tcp, key, local, hangup))
    }

    fn sent(&self) {
        self.ready.raise();
    }
}
