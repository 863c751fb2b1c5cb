//! Explains why a connection failed, in words that do not depend on the operating system or a library.

use std::borrow::Cow;
use std::io;

use quinn::{ConnectionError, ReadError, StoppedError, WriteError};

use super::tls;
use crate::protocol::cause;

/// The reason if the other side ended the connection.
pub(super) const CLOSED: &str = "the other side closed the connection";

/// Why a socket, or TLS over it, failed.
pub(super) fn of_socket(error: &io::Error) -> Cow<'static, str> {
    match (error.kind(), tls_error(error)) {
        (io::ErrorKind::ConnectionRefused, _) => "nothing listens there (refused)".into(),
        // The handshake was cut off, which for the connecting side is the same.
        (io::ErrorKind::UnexpectedEof, _) => CLOSED.into(),
        (_, Some(error)) => tls::cause(error).into(),
        (_, None) => cause::of_io(error),
    }
}

/// The TLS error that an I/O error contains, if any.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why a QUIC connection ended.
pub(super) fn of_quic(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TimedOut => "no answer".into(),
        ConnectionError::ConnectionClosed(close)
            if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
        {
            "too many are connecting".into()
        }
        ConnectionError::VersionMismatch => "another version of QUIC is spoken there".into(),
        ConnectionError::TransportError(_) => "the other side broke the protocol".into(),
        ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) | ConnectionError::Reset => {
            CLOSED.into()
        }
        ConnectionError::LocallyClosed => "it was closed here".into(),
        ConnectionError::CidsExhausted => "there are too many connections".into(),
    }
}

/// Why nothing more can be read from a QUIC stream.
pub(super) fn of_read(error: &ReadError) -> String {
    match error {
        ReadError::ConnectionLost(lost) => of_quic(lost),
        ReadError::Reset(_) | ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
            CLOSED.into()
        }
    }
}

/// Why nothing more can be written to a QUIC stream.
pub(super) fn of_write(error: &WriteError) -> String {
    match error {
        WriteError::ConnectionLost(lost) => of_quic(lost),
        WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => CLOSED.into(),
    }
}

/// Why a QUIC stream was not read to its end.
pub(super) fn of_stopped(error: &StoppedError) -> String {
    match error {
        StoppedError::ConnectionLost(lost) => of_quic(lost),
        StoppedError::ZeroRttRejected => CLOSED.into(),
    }
}
