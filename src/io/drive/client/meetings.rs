//! Meetings: what the hub says of them, and who serves what others ask for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{ClientDriver, Message, Observer};
use crate::core::session::MeetingNews;
use crate::io::net::reach::{Reacher, Serve};
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

impl<W: Observer> ClientDriver<W> {
    pub(super) fn meeting(&mut self, news: MeetingNews) {
        let serve = self.serve_at(&news);
        self.reacher.hear(news, serve);
    }

    /// Who serves a meeting that another client has asked for: only what it may have from us is worth coming for.
    fn serve_at(&self, news: &MeetingNews) -> Option<Arc<Serve>> {
        let MeetingNews::Met(met) = news else { return None };
        if met.ask.is_some() {
            return None;
        }
        match met.purpose {
            Purpose::Content(hash) => {
                let door = self.serving.server.door();
                if !door.offers(&met.peer, &hash) {
                    tracing::debug!(peer = %met.peer, %hash, "a meeting for something that is not theirs");
                    return None;
                }
                Some(Arc::new(move |tcp, peer, _| door.admit(tcp, peer)))
            }
            Purpose::Private => Some(self.peers.door(self.sender.clone())),
        }
    }
}
