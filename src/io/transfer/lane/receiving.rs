//! What comes over a lane: taken in, verified, and reported.

use std::collections::VecDeque;

use super::{LaneConnection, PIECE, Stop, broke, fatal, lied};
use crate::core::fetch::plan::ended_there;
use crate::core::fetch::{Input, LaneError, Output};
use crate::io::content::Incoming;
use crate::io::content::hash::{ChunkHasher, verify_manifest};
use crate::io::transfer::socket::Broken;
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, MAX_WHOLE, to_line};
use crate::protocol::{Chunking, ErrorCode, Failure};

impl LaneConnection<'_, '_> {
    /// Takes in the next chunk.
    pub(super) fn receive_chunk(
        &mut self,
        chunk: u32,
        incoming: &Incoming,
        orders: &mut VecDeque<Output>,
    ) -> Result<(), Stop> {
        let range = incoming.chunking.range(chunk);
        let length = range.end - range.start;
        let gathered = incoming.is_gathered();
        let mut hasher = ChunkHasher::new(incoming.chunking, chunk);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while at < length {
            let start = if gathered { at as usize } else { 0 };
            let piece = &mut buffer[start..start + (length - at).min(PIECE as u64) as usize];
            self.read_content(piece)?;
            hasher.update(piece);
            if !gathered {
                incoming.write(range.start + at, piece).map_err(fatal)?;
            }
            at += piece.len() as u64;
        }
        (self.buffer, self.arrived) = (buffer, if gathered { length as usize } else { 0 });
        if !incoming.is_right(chunk, hasher) {
            return Err(lied(format!("The source sent other bytes than it promised, in chunk {chunk}.")));
        }
        self.has_come(chunk, orders);
        Ok(())
    }

    /// Fills `out` with content of a chunk, across segments.
    fn read_content(&mut self, out: &mut [u8]) -> Result<(), Stop> {
        let mut at = 0;
        while at < out.len() {
            if self.segment == 0 {
                let answer = self.read_answer()?;
                self.segment = if let DataAnswer::Bytes { length } = answer
                    && (1..=MAX_SEGMENT as u64).contains(&length)
                {
                    length
                } else {
                    return Err(unexpected(answer));
                };
            }
            let part = (out.len() - at).min(self.segment as usize);
            let meter = &mut self.meter;
            self.stream.read_exact_noting(&mut out[at..at + part], &mut |bytes| meter.note(bytes))?;
            self.segment -= part as u64;
            at += part;
        }
        Ok(())
    }

    /// Takes in the next file.
    pub(super) fn receive_file(&mut self, file: u32, orders: &mut VecDeque<Output>) -> Result<(), Stop> {
        let driver = self.driver;
        let planned = &driver.plan.files[driver.small(file) as usize];
        let length = match self.read_answer()? {
            DataAnswer::Whole { length } if length <= MAX_WHOLE => length as usize,
            DataAnswer::Error { code, .. } => {
                self.refused(file, of_one_file(&code)?, orders);
                return Ok(());
            }
            DataAnswer::Manifest { .. } | DataAnswer::Bytes { .. } | DataAnswer::Whole { .. } => {
                return Err(broke("The other client broke the protocol."));
            }
        };
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let meter = &mut self.meter;
        self.stream.read_exact_noting(&mut self.buffer[..length], &mut |bytes| meter.note(bytes))?;
        if *blake3::hash(&self.buffer[..length]).as_bytes() != planned.hash.0 {
            return Err(lied("The source sent other bytes than it promised."));
        }
        if length as u64 != planned.chunking.size() {
            let message = "The file has another size than the one with which it was offered.";
            self.refused(file, Failure::new(ErrorCode::SourceChanged, message), orders);
            return Ok(());
        }
        self.arrived = length;
        self.has_come(file, orders);
        Ok(())
    }

    fn has_come(&mut self, piece: u32, orders: &mut VecDeque<Output>) {
        self.next_piece();
        let bytes = self.meter.take();
        self.driver.report_of(self.lane, Input::Arrived { lane: self.lane, piece, bytes }, orders);
    }

    fn refused(&mut self, piece: u32, failure: Failure, orders: &mut VecDeque<Output>) {
        self.next_piece();
        self.driver.report_of(self.lane, Input::Refused { lane: self.lane, piece, failure }, orders);
    }

    fn next_piece(&mut self) {
        if let Some(run) = self.asked.front_mut() {
            run.start += 1;
            if run.start == run.end {
                self.asked.pop_front();
            }
        }
    }

    /// Asks for the manifest and verifies it. Says whether the source cuts the file as the plan says.
    pub(super) fn receive_manifest(&mut self, incoming: &Incoming) -> Result<bool, Stop> {
        let (hash, chunking) = (incoming.hash, incoming.chunking);
        let (transfer, file) = (self.token.clone(), incoming.name.clone());
        self.stream.send(&to_line(&DataRequest::Manifest { transfer, hash, file }))?;
        let answer = self.read_answer()?;
        let DataAnswer::Manifest { size, chunk_size, chunks } = answer else { return Err(unexpected(answer)) };
        let other = Chunking::checked(size, chunk_size, chunks).filter(|other| other.size() == chunking.size());
        let other = other.ok_or_else(|| broke("The other client's list of chunks is not the file's."))?;
        if other != chunking {
            self.skip(u64::from(other.count()) * 32)?;
            return Ok(false);
        }
        // Only what we know already decides how much memory this takes.
        let mut bytes = vec![0; chunking.count() as usize * 32];
        let meter = &mut self.meter;
        self.stream.read_exact_noting(&mut bytes, &mut |bytes| meter.note(bytes))?;
        let (manifest, _) = bytes.as_chunks::<32>();
        if !verify_manifest(hash, chunking, manifest) {
            return Err(lied("The source sent a list of chunks that is not the file's."));
        }
        incoming.set_manifest(manifest.into());
        Ok(true)
    }

    /// Takes in what is of no use.
    fn skip(&mut self, mut bytes: u64) -> Result<(), Stop> {
        let mut buffer = [0; 4 << 10];
        while bytes > 0 {
            let piece = bytes.min(buffer.len() as u64);
            let meter = &mut self.meter;
            self.stream.read_exact_noting(&mut buffer[..piece as usize], &mut |bytes| meter.note(bytes))?;
            bytes -= piece;
        }
        Ok(())
    }

    fn read_answer(&mut self) -> Result<DataAnswer, Stop> {
        let meter = &mut self.meter;
        let line = self.stream.read_line_noting(&mut |bytes| meter.note(bytes))?.ok_or(Broken::Closed)?;
        serde_json::from_slice(&line).map_err(|_| broke("The other client broke the protocol."))
    }
}

/// An answer that is not the wanted one: an error, in our own words, or nonsense.
fn unexpected(answer: DataAnswer) -> Stop {
    let DataAnswer::Error { code, .. } = answer else {
        return broke("The other client broke the protocol.");
    };
    if code == ErrorCode::Interrupted.name() {
        return Stop::Error(LaneError::Broke(ended_there()));
    }
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone, ErrorCode::PeerRefused];
    match known.into_iter().find(|known| known.name() == code) {
        Some(code) => Stop::Error(LaneError::Broke(code.into())),
        None => broke("The other client does not answer our request."),
    }
}

/// What a source says of one file, in our own words; other answers are no use.
fn of_one_file(code: &str) -> Result<Failure, Stop> {
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone];
    match known.into_iter().find(|known| known.name() == code) {
        Some(code) => Ok(code.into()),
        None if code == ErrorCode::Interrupted.name() => Err(Stop::Error(LaneError::Broke(ended_there()))),
        None if code == ErrorCode::PeerRefused.name() => {
            Err(Stop::Error(LaneError::Broke(ErrorCode::PeerRefused.into())))
        }
        None => Err(broke("The other client does not answer our request.")),
    }
}
