//! Both machines with a hub between them that carries everything, something else, or lies.

mod adversary;
mod honest;
mod hostile;

use std::collections::VecDeque;

use super::*;
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::parcel::{FromSender, Parcel, ParcelContent, ParcelKind, SentCode, Ticket, name_of, stream_name};
use crate::protocol::{Code, Content, ContentHash, ErrorCode, PublicKey};

const SENDER: PublicKey = PublicKey([1; 32]);
const RECEIVER: PublicKey = PublicKey([2; 32]);
const NAMEPLATE: u32 = 8;

fn parcel() -> Parcel {
    Parcel {
        kind: ParcelKind::Text,
        name: "text".into(),
        files: 0,
        size: 4,
        content: ParcelContent::Text("soup".into()),
        addresses: Vec::new(),
        port: 40_000,
    }
}

fn word() -> Vec<u8> {
    serde_json::to_vec(&FromSender { parcel: parcel() }).unwrap()
}

/// A sender and those who knock at its number.
struct Sender {
    now: Time,
    sending: Sending,
    secrets: Secrets,
    code: Code,
    said: VecDeque<(u64, Vec<u8>)>,
    admitted: Vec<(u64, PublicKey, u64, bool)>,
    delivered: Vec<(PublicKey, u64)>,
    /// Who has left without having everything, and whether they are gone.
    left: Vec<(PublicKey, bool)>,
    hung_up: Vec<(u64, bool)>,
    /// What its machine has kept.
    kept: Option<SentCode>,
}

impl Sender {
    fn new(times: u64) -> Self {
        let mut secrets = Secrets::new([1; 32]);
        let mut sending = Sending::new(SENDER, times, word(), &mut secrets);
        let code = sending.opened(NAMEPLATE).clone();
        let (said, admitted, delivered, left, hung_up) = Default::default();
        let kept = sending.to_keep(None);
        Self { now: Time(0), sending, secrets, code, said, admitted, delivered, left, hung_up, kept }
    }

    /// Its process is killed, and started again with what its machine has kept. False if its code is good for nobody.
    fn is_killed(&mut self) -> bool {
        let kept = self.kept.clone().expect("it was kept before it was told");
        let Some(recalled) = Sending::recalled(SENDER, word(), &kept, &mut self.secrets) else { return false };
        self.sending = recalled;
        assert_eq!(self.sending.opened(NAMEPLATE), &self.code, "under the same code");
        self.said.clear();
        true
    }

    fn does(&mut self, act: impl FnOnce(&mut Sending, Time, &mut Secrets)) {
        act(&mut self.sending, self.now, &mut self.secrets);
        self.kept = self.sending.to_keep(None).or(self.kept.take());
        while let Some(step) = self.sending.poll() {
            match step {
                SendingStep::Say(conversation, message) => self.said.push_back((conversation, message)),
                SendingStep::Admit { conversation, key, receiver, again, .. } => {
                    self.admitted.push((conversation, key, receiver, again));
                }
                SendingStep::Delivered { key, left, .. } => self.delivered.push((key, left)),
                SendingStep::Left { key, gone } => self.left.push((key, gone)),
                SendingStep::HangUp { conversation, guessed } => self.hung_up.push((conversation, guessed)),
            }
        }
        let due = self.sending.next_timeout();
        assert!(due.is_none_or(|at| at > self.now), "a deadline that is due would spin");
    }

    fn knocked(&mut self, conversation: u64, key: PublicKey, share: Option<Vec<u8>>) {
        self.does(|sending, now, secrets| sending.knocked(now, conversation, key, share, secrets));
    }

    fn says(&mut self, conversation: u64, message: &[u8]) {
        self.does(|sending, now, secrets| sending.said(now, conversation, message, secrets));
    }

    fn gone(&mut self, conversation: u64) {
        self.does(|sending, now, secrets| sending.hung_up(now, conversation, true, secrets));
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.does(|sending, now, secrets| sending.tick(now, secrets));
    }

    /// The code by which it fails.
    fn failure(&self) -> Option<ErrorCode> {
        self.sending.failure().map(|failure| failure.code)
    }

    /// The next thing that it says in a conversation.
    fn hear(&mut self, conversation: u64) -> Option<Vec<u8>> {
        let at = self.said.iter().position(|(number, _)| *number == conversation)?;
        self.said.remove(at).map(|(_, message)| message)
    }
}

/// A receiver, and what it wants.
struct Receiver {
    now: Time,
    receiving: Receiving,
    secrets: Secrets,
    steps: VecDeque<ReceivingStep>,
}

impl Receiver {
    fn new(now: Time, key: PublicKey, code: &Code, ticket: Option<Ticket>) -> Self {
        let receiving = Receiving::new(now, key, code.clone(), ticket);
        let mut receiver = Self { now, receiving, secrets: Secrets::new(key.0), steps: VecDeque::new() };
        receiver.does(|receiving, now, secrets| receiving.tick(now, secrets));
        receiver
    }

    fn does(&mut self, act: impl FnOnce(&mut Receiving, Time, &mut Secrets)) {
        act(&mut self.receiving, self.now, &mut self.secrets);
        self.receiving.tick(self.now, &mut self.secrets);
        while let Some(step) = self.receiving.poll() {
            self.steps.push_back(step);
        }
        let due = self.receiving.next_timeout();
        assert!(due.is_none_or(|at| at > self.now), "a deadline that is due would spin");
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.does(|_, _, _| {});
    }

    fn answered(&mut self, conversation: u64, key: PublicKey) {
        self.does(|receiving, now, secrets| receiving.answered(now, conversation, key, secrets));
    }

    fn says(&mut self, message: &[u8]) {
        self.does(|receiving, now, _| receiving.said(now, message));
    }

    fn refused(&mut self, code: ErrorCode) {
        self.does(|receiving, now, _| receiving.refused(now, code.into()));
    }

    fn take<T>(&mut self, which: impl Fn(&ReceivingStep) -> Option<T>) -> Option<T> {
        let at = self.steps.iter().position(|step| which(step).is_some())?;
        self.steps.remove(at).and_then(|step| which(&step))
    }

    /// The knock that it wants: with a share, or without one.
    fn knock(&mut self) -> Option<Option<Vec<u8>>> {
        self.take(|step| if let ReceivingStep::Knock(share) = step { Some(share.map(|s| s.to_vec())) } else { None })
    }

    fn hear(&mut self) -> Option<Vec<u8>> {
        self.take(|step| if let ReceivingStep::Say(_, message) = step { Some(message.clone()) } else { None })
    }

    fn failure(&mut self) -> Option<ErrorCode> {
        self.take(|step| if let ReceivingStep::Failed(failure) = step { Some(failure.code) } else { None })
    }

    fn ticket(&mut self) -> Option<Ticket> {
        self.take(|step| if let ReceivingStep::Keep(ticket) = step { Some((**ticket).clone()) } else { None })
    }

    fn has(&self, step: &ReceivingStep) -> bool {
        self.steps.contains(step)
    }

    fn has_found(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, ReceivingStep::Found(..)))
    }
}

/// A hub that carries everything between the two, in a conversation of this number.
fn knock(sender: &mut Sender, receiver: &mut Receiver, key: PublicKey, conversation: u64) {
    let share = receiver.knock().expect("it knocks");
    receiver.answered(conversation, SENDER);
    sender.knocked(conversation, key, share);
    carry(sender, receiver, conversation);
}

/// Carries what they say, and how the sender ends it, until both are silent.
fn carry(sender: &mut Sender, receiver: &mut Receiver, conversation: u64) {
    loop {
        if let Some(message) = sender.hear(conversation) {
            receiver.says(&message);
        } else if let Some(message) = receiver.hear() {
            sender.says(conversation, &message);
        } else if let Some(at) = sender.hung_up.iter().position(|(number, _)| *number == conversation) {
            sender.hung_up.remove(at);
            receiver.does(|receiving, now, _| receiving.hung_up(now, false));
        } else {
            return;
        }
    }
}

fn complete(receiver: &mut Receiver) {
    receiver.does(|receiving, now, _| receiving.complete(now));
}

fn file(name: &str, size: u64) -> Content {
    let (hash, chunks) = (ContentHash([size as u8; 32]), u64::from(size > 0));
    Content { file: name.into(), size, hash, chunk_size: 1 << 20, chunks, modified: None }
}

fn of_files(files: &[Content]) -> Parcel {
    let size = files.iter().fold(0u64, |sum, file| sum.wrapping_add(file.size));
    let (count, content) = (files.len() as u64, ParcelContent::Files(files.to_vec()));
    let name = name_of(files.iter().map(|file| &*file.file));
    Parcel { kind: ParcelKind::Files, name, files: count, size, content, ..parcel() }
}

#[test]
fn what_a_sender_says_of_its_files_is_checked() {
    let good = of_files(&[file("songs/a", 3), file("songs/b/c", 0), file("songs.txt", 1)]);
    assert_eq!(check_parcel(&good), Ok(()));
    let bad = |files: &[Content]| check_parcel(&of_files(files)).map_err(|failure| failure.code);
    let broke = Err(ErrorCode::PeerBroke);
    assert_eq!(bad(&[]), broke);
    for name in ["", "../a", "/etc/passwd", "a//b", "a\\b", "C:a", "a/\u{202e}b", "a/.."] {
        assert_eq!(bad(&[file(name, 1)]), broke, "{name}");
    }
    assert_eq!(bad(&[file("a", 1), file("a", 2)]), broke, "two in one place");
    assert_eq!(bad(&[file("a/b", 1), file("c", 1), file("a", 2)]), broke, "a file that is a folder");
    assert_eq!(bad(&vec![file("a", 1); 65]), broke);
    let lie = |change: fn(&mut Parcel)| {
        let mut parcel = good.clone();
        change(&mut parcel);
        check_parcel(&parcel).map_err(|failure| failure.code)
    };
    assert_eq!(lie(|parcel| parcel.size += 1), broke);
    assert_eq!(lie(|parcel| parcel.files = 2), broke);
    assert_eq!(lie(|parcel| parcel.name = "x".repeat(5_000)), broke);
    assert_eq!(lie(|parcel| parcel.content = ParcelContent::Text("x".repeat(17 << 10))), broke);
    assert_eq!(lie(|parcel| parcel.content = ParcelContent::Listed(file("list", 1 << 40))), broke);
    assert_eq!(bad(&[file("a", u64::MAX), file("b", 2)]), broke, "more than there can be");
}

#[test]
fn a_parcel_is_called_by_what_is_written() {
    let broke = Err(ErrorCode::PeerBroke);
    let called = |name: &str, files: &[Content]| {
        check_parcel(&Parcel { name: name.into(), ..of_files(files) }).map_err(|failure| failure.code)
    };
    let (keys, talk) = (file(".ssh/authorized_keys", 3), file("talk.mp4", 5));
    for (name, files) in [
        ("talk.mp4", vec![talk.clone()]),
        ("slides/", vec![file("slides/.notes", 1), file("slides/a", 2)]),
        ("talk.mp4 and 1 more", vec![talk.clone(), file("slides/a", 2), file("slides/b", 2)]),
        (".ssh/", vec![keys.clone()]),
    ] {
        assert_eq!(called(name, &files), Ok(()), "{name}");
        for other in ["talk.mp3", "../../etc/passwd", "slides", ".ssh", "talk.mp4 and 2 more"] {
            assert_eq!(called(other, &files), broke, "{other} for {name}");
        }
    }
    let listed = |name: &str| {
        let content = ParcelContent::Listed(file("listing", 900));
        check_parcel(&Parcel { name: name.into(), files: 70, content, ..of_files(&[]) }).map_err(|failure| failure.code)
    };
    assert_eq!((listed("slides/"), listed("a and 69 more")), (Ok(()), Ok(())));
    assert_eq!([listed("../../etc/passwd"), listed("/"), listed("a\u{1b}[2J")], [broke; 3]);
    let code = Code::new(NAMEPLATE, 0);
    let hidden = |files: &[Content]| check_not_hidden(&code, files).map_err(|failure| failure.code);
    assert_eq!(hidden(&[talk.clone(), keys]), Err(ErrorCode::BadName));
    assert_eq!(hidden(&[talk, file("slides/.notes", 1)]), Ok(()));
}

#[test]
fn what_a_parcel_is_must_fit_what_is_in_it() {
    let broke = Err(ErrorCode::PeerBroke);
    let kind = |kind, parcel: Parcel| check_parcel(&Parcel { kind, ..parcel }).map_err(|failure| failure.code);
    let one = file("talk.mp4", 5);
    let stream = file(&stream_name(&one.hash), 5);
    assert_eq!(kind(ParcelKind::Stream, of_files(std::slice::from_ref(&stream))), Ok(()));
    assert_eq!(kind(ParcelKind::Stream, of_files(&[one])), broke, "a name of the sender's choice");
    assert_eq!(kind(ParcelKind::Stream, of_files(&[stream.clone(), file("b", 1)])), broke);
    assert_eq!(kind(ParcelKind::Text, of_files(std::slice::from_ref(&stream))), broke);
    assert_eq!((kind(ParcelKind::Files, parcel()), kind(ParcelKind::Stream, parcel())), (broke, broke));
    let listed = Parcel { content: ParcelContent::Listed(file("listing", 900)), ..of_files(&[stream]) };
    assert_eq!((kind(ParcelKind::Stream, listed.clone()), kind(ParcelKind::Text, listed)), (broke, broke));
    for other in
        [Parcel { name: "soup".into(), ..parcel() }, Parcel { files: 1, ..parcel() }, Parcel { size: 9, ..parcel() }]
    {
        assert_eq!(kind(ParcelKind::Text, other), broke);
    }
}
