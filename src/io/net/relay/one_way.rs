//! One direction of two joined connections: bytes go from one socket through a pipe to the other, without being read.
//! Where there are no pipes to be had, they go through a small buffer.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{ByteRate, Moved};

/// Bytes that are moved at a time: what a pipe holds, unless the system has few pages left for its user.
const PORTION: usize = 64 << 10;

/// Bytes of the buffer where there is no pipe.
const BUFFER: usize = 16 << 10;

/// What is between two sockets.
enum Between {
    #[cfg(target_os = "linux")]
    Pipe {
        from: std::os::fd::OwnedFd,
        to: std::os::fd::OwnedFd,
    },
    Buffer {
        bytes: Box<[u8]>,
        start: usize,
    },
}

impl Between {
    /// A pipe if there is one to be had, otherwise a buffer.
    fn pipe() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok((to, from)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) {
            return Self::Pipe { from, to };
        }
        Self::buffer()
    }

    fn buffer() -> Self {
        Self::Buffer { bytes: vec![0; BUFFER].into_boxed_slice(), start: 0 }
    }

    /// Moves bytes from a socket into this, which is empty. 0 means that the socket has ended.
    fn fill(&mut self, socket: &TcpStream, most: usize) -> io::Result<usize> {
        socket.try_io(Interest::READABLE, || match self {
            #[cfg(target_os = "linux")]
            Self::Pipe { from, .. } => splice(socket, from, most.min(PORTION)),
            Self::Buffer { bytes, start } => {
                *start = 0;
                let most = most.min(bytes.len());
                io::Read::read(&mut &*SockRef::from(socket), &mut bytes[..most])
            }
        })
    }

    /// Moves up to `held` bytes from this to a socket.
    fn drain(&mut self, socket: &TcpStream, held: usize) -> io::Result<usize> {
        socket.try_io(Interest::WRITABLE, || match self {
            #[cfg(target_os = "linux")]
            Self::Pipe { to, .. } => splice(to, socket, held),
            Self::Buffer { bytes, start } => {
                let sent = SockRef::from(socket).send(&bytes[*start..*start + held])?;
                *start += sent;
                Ok(sent)
            }
        })
    }
}

#[cfg(target_os = "linux")]
fn splice(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd, most: usize) -> io::Result<usize> {
    use rustix::pipe::SpliceFlags;
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    rustix::pipe::splice(from, None, to, None, most, flags).map_err(io::Error::from)
}

/// Passes on what comes from one connection to another, until it ends; then the other one is told of the end.
///
/// # Errors
/// What broke one of the two.
pub(super) async fn pass(from: &TcpStream, to: &TcpStream, rates: &[Arc<ByteRate>], moved: &Moved) -> io::Result<()> {
    pass_through(from, to, Between::pipe, rates, moved).await
}

async fn pass_through(
    from: &TcpStream,
    to: &TcpStream,
    between: fn() -> Between,
    rates: &[Arc<ByteRate>],
    moved: &Moved,
) -> io::Result<()> {
    let most = rates.iter().map(|rate| rate.portion()).min().unwrap_or(PORTION);
    let mut made = None;
    loop {
        from.readable().await?;
        // Two that are never slower than this one would keep a thread to themselves.
        tokio::task::coop::consume_budget().await;
        while let Some(wait) = rates.iter().map(|rate| rate.wait()).max().filter(|wait| !wait.is_zero()) {
            sleep(wait).await;
        }
        // Connections over which nothing goes need no pipe.
        let between = made.get_or_insert_with(between);
        let mut held = match between.fill(from, most) {
            Ok(0) => return SockRef::from(to).shutdown(Shutdown::Write),
            Ok(held) => held,
            Err(e) if is_nothing(&e) => continue,
            Err(e) => return Err(e),
        };
        rates.iter().for_each(|rate| rate.take(held));
        while held > 0 {
            match between.drain(to, held) {
                Ok(sent) => {
                    held -= sent;
                    moved.add(sent);
                }
                Err(e) if is_nothing(&e) => to.writable().await?,
                Err(e) => return Err(e),
            }
        }
    }
}

/// Whether an error only says that nothing can be moved now.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Both ends of a connection.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (dialled, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
        (dialled.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn bytes_and_their_end_are_passed_on_through_a_pipe_and_without_one() {
        let mut bytes = vec![0; 1_000_003];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        for between in [Between::pipe, Between::buffer] {
            let ((mut source, from), (to, mut sink)) = (connection().await, connection().await);
            let (moved, mut got, slow) = (Moved::default(), Vec::new(), [Arc::new(ByteRate::new(20_000_000))]);
            let send = async {
                source.write_all(&bytes).await.unwrap();
                source.shutdown().await.unwrap();
            };
            let passing = pass_through(&from, &to, between, &slow, &moved);
            let (passed, (), read) = tokio::join!(passing, send, sink.read_to_end(&mut got));
            assert!(passed.is_ok() && read.unwrap() == bytes.len() && got == bytes);
            assert_eq!(moved.bytes(), bytes.len() as u64);
        }
    }
}
