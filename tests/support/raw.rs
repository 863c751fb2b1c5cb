//! A client that speaks the link's protocol by hand, so that a test can send anything.
#![allow(dead_code)] // no single test file uses all of it

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, Sender, channel};

use potluck::io::net::connect;
use potluck::io::net::identity::Identity;
use potluck::protocol::wire::{ClientHello, Frame, FrameIn, LINK_PROTOCOL};
use potluck::protocol::{TransportChoice, to_json};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::PATIENCE;

/// A connected client.
pub struct Raw {
    bodies: UnboundedSender<String>,
    told: Receiver<Value>,
    /// The events that were read while another one was waited for.
    pub stash: Vec<Value>,
}

impl Raw {
    /// Registers under a name, and tells the hub that files are served on `port`.
    pub fn enter(hub: u16, name: &str, identity: Identity, port: u16) -> Self {
        Self::enter_at((Ipv4Addr::LOCALHOST, hub).into(), name, identity, port)
    }

    /// Does so at a hub that is not on this machine.
    pub fn enter_at(hub: SocketAddr, name: &str, identity: Identity, port: u16) -> Self {
        let mut raw = Self::connect(hub, identity, port, false);
        raw.say(&json!({"id": 1, "request": "register", "name": name}));
        raw.expect("welcome");
        raw
    }

    /// Comes as a guest, or without a name.
    pub fn nameless(hub: u16, identity: Identity, guest: bool) -> Self {
        Self::connect((Ipv4Addr::LOCALHOST, hub).into(), identity, 0, guest)
    }

    fn connect(hub: SocketAddr, identity: Identity, port: u16, guest: bool) -> Self {
        let (bodies, to_say) = unbounded_channel();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(speak(hub, identity, (port, guest), to_say, tell));
        });
        Self { bodies, told, stash: Vec::new() }
    }

    /// Sends a body in a frame of its own.
    pub fn say(&self, body: &Value) {
        self.say_text(body.to_string());
    }

    /// Sends a body that need not be valid JSON.
    pub fn say_text(&self, body: String) {
        self.bodies.send(body).unwrap();
    }

    /// Sends a request with an id, and waits for its answer.
    pub fn ask(&mut self, id: u64, body: &Value) -> Value {
        self.say(body);
        self.answer(id)
    }

    pub fn answer(&mut self, id: u64) -> Value {
        self.find(|told| told["id"] == id)
    }

    /// Waits for an event of this name.
    pub fn expect(&mut self, event: &str) -> Value {
        self.find(|told| told["event"] == event)
    }

    /// The next event, of those that nobody has read.
    pub fn next(&mut self) -> Value {
        self.find(|_| true)
    }

    /// Waits for an event like this.
    pub fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.stash.iter().position(&wanted) {
            return self.stash.remove(at);
        }
        loop {
            let told = self.told.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{e}: {:#?}", self.stash));
            if wanted(&told) {
                return told;
            }
            self.stash.push(told);
        }
    }
}

async fn speak(
    hub: SocketAddr,
    identity: Identity,
    (port, guest): (u16, bool),
    mut say: UnboundedReceiver<String>,
    tell: Sender<Value>,
) {
    let mut conn = connect(hub, &identity, None, TransportChoice::Tcp).await.unwrap();
    let hello = ClientHello {
        follow: Default::default(),
        hello: LINK_PROTOCOL.into(),
        session: None,
        received: 0,
        port,
        link_port: 0,
        instance: String::new(),
        asked: 0,
        invite: None,
        guest,
    };
    let mut out = (to_json(&hello) + "\n").into_bytes();
    let (mut said, mut ack, mut greeted) = (0, 0, false);
    loop {
        if conn.writer.write_all(&out).await.is_err() || conn.writer.flush().await.is_err() {
            return;
        }
        out.clear();
        tokio::select! {
            body = say.recv() => {
                let Some(body) = body else { return };
                said += 1;
                Frame { body: Some((said, body.into())), ack, probe: false }.write(&mut out);
            }
            line = conn.reader.next() => {
                let Ok(Some(line)) = line else { return };
                if !std::mem::replace(&mut greeted, true) {
                    continue;
                }
                // A farewell is no frame.
                let Ok(frame) = serde_json::from_slice::<FrameIn<'_>>(line) else { return };
                ack = frame.n.unwrap_or(ack);
                if frame.n.is_some() || frame.probe {
                    Frame { body: None, ack, probe: false }.write(&mut out);
                }
                let told = frame.body.map(|body| serde_json::from_str(body.get()).unwrap());
                // The connection stays open even if the test reads no more events.
                told.into_iter().for_each(|told| drop(tell.send(told)));
            }
        }
    }
}
