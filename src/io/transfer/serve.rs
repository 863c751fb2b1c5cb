//! One connection of a receiver, from its first request to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::service::Service;
use super::socket::Broken;
use super::stream::ServerStream;
use super::uploads::{Part, Via, What};
use crate::io::content::check_target;
use crate::io::content::stored_content::{OpenFile, StoredContent};
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, MAX_WHOLE, check_token, to_line};
use crate::protocol::{ContentHash, ErrorCode, Failure, MAX_SIZE, PublicKey, Route};

/// How long to wait for the next request, and for the receiver to take a segment.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait, after a refusal, for the receiver to have read it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The most uploads in which one connection takes part within [`TOKENS_EVERY`]: each is told to the user.
const TOKENS: u32 = 64;
const TOKENS_EVERY: Duration = Duration::from_secs(10);
/// Room for the line before a segment's bytes, so that both go out in one piece.
const HEADER: usize = 64;

/// Why a connection ends from our side.
enum End {
    /// The request is wrong or not allowed; the peer is told.
    Refused(Failure),
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

struct ServedConnection<'a> {
    shared: &'a Service,
    stream: ServerStream,
    slot: u64,
    peer: PublicKey,
    /// The way that it takes.
    route: Route,
    part: Option<Part>,
    /// How many uploads it took part in, since when.
    tokens: (Instant, u32),
    /// What was read last, kept open for the next request.
    open: Option<(Arc<StoredContent>, OpenFile)>,
    buffer: Vec<u8>,
}

/// Answers a peer's requests until it leaves or does something that is not allowed. Who is not `welcome` is told so.
pub(super) fn serve(
    shared: &Service,
    mut stream: ServerStream,
    (slot, peer, route): (u64, PublicKey, Route),
    welcome: Result<(), Failure>,
) {
    stream.set_patience(IDLE);
    let tokens = (Instant::now(), 0);
    let mut connection =
        ServedConnection { shared, stream, slot, peer, route, part: None, tokens, open: None, buffer: Vec::new() };
    let ended = welcome.map_err(End::Refused).and_then(|()| connection.answer_all());
    match ended {
        Ok(()) => connection.stream.finish(),
        Err(End::Refused(failure)) => {
            tracing::debug!(%failure, %peer, "data request refused");
            if connection.tell(&failure).is_ok() {
                connection.stream.linger(LAST_WORDS);
            }
        }
        Err(End::Broken(broken)) => {
            tracing::debug!(%broken, %peer, "data connection ended");
            let failure = if let Broken::Cancelled = broken {
                ErrorCode::Interrupted.into()
            } else {
                Failure::new(ErrorCode::PeerBroke, format!("The other client broke off: {broken}."))
            };
            if let Some(part) = connection.part {
                part.failed(failure);
            }
        }
    }
}

impl ServedConnection<'_> {
    fn answer_all(&mut self) -> Result<(), End> {
        while let Some(line) = self.stream.read_line()? {
            let request: DataRequest = serde_json::from_slice(&line).map_err(|_| bad("That is not a request."))?;
            check_token(request.transfer()).map_err(End::Refused)?;
            // A hub that has just come back may name this peer a moment later.
            let Some(name) = self.shared.store.await_peer(&self.peer) else {
                return Err(End::Refused(ErrorCode::PeerRefused.into()));
            };
            // Who only says that it is still there does not use its place.
            let uses = !matches!(request, DataRequest::Wait { .. });
            if uses {
                self.shared.begin(self.slot);
            }
            match request {
                DataRequest::Manifest { transfer, hash, file } => {
                    if let Some(stored) = self.find(&name, &transfer, hash, &file, &[])? {
                        self.send_manifest(&stored)?;
                    }
                }
                DataRequest::Ranges { transfer, hash, file, ranges } => {
                    if let Some(stored) = self.find(&name, &transfer, hash, &file, &ranges)? {
                        self.send_ranges(&stored, &ranges)?;
                    }
                }
                DataRequest::Files { transfer, folder, hash, size, files } => {
                    let what = What { file: folder, size, hash };
                    self.send_files(&name, &transfer, what, &files)?;
                }
                DataRequest::Wait { .. } => {}
                DataRequest::Done { transfer } => {
                    // What is asked for afterwards is another upload, whatever its token.
                    if let Some(part) = self.part.take_if(|part| part.is_of(&transfer)) {
                        part.done();
                    }
                }
            }
            if uses {
                self.shared.rest(self.slot);
            }
        }
        Ok(())
    }

    /// The file that is asked for; otherwise the peer is told that it is gone.
    fn find(
        &mut self,
        name: &str,
        token: &str,
        hash: ContentHash,
        file: &str,
        ranges: &[[u64; 2]],
    ) -> Result<Option<Arc<StoredContent>>, End> {
        let Some(stored) = self.shared.store.find((&self.peer, name), &hash, file, ranges) else {
            self.tell(&ErrorCode::SourceGone.into())?;
            return Ok(None);
        };
        self.take_part(name, token, || What {
            file: stored.name.to_string(),
            size: stored.hashed.chunking.size(),
            hash: stored.hashed.hash,
        })?;
        Ok(Some(stored))
    }

    /// Counts what follows to the upload of this token.
    fn take_part(&mut self, name: &str, token: &str, what: impl FnOnce() -> What) -> Result<(), End> {
        if self.part.as_ref().is_none_or(|p| !p.is_of(token) || p.is_overdue()) {
            // The old part ends before the new one begins.
            self.part = None;
            self.count_token()?;
            if self.shared.uploads.was_ended(self.peer, token) {
                return Err(End::Refused(ErrorCode::Interrupted.into()));
            }
            let via = Via { socket: self.stream.socket(), route: self.route };
            let part = self.shared.uploads.join(self.peer, name, token, what(), via);
            // Whoever cancels it does not wait until what is being sent is gone.
            self.stream.set_cancel(part.cancel());
            self.part = Some(part);
        }
        Ok(())
    }

    fn count_token(&mut self) -> Result<(), End> {
        if self.tokens.0.elapsed() >= TOKENS_EVERY {
            self.tokens = (Instant::now(), 0);
        }
        self.tokens.1 += 1;
        if self.tokens.1 > TOKENS { Err(bad("These are too many transfers over one connection.")) } else { Ok(()) }
    }

    fn send_manifest(&mut self, stored: &StoredContent) -> Result<(), End> {
        let (chunking, manifest) = (stored.hashed.chunking, &stored.hashed.manifest);
        let (size, chunk_size, chunks) = (chunking.size(), chunking.chunk_size(), chunking.count().into());
        let mut answer = to_line(&DataAnswer::Manifest { size, chunk_size, chunks });
        answer.extend_from_slice(manifest.as_flattened());
        Ok(self.stream.send(&answer)?)
    }

    fn send_ranges(&mut self, stored: &Arc<StoredContent>, ranges: &[[u64; 2]]) -> Result<(), End> {
        let size = stored.hashed.chunking.size();
        if ranges.is_empty() || ranges.iter().any(|[start, end]| start >= end || *end > size) {
            return Err(bad("A range is empty or beyond the end."));
        }
        let file = match self.open.take() {
            Some((same, file)) if Arc::ptr_eq(&same, stored) => file,
            _ => match stored.open() {
                Ok(file) => file,
                Err(failure) => {
                    self.shared.store.lose(stored);
                    return self.fail(failure);
                }
            },
        };
        self.buffer.resize(HEADER + MAX_SEGMENT, 0);
        for [start, end] in ranges {
            let mut at = *start;
            while at < *end {
                let length = (end - at).min(MAX_SEGMENT as u64);
                let segment = &mut self.buffer[HEADER..HEADER + length as usize];
                if let Err(failure) = file.read(at, segment) {
                    return self.fail(failure);
                }
                let line = to_line(&DataAnswer::Bytes { length });
                let first = HEADER - line.len();
                self.buffer[first..HEADER].copy_from_slice(&line);
                // Counted first: once the peer has it, it may say on another connection that this was the last of all.
                self.sending(length)?;
                self.stream.send(&self.buffer[first..HEADER + length as usize])?;
                self.shared.moved(self.slot, length);
                at += length;
            }
        }
        self.open = Some((stored.clone(), file));
        Ok(())
    }

    /// Sends whole files, as many as fit into a segment at a time.
    fn send_files(&mut self, name: &str, token: &str, what: What, files: &[(ContentHash, String)]) -> Result<(), End> {
        if what.file.strip_suffix('/').is_none_or(|folder| check_target(folder).is_err()) {
            return Err(bad("That is not the name of a folder."));
        }
        if what.size > MAX_SIZE {
            return Err(bad("No folder is that large."));
        }
        let mut what = Some(what);
        let mut packed = std::mem::take(&mut self.buffer);
        packed.clear();
        let mut bytes = 0;
        for (hash, file) in files {
            let found = self
                .shared
                .store
                .find((&self.peer, name), hash, file, &[])
                .filter(|s| s.hashed.chunking.size() <= MAX_WHOLE);
            if found.is_some()
                && let Some(what) = what.take()
            {
                self.take_part(name, token, || what)?;
            }
            let length = found.as_ref().map_or(0, |s| s.hashed.chunking.size());
            if packed.len() + HEADER + length as usize > MAX_SEGMENT {
                self.send_packed(&mut packed, &mut bytes)?;
            }
            let done = match &found {
                None => Err(ErrorCode::SourceGone.into()),
                Some(stored) => pack(stored, &mut packed).inspect_err(|_| self.shared.store.lose(stored)),
            };
            match done {
                Ok(()) => bytes += length,
                Err(failure) => {
                    packed.extend_from_slice(&error_line(&failure));
                    if let Some(part) = self.part.as_ref().filter(|p| p.is_of(token)) {
                        part.failed(failure);
                    }
                }
            }
        }
        self.send_packed(&mut packed, &mut bytes)?;
        self.buffer = packed;
        Ok(())
    }

    fn send_packed(&mut self, packed: &mut Vec<u8>, bytes: &mut u64) -> Result<(), Broken> {
        // Counted first, as in `send_ranges`.
        self.sending(std::mem::take(bytes))?;
        for segment in packed.chunks(MAX_SEGMENT) {
            self.stream.send(segment)?;
            self.shared.moved(self.slot, segment.len() as u64);
        }
        packed.clear();
        Ok(())
    }

    /// So many bytes are about to be sent, if the upload is not to end.
    fn sending(&mut self, bytes: u64) -> Result<(), Broken> {
        let Some(part) = &self.part else { return Ok(()) };
        if part.cancel().is_cancelled() {
            return Err(Broken::Cancelled);
        }
        part.sent(bytes);
        Ok(())
    }

    /// The file cannot be sent on: the peer is told, and may ask for something else.
    fn fail(&mut self, failure: Failure) -> Result<(), End> {
        // Noted first: once the peer knows it may break off, which would look like the reason.
        if let Some(part) = &self.part {
            part.failed(failure.clone());
        }
        Ok(self.tell(&failure)?)
    }

    fn tell(&mut self, failure: &Failure) -> Result<(), Broken> {
        self.stream.send(&error_line(failure))
    }
}

/// Appends a file and the line before it; nothing if it cannot be read.
fn pack(stored: &Arc<StoredContent>, packed: &mut Vec<u8>) -> Result<(), Failure> {
    let length = stored.hashed.chunking.size();
    let file = stored.open()?;
    let before = packed.len();
    packed.extend_from_slice(&to_line(&DataAnswer::Whole { length }));
    let start = packed.len();
    packed.resize(start + length as usize, 0);
    file.read(0, &mut packed[start..]).inspect_err(|_| packed.truncate(before))
}

fn error_line(failure: &Failure) -> Vec<u8> {
    let (code, message) = (failure.code.name().to_owned(), failure.message.clone().into_owned());
    to_line(&DataAnswer::Error { code, message })
}

fn bad(message: &'static str) -> End {
    End::Refused(Failure::new(ErrorCode::BadRequest, message))
}
