//! Tests of a client and a hub through the library's builders, over loopback.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::hub::Hub;
use crate::protocol::{Event, Presence, request};

/// Longer than any step of the tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

async fn join(hub: &Hub, folder: &Path, name: &str) -> Client {
    soon(Client::connect(hub.link()).name(name).data(folder.join(name)).into_future()).await.unwrap()
}

/// Reads events up to the first one that matches.
async fn until(events: &mut Events, mut is_it: impl FnMut(&Event) -> bool) -> EventLine {
    loop {
        let line = soon(events.next()).await.expect("the client is there");
        if is_it(&line.event) {
            return line;
        }
    }
}

#[tokio::test]
async fn answers_come_though_nobody_reads_events_and_messages_wait_until_somebody_does() {
    let (hub, folder) = (Hub::builder().start().await.unwrap(), tempfile::tempdir().unwrap());
    let (dora, erin) = (join(&hub, folder.path(), "dora").await, join(&hub, folder.path(), "erin").await);
    let say = |text: String| dora.request(request::Message { to: "erin".into(), text });
    for number in 0..20 {
        assert!(soon(say(format!("{number} {}", "x".repeat(10_000)))).await.unwrap().stored);
    }
    let roster = soon(erin.request(request::Who::default())).await.unwrap();
    assert_eq!(roster.clients.len(), 2);
    let mut events = erin.events();
    for number in 0..20 {
        let line = until(&mut events, |event| matches!(event, Event::Message(_))).await;
        let Event::Message(message) = line.event else { unreachable!() };
        assert!(message.text.starts_with(&format!("{number} ")) && line.seq.is_some());
    }
    // A message that was taken counts as delivered.
    let mut hers = dora.events();
    until(&mut hers, |event| matches!(event, Event::MessageDelivered(_))).await;
    soon(erin.leave()).await.unwrap();
    soon(dora.leave()).await.unwrap();
    soon(hub.stop()).await.unwrap();
}

#[tokio::test]
async fn what_was_not_read_is_kept_for_the_next_time() {
    let (hub, folder) = (Hub::builder().start().await.unwrap(), tempfile::tempdir().unwrap());
    let (dora, erin) = (join(&hub, folder.path(), "dora").await, join(&hub, folder.path(), "erin").await);
    soon(dora.request(request::Message { to: "erin".into(), text: "for you".into() })).await.unwrap();
    soon(erin.leave()).await.unwrap();
    let erin = join(&hub, folder.path(), "erin").await;
    until(&mut erin.events(), |event| matches!(event, Event::Message(message) if message.text == "for you")).await;
}

#[tokio::test]
async fn a_client_that_is_dropped_leaves_and_its_events_end() {
    let (hub, folder) = (Hub::builder().start().await.unwrap(), tempfile::tempdir().unwrap());
    let (dora, erin) = (join(&hub, folder.path(), "dora").await, join(&hub, folder.path(), "erin").await);
    let (mut hers, mut events) = (erin.events(), dora.events());
    drop(erin);
    let mut bye = None;
    while let Some(line) = soon(hers.next()).await {
        bye = Some(line.event);
    }
    assert!(matches!(bye, Some(Event::Bye(_))), "{bye:?}");
    until(&mut events, |event| {
        let Event::RosterUpdated(update) = event else { return false };
        update.clients.iter().any(|client| client.name == "erin" && client.state == Presence::Offline)
    })
    .await;
}

#[tokio::test]
async fn a_hub_that_is_dropped_tells_its_clients_and_gives_its_port_and_store_back() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Hub::builder().data(folder.path().join("hub")).start();
    let hub = start().await.unwrap();
    let refused = start().await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreLocked);
    let taken = Hub::builder().bind(hub.address()).start().await.unwrap_err();
    assert_eq!(taken.code, ErrorCode::PortInUse);
    let client = Client::connect(hub.link()).name("erin").data(folder.path().join("erin"));
    let client = soon(client.give_up(Duration::ZERO).into_future()).await.unwrap();
    let (mut events, address) = (client.events(), hub.address());
    drop(hub);
    while soon(events.next()).await.is_some() {}
    let ended = soon(client.request(request::Who::default())).await.unwrap_err();
    assert_eq!(ended.code, ErrorCode::Interrupted);
    let left = soon(client.leave()).await.unwrap_err();
    assert!(matches!(left.code, ErrorCode::HubStopping | ErrorCode::HubLost), "{left:?}");
    let hub = soon(async {
        loop {
            match Hub::builder().data(folder.path().join("hub")).bind(address).start().await {
                Ok(hub) => return hub,
                Err(busy) => assert!(matches!(busy.code, ErrorCode::StoreLocked | ErrorCode::PortInUse), "{busy:?}"),
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    soon(hub.stop()).await.unwrap();
}

#[tokio::test]
async fn who_cannot_come_in_learns_why() {
    let (hub, folder) = (Hub::builder().start().await.unwrap(), tempfile::tempdir().unwrap());
    let _erin = join(&hub, folder.path(), "erin").await;
    let code = async |client: ClientBuilder| soon(client.into_future()).await.unwrap_err().code;
    let to = |hub: String| Client::connect(hub).data(folder.path().join("other"));
    assert_eq!(code(to(hub.link().to_string()).name("erin")).await, ErrorCode::NameTaken);
    assert_eq!(code(to(hub.link().to_string())).await, ErrorCode::BadConfig);
    assert_eq!(code(to(hub.link().to_string()).name("no name")).await, ErrorCode::BadName);
    assert_eq!(code(to("a b".into()).name("dora")).await, ErrorCode::BadConfig);
    assert_eq!(code(to("127.0.0.1:1".into()).name("dora")).await, ErrorCode::HubUnreachable);
    let nowhere = Hub::builder().bind("everywhere").start().await.unwrap_err();
    assert_eq!(nowhere.code, ErrorCode::BadConfig);
}

#[test]
fn a_link_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    // The link is passed as a value, because its text form would lose the invite.
    let link = JoinLink {
        name: None,
        host: "h".into(),
        port: 1,
        others: Vec::new(),
        key: None,
        invite: Some("secret".into()),
        code: None,
    };
    let home = Home::open(Some(folder.path())).unwrap();
    let options = Client::connect(link.clone()).name("erin").options(home).unwrap();
    assert_eq!(options.hub, link);
}
