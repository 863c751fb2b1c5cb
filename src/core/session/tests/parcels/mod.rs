//! A sender and a receiver, and between them a hub that is played by the test.

mod ways;

use serde_json::json;

use super::*;
use crate::protocol::Timestamp;
use crate::protocol::parcel::{Parcel, ParcelContent, ParcelKind, Ticket, name_of, stream_name};
use crate::protocol::wire::Ask;

const SENDER: PublicKey = PublicKey([7; 32]);
const RECEIVER: PublicKey = PublicKey([8; 32]);
const NAMEPLATE: u64 = 8;

/// Both sides, and a hub that gives one number.
pub(super) struct Table {
    pub(super) sender: Rig,
    pub(super) receiver: Rig,
    /// What the receiver's machine has kept.
    pub(super) ticket: Option<Box<Ticket>>,
    conversations: u64,
    /// Whether the number is open, and who may come back.
    is_open: bool,
    admitted: Vec<u64>,
    pub(super) guesses: usize,
}

fn unnamed(entry: Entry, key: PublicKey, seed: u8) -> SessionConfig {
    with(|config| {
        (config.entry, config.key) = (entry, key);
        config.chance = Chance { seed: seed.into(), secrets: [seed; 32] };
    })
}

pub(super) fn file(name: &str, size: u64) -> Content {
    let chunks = u64::from(size > 0);
    let hash = ContentHash(*blake3::hash(name.as_bytes()).as_bytes());
    Content { file: name.into(), size, hash, chunk_size: 1 << 20, chunks, modified: Some(Timestamp(5)) }
}

pub(super) fn parcel(files: &[Content]) -> Parcel {
    let size = files.iter().map(|file| file.size).sum();
    Parcel {
        kind: ParcelKind::Files,
        name: name_of(files.iter().map(|file| &*file.file)),
        files: files.len() as u64,
        size,
        content: ParcelContent::Files(files.to_vec()),
        addresses: Vec::new(),
        port: 40_000,
    }
}

impl Table {
    /// A member who sends, and a guest who has typed what the sender says.
    pub(super) fn new() -> Self {
        let sender = Rig::begun(unnamed(Entry::Member, SENDER, 1));
        let receiver = Rig::begun(unnamed(Entry::Guest, RECEIVER, 2));
        let (ticket, admitted) = (None, Vec::new());
        Self { sender, receiver, ticket, conversations: 0, is_open: false, admitted, guesses: 0 }
    }

    /// Sends this as request 1, up to its code.
    pub(super) fn send(&mut self, request: &str, parcel: Parcel) -> String {
        self.sender.line(request);
        self.sender.handle(Input::Parcel(ParcelInput::Prepared(1, Ok(parcel))));
        self.play();
        self.code()
    }

    pub(super) fn code(&self) -> String {
        let ready = self.sender.told.iter().find_map(|line| match &line.event {
            Event::ParcelReady(ready) => Some(ready.code.clone()),
            _ => None,
        });
        ready.expect("the code is told")
    }

    /// The receiver types a code, as request 1.
    pub(super) fn receive(&mut self, code: &str) {
        self.receiver.line(&format!(r#"{{"id":1,"request":"parcel-receive","code":"{code}"}}"#));
        self.play();
    }

    /// The hub and the receiver's disk do what they are to, until nothing is left.
    pub(super) fn play(&mut self) {
        while !(self.sender.asked.is_empty() && self.receiver.asked.is_empty() && self.receiver.parcels.is_empty()) {
            self.turn();
        }
    }

    /// The same, except for what is to be fetched and where from.
    pub(super) fn play_but_listing(&mut self) {
        let is_later =
            |output: &Output| matches!(output, Output::Parcel(ParcelOutput::FetchListing(..)) | Output::Whereabouts(_));
        loop {
            let later = self.receiver.parcels.extract_if(.., |output| is_later(output)).collect::<Vec<_>>();
            self.turn();
            self.receiver.parcels.extend(later);
            let waits = self.receiver.parcels.iter().any(|output| !is_later(output));
            if self.sender.asked.is_empty() && self.receiver.asked.is_empty() && !waits {
                return;
            }
        }
    }

    fn turn(&mut self) {
        let (ours, theirs) = (std::mem::take(&mut self.sender.asked), std::mem::take(&mut self.receiver.asked));
        let kept = std::mem::take(&mut self.receiver.parcels);
        ours.into_iter().for_each(|ask| self.of_sender(&ask));
        theirs.into_iter().for_each(|ask| self.of_receiver(&ask));
        kept.into_iter().for_each(|output| self.on_disk(output));
    }

    fn on_disk(&mut self, output: Output) {
        match output {
            Output::Parcel(ParcelOutput::FindTicket(task, code)) => {
                let ticket = self.ticket.clone().filter(|ticket| ticket.code == code);
                self.receiver.handle(Input::Parcel(ParcelInput::TicketFound(task, ticket)));
            }
            Output::Parcel(ParcelOutput::KeepTicket(ticket)) => self.ticket = Some(ticket),
            Output::Parcel(ParcelOutput::DropTicket(_)) => self.ticket = None,
            other => panic!("{other:?}"),
        }
    }

    fn of_sender(&mut self, ask: &Value) {
        match Ask::parse(&ask.to_string()).unwrap() {
            Ask::OpenCode(open) => {
                self.is_open = true;
                let ask = open.open_code;
                self.sender.hub(&json!({"event":"code-opened","ask":ask,"nameplate":NAMEPLATE}).to_string());
            }
            Ask::Admit(admit) => {
                self.admitted.push(admit.admit);
                let admitted = json!({"event":"admitted","conversation":admit.admit,"address":"10.0.0.1"});
                self.receiver.hub(&admitted.to_string());
            }
            Ask::Say(say) => self.receiver.hub(&said(say.say, &ask["message"])),
            Ask::HangUp(hang_up) => {
                self.guesses += usize::from(hang_up.guessed);
                self.receiver.hub(&json!({"event":"hung-up","conversation":hang_up.hang_up}).to_string());
            }
            Ask::CloseCode(_) => self.is_open = false,
            _ => {}
        }
    }

    fn of_receiver(&mut self, ask: &Value) {
        match Ask::parse(&ask.to_string()).unwrap() {
            Ask::Knock(knock) if u64::from(knock.knock) == NAMEPLATE && self.is_open => {
                self.conversations += 1;
                let (conversation, share) = (self.conversations, &ask["share"]);
                let answered = json!({"event":"knock-answered","ask":knock.ask,"conversation":conversation,
                    "key":SENDER.to_string()});
                self.receiver.hub(&answered.to_string());
                let mut knocked = json!({"event":"knocked","conversation":conversation,"nameplate":NAMEPLATE,
                    "key":RECEIVER.to_string()});
                if !share.is_null() {
                    knocked["share"] = share.clone();
                }
                self.sender.hub(&knocked.to_string());
            }
            Ask::Knock(knock) => {
                let refused = json!({"event":"knock-refused","ask":knock.ask,"code":"no-such-code","message":"No."});
                self.receiver.hub(&refused.to_string());
            }
            Ask::Say(say) => self.sender.hub(&said(say.say, &ask["message"])),
            Ask::HangUp(hang_up) => {
                self.sender.hub(&json!({"event":"hung-up","conversation":hang_up.hang_up}).to_string());
            }
            _ => {}
        }
    }

    /// The receiver's program is killed, and is started again.
    pub(super) fn kill_receiver(&mut self) {
        let gone = json!({"event":"hung-up","conversation":self.conversations,"gone":true}).to_string();
        self.sender.hub(&gone);
        self.receiver = Rig::begun(unnamed(Entry::Guest, RECEIVER, 3));
    }

    /// The hub has forgotten one side.
    fn forgets(rig: &mut Rig) {
        rig.lose();
        rig.pass_until_tried();
        rig.connect(false);
    }
}

fn said(conversation: u64, message: &Value) -> String {
    json!({"event":"said","conversation":conversation,"message":message}).to_string()
}
