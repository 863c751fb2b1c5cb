//! Explains why no connection to a hub was made: the addresses and transports that were tried, and the reason for each.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::tls::KeyMismatch;
use crate::protocol::{ErrorCode, Failure, TransportKind};

/// Why an attempt to connect failed.
#[derive(Debug)]
pub(super) enum NoConn {
    /// Nobody answered. Another address or transport may succeed.
    Missed(Vec<Missed>),
    /// Somebody answered, and nothing else may be tried.
    Refused(Failure),
}

/// An attempt that reached nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) address: SocketAddr,
    pub(super) transport: TransportKind,
    /// The reason as the end of a sentence, without a full stop.
    pub(super) cause: Cow<'static, str>,
}

impl NoConn {
    pub(super) fn missed(address: SocketAddr, transport: TransportKind, cause: impl Into<Cow<'static, str>>) -> Self {
        Self::Missed(vec![Missed { address, transport, cause: cause.into() }])
    }
}

impl From<Failure> for NoConn {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<NoConn> for Failure {
    fn from(no: NoConn) -> Self {
        match no {
            NoConn::Missed(missed) => unreachable(&missed),
            NoConn::Refused(failure) => failure,
        }
    }
}

/// The failure if the hub proved another key than the expected one.
pub(super) fn key_changed(address: SocketAddr, mismatch: &KeyMismatch) -> Failure {
    Failure::new(
        ErrorCode::HubKeyChanged,
        format!("The hub at {address} shows the key {} instead of {}.", mismatch.found, mismatch.expected),
    )
}

/// The failure if the other side does not speak our protocol.
pub(super) fn wrong_protocol(address: SocketAddr) -> Failure {
    Failure::new(
        ErrorCode::WrongProtocol,
        format!("What answers at {address} is no hub of potluck, or of another version."),
    )
}

/// One sentence for each address, or one for all of them where the cause is the same.
fn unreachable(missed: &[Missed]) -> Failure {
    let mut told: Vec<(Vec<SocketAddr>, String)> = Vec::new();
    let mut addresses: Vec<SocketAddr> = missed.iter().map(|missed| missed.address).collect();
    addresses.dedup();
    for address in addresses {
        let cause = cause_at(missed, address);
        match told.iter_mut().find(|(_, same)| *same == cause) {
            Some((with, _)) if with.contains(&address) => {}
            Some((with, _)) => with.push(address),
            None => told.push((vec![address], cause)),
        }
    }
    let sentences = told.into_iter().map(|(addresses, cause)| {
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        format!("{} cannot be reached: {cause}.", addresses.join(", "))
    });
    Failure::new(ErrorCode::HubUnreachable, sentences.collect::<Vec<_>>().join(" "))
}

fn cause_at(missed: &[Missed], address: SocketAddr) -> String {
    let here: Vec<&Missed> = missed.iter().filter(|missed| missed.address == address).collect();
    match here.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other.cause == first.cause) => first.cause.to_string(),
        all => {
            let each = all.iter().map(|missed| match missed.transport {
                TransportKind::Quic => format!("{} over QUIC", missed.cause),
                TransportKind::Tcp => format!("{} over TCP", missed.cause),
            });
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransportKind::{Quic, Tcp};
    use super::*;

    fn said(missed: &[(u8, TransportKind, &'static str)]) -> String {
        let at = |last: u8| SocketAddr::from(([10, 0, 0, last], 7755));
        let missed =
            missed.iter().map(|&(last, transport, cause)| Missed { address: at(last), transport, cause: cause.into() });
        let failure = Failure::from(NoConn::Missed(missed.collect()));
        assert_eq!(failure.code, ErrorCode::HubUnreachable);
        failure.message.into_owned()
    }

    #[test]
    fn what_is_wrong_is_said_once() {
        let (nothing, silent) = ("nothing listens there", "no answer came in time");
        let same = "10.0.0.1:7755 cannot be reached: nothing listens there.";
        assert_eq!(said(&[(1, Quic, nothing)]), same);
        assert_eq!(said(&[(1, Quic, nothing), (1, Tcp, nothing)]), same);
        assert_eq!(
            said(&[(1, Quic, silent), (1, Tcp, nothing)]),
            "10.0.0.1:7755 cannot be reached: no answer came in time over QUIC, nothing listens there over TCP."
        );
        assert_eq!(
            said(&[(1, Quic, nothing), (2, Quic, nothing), (1, Tcp, nothing), (2, Tcp, nothing)]),
            "10.0.0.1:7755, 10.0.0.2:7755 cannot be reached: nothing listens there."
        );
        assert_eq!(
            said(&[(1, Tcp, nothing), (2, Tcp, silent)]),
            "10.0.0.1:7755 cannot be reached: nothing listens there. 10.0.0.2:7755 cannot be reached: no answer came in time."
        );
    }
}
