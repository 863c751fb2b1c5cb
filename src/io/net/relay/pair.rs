//! Two connections that are joined: what comes from each goes to the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::one_way::pass;
use super::{ByteRate, Moved};
use crate::io::net::causes;

/// Passes on what comes from each of two connections to the other, until both have ended or one of them breaks. Says
/// why it is over. The end of one direction is passed on, and the other one goes on. All of it keeps to the `rates`.
pub async fn relay(halves: &[TcpStream; 2], rates: &[Arc<ByteRate>], moved: &Moved) -> String {
    let [one, other] = halves;
    let both = async { tokio::try_join!(pass(one, other, rates, moved), pass(other, one, rates, moved)) };
    tokio::select! {
        ended = both => match ended {
            Ok(_) => "closed".to_owned(),
            Err(e) => broken(halves, &e),
        },
        // Nobody sees that a connection is gone while it waits for the other one to read.
        e = gone(one) => broken(halves, &e),
        e = gone(other) => broken(halves, &e),
    }
}

/// Waits until a connection has broken.
async fn gone(stream: &TcpStream) -> io::Error {
    match stream.ready(Interest::ERROR).await {
        Ok(_) => stream.take_error().ok().flatten().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()),
        Err(e) => e,
    }
}

/// One of two connections has broken, and so both have. Says why.
fn broken(halves: &[TcpStream; 2], error: &io::Error) -> String {
    abort(halves);
    causes::of_socket(error).into_owned()
}

/// Has two connections break when they are dropped, so that nobody takes their end for an orderly one.
pub fn abort(halves: &[TcpStream; 2]) {
    for half in halves {
        // Failing means that it is gone already.
        let _ = SockRef::from(half).set_linger(Some(Duration::ZERO));
    }
}
