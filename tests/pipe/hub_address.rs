//! A client that comes back from another address is shown there, and so is what it offers.

use std::net::SocketAddr;

use potluck::core::hub::{Access, HubConfig, HubKeys, Input, Inviters, LoginPolicy, Output};
use potluck::core::secrets::Secrets;
use potluck::core::{Hub, LinkConfig, Time};
use potluck::protocol::limits::HubLimits;
use potluck::protocol::record::Loaded;
use potluck::protocol::wire::HubHello;
use potluck::protocol::{PublicKey, Timestamp};
use std::time::Duration;

/// Takes an input, commits what is to be committed, and gives the last line that is not a frame.
fn take(hub: &mut Hub, input: Input<'_>) -> Option<String> {
    let now = Time(1_000_000);
    hub.handle(now, input);
    let mut said = None;
    while let Some(output) = hub.poll(now) {
        match output {
            Output::Say(_, line) => said = Some(line),
            Output::Persist(commit, _) => hub.handle(now, Input::Committed(commit)),
            _ => {}
        }
    }
    said
}

fn connect(hub: &mut Hub, conn: u64, ip: [u8; 4], hello: &str) -> HubHello {
    let address = SocketAddr::from((ip, 4000));
    take(hub, Input::Connected { conn, key: PublicKey([1; 32]), address, transport: "tcp", exporter: None });
    let answer = take(hub, Input::Line { conn, line: hello.as_bytes() });
    serde_json::from_str(&answer.unwrap()).unwrap()
}

#[test]
fn whoever_comes_back_from_elsewhere_before_it_was_missed_is_shown_there() {
    let mut hub = Hub::new(
        HubConfig {
            meetings: Default::default(),
            files: None,
            link: LinkConfig::hub(),
            grace: Duration::from_secs(30),
            limits: HubLimits::default(),
            access: Access::Open,
            logins: LoginPolicy::default(),
            keep: None,
            inviters: Inviters::All,
            keys: HubKeys {
                link: "potluck://h:1/".parse().unwrap(),
                key: PublicKey([99; 32]),
                secrets: Secrets::new([7; 32]),
            },
            run: 1,
            epoch: Timestamp(0),
        },
        Loaded::default(),
    );
    let first = connect(&mut hub, 1, [10, 0, 0, 1], r#"{"hello":"potluck-link/1","received":0,"port":4000}"#);
    let hash = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";
    let bodies = [
        r#"{"id":1,"request":"register","name":"erin"}"#.to_owned(),
        format!(r#"{{"id":2,"publish":[{{"file":"a","size":5,"hash":"{hash}","chunk_size":1048576,"chunks":1}}]}}"#),
    ];
    for (n, body) in (1..).zip(bodies) {
        let line = format!(r#"{{"n":{n},"ack":0,"body":{body}}}"#);
        take(&mut hub, Input::Line { conn: 1, line: line.as_bytes() });
    }
    let session = first.session;
    let hello = format!(r#"{{"hello":"potluck-link/1","session":"{session}","received":0,"port":4000}}"#);
    let again = connect(&mut hub, 2, [10, 0, 0, 2], &hello);
    assert!(again.resumed);
    assert_eq!(hub.offers()[0].address.to_string(), "10.0.0.2");
    assert_eq!(hub.roster()[0].address.to_string(), "10.0.0.2");
}
