//! How a connection to the hub's TCP port begins: with the line of a half, or with a TLS handshake.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::Half;
use crate::protocol::wire::RELAY_GREETING;

/// The digits of a token.
const TOKEN: usize = 32;

/// The length of the line, in bytes: the greeting, a space, the token, a line feed.
const LINE: usize = RELAY_GREETING.len() + 1 + TOKEN + 1;

/// What a connection is.
pub(in crate::io::net) enum Beginning {
    /// Anything but a half: nothing of it was read.
    Other(TcpStream),
    /// One half of a meeting. Its line was read, and nothing behind it.
    Half(Half),
}

/// Looks how a connection begins. `None` if it breaks, ends, or begins like a half and is none.
pub(in crate::io::net) async fn look(stream: TcpStream) -> Option<Beginning> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first[0] != RELAY_GREETING.as_bytes()[0] {
        return Some(Beginning::Other(stream));
    }
    let (mut line, mut have) = ([0; LINE], 0);
    while have < LINE {
        stream.readable().await.ok()?;
        match stream.try_read(&mut line[have..]) {
            Ok(0) => return None,
            Ok(more) => have += more,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        if !is_greeting(&line[..have]) {
            return None;
        }
    }
    let token = str::from_utf8(&line[LINE - 1 - TOKEN..LINE - 1]).ok()?.to_owned();
    let address = stream.peer_addr().ok()?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    Some(Beginning::Half(Half { stream, token, address }))
}

/// Whether these bytes may be the beginning of the line.
fn is_greeting(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at.checked_sub(RELAY_GREETING.len()) {
        None => RELAY_GREETING.as_bytes()[at] == *byte,
        Some(0) => *byte == b' ',
        Some(at) if at <= TOKEN => byte.is_ascii_hexdigit(),
        Some(_) => *byte == b'\n',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_greeting_is_seen_at_its_first_wrong_byte() {
        let line = format!("{RELAY_GREETING} {}\n", "0123456789abcdef".repeat(2));
        assert_eq!(line.len(), LINE);
        assert!((0..=LINE).all(|end| is_greeting(&line.as_bytes()[..end])));
        for at in 0..LINE {
            let mut wrong = line.clone().into_bytes();
            wrong[at] = b'x';
            assert!(!is_greeting(&wrong[..=at]), "{at}");
        }
    }
}
