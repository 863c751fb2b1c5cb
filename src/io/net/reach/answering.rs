//! Drives one meeting that another client has asked for.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::greeting::greeted;
use super::lines::{Lines, Report, Served};
use super::switchboard::{FromHub, Serve, Switchboard, ToHub};
use crate::core::reach::{Answering, AnsweringInput, AnsweringOutput, Greeter, Met};
use crate::io::os::clock::until;
use crate::protocol::wire::MeetAt;
use crate::protocol::{PublicKey, Route};

/// Comes to a meeting and serves what stands, until it is over.
pub(super) async fn answer(
    switchboard: &Switchboard,
    met: Met,
    peer: PublicKey,
    serve: Arc<Serve>,
    mut from_hub: mpsc::Receiver<FromHub>,
) {
    let (mut lines, mut reports) = Lines::new();
    let mut machine = Answering::new(switchboard.clock().now(), met, switchboard.seed());
    loop {
        while let Some(output) = machine.poll() {
            match output {
                AnsweringOutput::Bind(tokens) => {
                    let bound = lines.bind(&switchboard.hub(), tokens);
                    machine.handle(switchboard.clock().now(), AnsweringInput::Bound(bound));
                }
                AnsweringOutput::Tell(meeting, inner) => {
                    switchboard.tell_hub(ToHub::MeetAt(MeetAt { meet_at: meeting, inner })).await;
                }
                AnsweringOutput::Dial(line, place) => lines.dial(line, place, machine.is_near(line)),
                AnsweringOutput::Serve(line, route) => {
                    if let Some(tcp) = lines.take(line) {
                        let greeter = machine.greeter(line);
                        let served = lines.served(line);
                        tokio::spawn(hand_over(tcp, greeter, (peer, route), serve.clone(), served));
                    }
                }
                AnsweringOutput::Over => return,
            }
        }
        let next = machine.next_timeout().map(|at| switchboard.clock().instant(at));
        let input = tokio::select! {
            Some(from_hub) = from_hub.recv() => match from_hub {
                FromHub::Places(places) => Some(AnsweringInput::Places(places)),
                FromHub::Met(_) => None,
            },
            Some(report) = reports.recv() => match report {
                Report::Open(line, tcp) => {
                    lines.stands(line, tcp);
                    Some(AnsweringInput::Open(line))
                }
                Report::Came(tcp, from) => lines.take_in(tcp).map(|line| AnsweringInput::Came(line, from)),
                Report::Failed(line, failure) => {
                    tracing::debug!(?line, %failure, "a line of a meeting does not stand");
                    Some(AnsweringInput::Failed(line))
                }
                Report::Proved(line) => Some(AnsweringInput::Proved(line)),
                Report::Ended(line) => Some(AnsweringInput::Ended(line)),
            },
            () = until(next) => Some(AnsweringInput::Tick),
        };
        if let Some(input) = input {
            machine.handle(switchboard.clock().now(), input);
        }
    }
}

/// Lets the server of what is wanted do the rest after the greeting.
async fn hand_over(
    tcp: TcpStream,
    greeter: Greeter,
    (peer, route): (PublicKey, Route),
    serve: Arc<Serve>,
    served: Served,
) {
    match greeted(tcp, greeter).await {
        Ok(tcp) => serve(tcp, peer, route, served),
        Err(e) => tracing::debug!(%e, "what was dialled for a meeting does not greet"),
    }
}
