//! A hub that answers its clients as a test wants.
#![allow(dead_code)] // no single test file uses all of it

use std::net::Ipv4Addr;
use std::sync::mpsc::channel;

use potluck::io::net::identity::Identity;
use potluck::io::net::{Conn, ListenLimits, Listener};
use potluck::protocol::to_json;
use potluck::protocol::wire::{Frame, FrameIn, HubHello, LINK_PROTOCOL};
use serde_json::{Value, json};

/// Starts a hub on a free port, which runs until the test ends. It accepts every registration; to all other requests it
/// sends what `answers` returns.
pub fn start(answers: impl Fn(&Value) -> Vec<Value> + Send + Clone + 'static) -> u16 {
    start_at(Ipv4Addr::LOCALHOST, answers)
}

/// Starts one on a free port of another address.
pub fn start_at(address: Ipv4Addr, answers: impl Fn(&Value) -> Vec<Value> + Send + Clone + 'static) -> u16 {
    let (tell, port) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let identity = Identity::from_seed([99; 32]);
            let mut listener = Listener::bind((address, 0).into(), &identity, ListenLimits::default()).unwrap();
            tell.send(listener.local_addr().port()).unwrap();
            loop {
                let conn = listener.accept().await;
                let answers = answers.clone();
                tokio::spawn(async move { serve(conn, answers).await });
            }
        });
    });
    port.recv().unwrap()
}

async fn serve(mut conn: Conn, answers: impl Fn(&Value) -> Vec<Value>) {
    let hello = HubHello { hello: LINK_PROTOCOL.into(), session: "a".repeat(32), resumed: false, received: 0 };
    let mut out = (to_json(&hello) + "\n").into_bytes();
    let (mut said, mut greeted) = (0, false);
    while let Ok(Some(line)) = conn.reader.next().await {
        if std::mem::replace(&mut greeted, true) {
            let frame: FrameIn<'_> = serde_json::from_slice(line).unwrap();
            let body: Value = frame.body.map_or(Value::Null, |body| serde_json::from_str(body.get()).unwrap());
            let told = match body["request"].as_str() {
                Some("register") => vec![
                    json!({"event": "welcome", "id": body["id"], "name": body["name"], "number": 1, "revision": 1,
                        "clients": 1, "offers": 0}),
                    json!({"event": "table-updated", "revision": 1, "added": [], "removed": [], "total": 0,
                        "full": true}),
                    json!({"event": "roster-updated", "revision": 1, "clients": [], "total": 0, "full": true}),
                ],
                _ if body.is_null() => Vec::new(),
                _ => answers(&body),
            };
            if let Some(n) = frame.n {
                Frame { body: None, ack: n, probe: false }.write(&mut out);
            } else if frame.probe {
                Frame { body: None, ack: 0, probe: false }.write(&mut out);
            }
            for body in told {
                said += 1;
                Frame { body: Some((said, body.to_string().into())), ack: 0, probe: false }.write(&mut out);
            }
        }
        if conn.writer.write_all(&out).await.is_err() || conn.writer.flush().await.is_err() {
            return;
        }
        out.clear();
    }
}
