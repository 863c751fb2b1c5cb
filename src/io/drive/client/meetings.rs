//! Meetings: what the hub says of them, and who serves what others ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Message;
use super::peers::PeerPort;
use crate::core::session::MeetingNews;
use crate::io::net::reach::{Reacher, Serve};
use crate::io::net::resolve;
use crate::io::transfer::DataDoor;
use crate::protocol::HostPort;
use crate::protocol::wire::Purpose;

/// A reacher whose words for the hub go to the driver.
pub(super) fn open(seed: u64, sender: mpsc::Sender<Message>) -> Reacher {
    let (reacher, mut said) = Reacher::new(seed);
    tokio::spawn(async move {
        while let Some(to_hub) = said.recv().await {
            if sender.send(Message::ToHub(to_hub)).await.is_err() {
                return;
            }
        }
    });
    reacher
}

/// Where the hub is: where it was reached, and where its hosts are besides, once their names are resolved.
pub(super) fn find_hub(reacher: &Reacher, reached: SocketAddr, hosts: Vec<HostPort>) {
    reacher.set_hub(reached);
    let reacher = reacher.clone();
    tokio::spawn(async move {
        let mut others = Vec::new();
        for HostPort { host, port } in hosts {
            others.extend(resolve(&host, port).await.unwrap_or_default());
        }
        reacher.hub_is_also_at(reached, &others);
    });
}

/// Who serves a meeting that another client has asked for: only what it may have from us is worth coming for.
pub(super) fn serve_at(
    news: &MeetingNews,
    door: DataDoor,
    peers: &PeerPort,
    sender: &mpsc::Sender<Message>,
) -> Option<Arc<Serve>> {
    let MeetingNews::Met(met) = news else { return None };
    match met.purpose {
        _ if met.ask.is_some() => None,
        Purpose::Content(hash) if door.offers(&met.peer, &hash) => {
            Some(Arc::new(move |tcp, peer, route, served| door.admit(tcp, peer, route, served)))
        }
        Purpose::Content(hash) => {
            tracing::debug!(peer = %met.peer, %hash, "a meeting for something that is not theirs");
            None
        }
        Purpose::Private => Some(peers.door(sender.clone())),
    }
}
