//! TLS over a blocking socket, for bulk: rustls' unbuffered interface between two buffers that stay
//! in cache. Every wait ends: at a deadline, when the other side is silent for too long, or when
//! its [`Hangup`] is raised.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, ServerConfig};

use super::limits::ConnectionLimits;
use super::side::Side;
use super::socket::{Broken, Hangup, set_up, write_all};
use crate::io::net::tls::{self, DATA_ALPN, SERVER_NAME};
use crate::io::os::cancel::Cancel;
use crate::protocol::PublicKey;
use crate::protocol::data::{MAX_LINE, MAX_SEGMENT};

/// How long the other side has to take our last word.
const GOODBYE: Duration = Duration::from_millis(50);
/// A TLS record at its longest (RFC 8446, section 5.2), rounded up.
const RECORD: usize = 17 << 10;

/// The accepting end.
pub(super) type ServerStream = Stream<UnbufferedServerConnection>;
/// The connecting end.
pub(super) type ClientStream = Stream<UnbufferedClientConnection>;

/// One encrypted connection.
pub(super) struct Stream<S> {
    tcp: Arc<TcpStream>,
    tls: S,
    /// What came from the socket and was not decrypted yet, between the two marks.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    /// What was decrypted and not asked for yet, from the mark on; at most a record and a line.
    plain: Vec<u8>,
    plain_at: usize,
    /// What TLS itself has to say next.
    flight: Vec<u8>,
    /// Room for encrypted data; as large as it was ever needed.
    outgoing: Vec<u8>,
    /// Ends what it waits for.
    hangup: Hangup,
    /// How long one read or one write may take in all, what is waited for a limit aside.
    patience: Duration,
    pub(super) limits: ConnectionLimits,
}

/// What became of the records that are here.
enum Step {
    /// This many decrypted bytes were delivered; perhaps more were kept.
    Data(usize),
    /// More input is needed, or nothing is left to do.
    Idle,
    /// The other side said that it is done.
    Closed,
}

impl ClientStream {
    /// Connects TLS over a connected socket; the handshake must end before the deadline.
    pub(super) fn connect(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        hangup: Hangup,
        deadline: Instant,
    ) -> Result<Self, Broken> {
        let name = ServerName::try_from(SERVER_NAME).expect("the name is a valid DNS name");
        let tls = UnbufferedClientConnection::new(config, name)?;
        Self::handshake(Arc::new(tcp), tls, MAX_SEGMENT + RECORD, hangup, deadline)
    }
}

impl ServerStream {
    /// Accepts TLS on an accepted socket; the handshake must end before the deadline.
    pub(super) fn accept(
        tcp: Arc<TcpStream>,
        config: Arc<ServerConfig>,
        cancel: Cancel,
        deadline: Instant,
    ) -> Result<Self, Broken> {
        let tls = UnbufferedServerConnection::new(config)?;
        // Requests are short: room for one record and the next one's start.
        Self::handshake(tcp, tls, 2 * RECORD, cancel.into(), deadline)
    }
}

impl<S: Side> Stream<S> {
    fn handshake(tcp: Arc<TcpStream>, tls: S, room: usize, hangup: Hangup, deadline: Instant) -> Result<Self, Broken> {
        set_up(&tcp).map_err(Broken::Io)?;
        let patience = deadline.saturating_duration_since(Instant::now());
        let mut stream = Self {
            tcp,
            tls,
            incoming: vec![0; room],
            start: 0,
            end: 0,
            plain: Vec::new(),
            plain_at: 0,
            flight: Vec::new(),
            outgoing: Vec::new(),
            hangup,
            patience,
            limits: ConnectionLimits::default(),
        };
        loop {
            match stream.step(&mut [])? {
                Step::Closed => return Err(Broken::Closed),
                // Without this check a peer that names no protocol at all would pass.
                Step::Idle | Step::Data(_) if !stream.tls.state().is_handshaking() => {
                    let agreed = stream.tls.state().alpn_protocol() == Some(DATA_ALPN);
                    return if agreed { Ok(stream) } else { Err(Broken::Protocol) };
                }
                Step::Idle => stream.receive(deadline, &mut |_| ())?,
                Step::Data(_) => return Err(Broken::Protocol),
            }
        }
    }

    /// The key that the other side proved to hold.
    pub(super) fn peer_key(&self) -> Option<PublicKey> {
        tls::peer_key(self.tls.state())
    }

    /// From now on one read or one write may take this long in all.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// From now on this flag ends a wait; whoever raises it shuts the socket down.
    pub(super) fn set_cancel(&mut self, cancel: Cancel) {
        self.hangup = cancel.into();
    }

    /// From now on this ends a wait.
    pub(super) fn set_hangup(&mut self, hangup: Hangup) {
        self.hangup = hangup;
    }

    /// From now on nobody ends a wait.
    pub(super) fn uncancel(&mut self) {
        self.hangup = Hangup::default();
    }

    /// The socket, for whoever may shut it down.
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        &self.tcp
    }

    /// The next line, without its line feed; `None` if the other side closed before it began one.
    pub(super) fn read_line(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        self.read_line_noting(&mut |_| ())
    }

    /// The same; `note` is told of all bytes that come from the socket, also when we were held up by our own limit.
    pub(super) fn read_line_noting(&mut self, note: &mut dyn FnMut(usize)) -> Result<Option<Vec<u8>>, Broken> {
        let (deadline, waited) = (Instant::now() + self.patience, self.limits.waited);
        let mut searched = 0;
        loop {
            let waiting = &self.plain[self.plain_at..];
            if let Some(end) = waiting[searched..].iter().position(|b| *b == b'\n') {
                let line = waiting[..searched + end].to_vec();
                self.plain_at += line.len() + 1;
                return if line.len() > MAX_LINE { Err(Broken::LongLine) } else { Ok(Some(line)) };
            }
            searched = waiting.len();
            if searched > MAX_LINE {
                return Err(Broken::LongLine);
            }
            match self.step(&mut [])? {
                Step::Data(_) => {}
                Step::Idle => match self.receive(deadline + (self.limits.waited - waited), note) {
                    Err(Broken::Closed) if searched == 0 => return Ok(None),
                    other => other?,
                },
                Step::Closed if searched == 0 => return Ok(None),
                Step::Closed => return Err(Broken::Closed),
            }
        }
    }

    /// Fills `out`. Each time something comes, patience starts anew.
    #[cfg(test)]
    pub(super) fn read_exact(&mut self, out: &mut [u8]) -> Result<(), Broken> {
        self.read_exact_noting(out, &mut |_| ())
    }

    /// The same; `note` is told of all bytes that come from the socket.
    pub(super) fn read_exact_noting(&mut self, out: &mut [u8], note: &mut dyn FnMut(usize)) -> Result<(), Broken> {
        let kept = out.len().min(self.plain.len() - self.plain_at);
        out[..kept].copy_from_slice(&self.plain[self.plain_at..self.plain_at + kept]);
        self.plain_at += kept;
        let mut at = kept;
        while at < out.len() {
            match self.step(&mut out[at..])? {
                Step::Data(n) => at += n,
                Step::Idle => self.receive(Instant::now() + self.patience, note)?,
                Step::Closed => return Err(Broken::Closed),
            }
        }
        Ok(())
    }

    /// Sends all of `data`, encrypted, as fast as it may.
    pub(super) fn send(&mut self, data: &[u8]) -> Result<(), Broken> {
        let Some(up) = self.limits.up.clone() else { return self.send_at_once(data) };
        for piece in data.chunks(up.piece()) {
            if !up.take(piece.len(), self.hangup.flag()) {
                return Err(Broken::Cancelled);
            }
            self.send_at_once(piece)?;
        }
        Ok(())
    }

    /// Sends all of `data`, encrypted, in one write where the socket takes it.
    fn send_at_once(&mut self, data: &[u8]) -> Result<(), Broken> {
        // Whatever waits must be taken in first: rustls writes only when nothing is left to read.
        while let Step::Data(_) = self.step(&mut [])? {}
        let status = self.tls.process(&mut self.incoming[self.start..self.end]);
        let discard = status.discard;
        let ConnectionState::WriteTraffic(mut traffic) = status.state? else { return Err(Broken::Closed) };
        let written = loop {
            match traffic.encrypt(data, &mut self.outgoing) {
                Ok(n) => break n,
                Err(EncryptError::InsufficientSize(e)) => self.outgoing.resize(e.required_size, 0),
                Err(EncryptError::EncryptExhausted) => return Err(Broken::Closed),
            }
        };
        self.start += discard;
        write_all(&self.tcp, &self.outgoing[..written], &self.hangup, self.patience)
    }

    /// Says goodbye and closes. The other side must have nothing more to say.
    pub(super) fn finish(mut self) {
        self.goodbye();
    }

    /// Says goodbye, waits for the other side's last bytes, and closes. Closing with bytes unread
    /// would reset the connection, and lose what was sent last.
    pub(super) fn linger(mut self, time: Duration) {
        self.goodbye();
        let _ = self.tcp.shutdown(Shutdown::Write);
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            match (&*self.tcp).read(&mut self.incoming) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if self.hangup.wait(&self.tcp, PollFlags::IN, deadline).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn goodbye(&mut self) {
        while let Ok(Step::Data(_)) = self.step(&mut []) {}
        let mut record = [0; 64];
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.tls.process(&mut self.incoming[self.start..self.end]).state
            && let Ok(n) = traffic.queue_close_notify(&mut record)
        {
            // Who does not take it has closed already.
            let _ = write_all(&self.tcp, &record[..n], &Hangup::default(), GOODBYE);
        }
    }

    /// Processes what is here, until data comes out or more must come in. Data goes to `out`, and
    /// what does not fit to `plain`.
    fn step(&mut self, out: &mut [u8]) -> Result<Step, Broken> {
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process(&mut self.incoming[self.start..self.end]);
            let mut step = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let mut taken = 0;
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        let fits = record.payload.len().min(out.len() - taken);
                        out[taken..taken + fits].copy_from_slice(&record.payload[..fits]);
                        taken += fits;
                        keep(&mut self.plain, &mut self.plain_at, &record.payload[fits..]);
                    }
                    step = Some(Step::Data(taken));
                }
                Ok(ConnectionState::EncodeTlsData(encode)) => encode_flight(encode, &mut self.flight)?,
                Ok(ConnectionState::TransmitTlsData(transmit)) => {
                    write_all(&self.tcp, &self.flight, &self.hangup, self.patience)?;
                    self.flight.clear();
                    transmit.done();
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => step = Some(Step::Idle),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => step = Some(Step::Closed),
                Ok(_) => return Err(Broken::Protocol),
                Err(error) => {
                    self.start += discard;
                    self.send_alert();
                    return Err(error.into());
                }
            }
            self.start += discard;
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Tells the other side why TLS failed, if it still listens.
    fn send_alert(&mut self) {
        loop {
            let status = self.tls.process(&mut self.incoming[self.start..self.end]);
            let Ok(ConnectionState::EncodeTlsData(encode)) = status.state else { break };
            if encode_flight(encode, &mut self.flight).is_err() {
                break;
            }
            self.start += status.discard;
        }
        let _ = write_all(&self.tcp, &self.flight, &Hangup::default(), GOODBYE);
    }

    /// Takes in what the socket has and may come, waiting for it until the deadline.
    fn receive(&mut self, deadline: Instant, note: &mut dyn FnMut(usize)) -> Result<(), Broken> {
        let waited = self.limits.waited;
        self.limits.pay(self.hangup.flag())?;
        if self.limits.waited > waited {
            note(0);
        }
        let deadline = deadline + (self.limits.waited - waited);
        if let Some(words) = self.limits.words() {
            self.send_at_once(&words)?;
        }
        if self.start > 0 {
            // At most one record that is not complete, so this moves little.
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.incoming.len() {
            return Err(Broken::Protocol);
        }
        let until = self.end + self.limits.portion(self.incoming.len() - self.end);
        loop {
            if self.hangup.is_raised() {
                return Err(Broken::Cancelled);
            }
            if Instant::now() >= deadline {
                return Err(Broken::Silent);
            }
            match (&*self.tcp).read(&mut self.incoming[self.end..until]) {
                Ok(0) => return Err(self.hangup.or(Broken::Closed)),
                Ok(n) => {
                    self.end += n;
                    self.limits.received(n);
                    note(n);
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.hangup.wait(&self.tcp, PollFlags::IN, deadline)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.hangup.or(Broken::Io(e))),
            }
        }
    }
}

fn encode_flight<D>(mut encode: EncodeTlsData<'_, D>, flight: &mut Vec<u8>) -> Result<(), Broken> {
    let at = flight.len();
    loop {
        match encode.encode(&mut flight[at..]) {
            Ok(n) => {
                flight.truncate(at + n);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(e)) => flight.resize(at + e.required_size, 0),
            Err(EncodeError::AlreadyEncoded) => return Err(Broken::Protocol),
        }
    }
}

/// Appends to what was not asked for yet, and forgets what was.
fn keep(plain: &mut Vec<u8>, plain_at: &mut usize, more: &[u8]) {
    if *plain_at > 0 {
        plain.drain(..*plain_at);
        *plain_at = 0;
    }
    plain.extend_from_slice(more);
}
