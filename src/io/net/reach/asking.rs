//! Drives one race for a connection that is wanted here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::greeting::greeted;
use super::lines::{Lines, Report};
use super::switchboard::{FromHub, Switchboard, Target, ToHub};
use super::{Proving, Reached};
use crate::core::reach::{Asking, AskingInput, AskingOutput, Line, Wanted};
use crate::io::os::clock::until;
use crate::protocol::wire::{Meet, MeetAt};
use crate::protocol::{ErrorCode, Failure};

/// The most connections that came and have not proved the key: the oldest makes room for one more.
const UNPROVED: usize = 16;

/// What proving a key has come to.
type Proved<S> = (Line, Result<S, Failure>);

/// A race under way.
pub(super) struct Race<P: Proving> {
    switchboard: Arc<Switchboard>,
    target: Target,
    ask: u64,
    proving: Arc<P>,
    machine: Asking,
    lines: Lines,
    streams: HashMap<Line, P::Stream>,
    provers: HashMap<Line, AbortHandle>,
    /// Those that came and are proving, in the order in which they came.
    unproved: VecDeque<Line>,
    tasks: JoinSet<()>,
    proved: mpsc::UnboundedSender<Proved<P::Stream>>,
    out: mpsc::Sender<Reached<P::Stream>>,
}

/// Runs a race to its end.
pub(super) async fn race<P: Proving>(
    switchboard: Arc<Switchboard>,
    target: Target,
    proving: Arc<P>,
    out: mpsc::Sender<Reached<P::Stream>>,
) {
    let (ask, mut from_hub) = switchboard.begin_asking();
    let (lines, mut reports) = Lines::new();
    let (proved, mut proofs) = mpsc::unbounded_channel();
    let wanted =
        Wanted { direct: target.direct, meets: target.meets, at_once: switchboard.is_hard_to_reach(&target.peer) };
    let machine = Asking::new(switchboard.clock().now(), wanted, switchboard.seed());
    let mut race = Race {
        switchboard,
        target,
        ask,
        proving,
        machine,
        lines,
        streams: HashMap::new(),
        provers: HashMap::new(),
        unproved: VecDeque::new(),
        tasks: JoinSet::new(),
        proved,
        out: out.clone(),
    };
    while race.carry_out().await {
        let next = race.machine.next_timeout().map(|at| race.switchboard.clock().instant(at));
        let input = tokio::select! {
            Some(from_hub) = from_hub.recv() => race.heard(from_hub),
            Some(report) = reports.recv() => race.reported(report),
            Some((line, result)) = proofs.recv() => Some(race.proved(line, result)),
            () = until(next) => Some(AskingInput::Tick),
            () = out.closed() => Some(AskingInput::Cancel),
        };
        if let Some(input) = input {
            race.machine.handle(race.switchboard.clock().now(), input);
        }
    }
    race.switchboard.end_asking(race.ask);
}

impl<P: Proving> Race<P> {
    /// Does what the machine says. False once the race is over.
    async fn carry_out(&mut self) -> bool {
        while let Some(output) = self.machine.poll() {
            match output {
                AskingOutput::DialDirect(address) => {
                    let dialling = self.proving.dial(address);
                    self.begin(Line::Direct, dialling);
                }
                AskingOutput::Ask => {
                    let (peer, purpose) = (self.target.peer, self.target.purpose);
                    let meet = Meet { meet: peer, name: None, ask: self.ask, purpose };
                    self.proving.meets();
                    self.switchboard.tell_hub(ToHub::Meet(meet)).await;
                }
                AskingOutput::Bind(tokens) => {
                    let bound = self.lines.bind(&self.switchboard.hub(), tokens);
                    self.machine.handle(self.switchboard.clock().now(), AskingInput::Bound(bound));
                }
                AskingOutput::Tell(meeting, inner) => {
                    self.switchboard.tell_hub(ToHub::MeetAt(MeetAt { meet_at: meeting, inner })).await;
                }
                AskingOutput::Dial(line, place) => self.lines.dial(line, place, self.machine.is_near(line)),
                AskingOutput::Prove(line) => self.prove(line),
                AskingOutput::Use(line, route) => {
                    tracing::debug!(peer = %self.target.peer, ?line, %route, "reached");
                    if let Some(stream) = self.streams.remove(&line) {
                        self.switchboard.reached(self.target.peer, route);
                        let _ = self.out.send(Ok((stream, route))).await;
                        self.proving.sent();
                    }
                }
                AskingOutput::Close(line) => {
                    self.lines.close(line);
                    self.streams.remove(&line);
                    if let Some(prover) = self.provers.remove(&line) {
                        prover.abort();
                    }
                }
                AskingOutput::GiveUp(failure) => {
                    tracing::debug!(peer = %self.target.peer, %failure, "not reached");
                    let _ = self.out.send(Err(failure)).await;
                    self.proving.sent();
                }
                AskingOutput::Over => return false,
            }
        }
        true
    }

    fn heard(&mut self, from_hub: FromHub) -> Option<AskingInput> {
        Some(match from_hub {
            FromHub::Met(met) => AskingInput::Met(met),
            FromHub::Places(places) => AskingInput::Places(places),
        })
    }

    fn reported(&mut self, report: Report) -> Option<AskingInput> {
        match report {
            Report::Open(line, tcp) => {
                self.lines.stands(line, tcp);
                Some(AskingInput::Open(line))
            }
            Report::Came(tcp, from) => self.lines.take_in(tcp).map(|line| AskingInput::Came(line, from)),
            Report::Failed(line, failure) => {
                tracing::debug!(?line, %failure, "a line of a race does not stand");
                Some(AskingInput::Failed(line, failure))
            }
            // Whoever asks serves nothing.
            Report::Proved(_) | Report::Ended(_) => None,
        }
    }

    fn proved(&mut self, line: Line, result: Result<P::Stream, Failure>) -> AskingInput {
        self.unproved.retain(|other| *other != line);
        match result {
            Ok(stream) => {
                self.streams.insert(line, stream);
                AskingInput::Proved(line)
            }
            Err(failure) => AskingInput::Failed(line, failure),
        }
    }

    fn prove(&mut self, line: Line) {
        let Some(tcp) = self.lines.take(line) else { return };
        if let Line::Came(_) = line {
            self.unproved.push_back(line);
            self.make_room();
        }
        let (proving, greeter) = (self.proving.clone(), self.machine.greeter(line));
        self.begin(line, async move {
            let tcp = greeted(tcp, greeter).await.map_err(|e| broke(&e))?;
            proving.prove(tcp).await
        });
    }

    /// Whoever dials the meeting's port again and again and proves nothing keeps nobody out.
    fn make_room(&mut self) {
        if self.unproved.len() > UNPROVED
            && let Some(oldest) = self.unproved.pop_front()
        {
            self.provers.remove(&oldest).into_iter().for_each(|prover| prover.abort());
            let failure = Failure::new(ErrorCode::PeerUnreachable, "What came has not proved the key in time.");
            self.machine.handle(self.switchboard.clock().now(), AskingInput::Failed(oldest, failure));
        }
    }

    fn begin(&mut self, line: Line, stream: impl Future<Output = Result<P::Stream, Failure>> + Send + 'static) {
        let proved = self.proved.clone();
        let task = self.tasks.spawn(async move {
            let _ = proved.send((line, stream.await));
        });
        self.provers.insert(line, task);
    }
}

fn broke(e: &std::io::Error) -> Failure {
    let cause = crate::protocol::cause::of_io(e);
    Failure::new(ErrorCode::PeerUnreachable, format!("What answered is not the other client: {cause}."))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::core::reach::{Met, Tokens};
    use crate::io::net::reach::Boxed;
    use crate::protocol::PublicKey;
    use crate::protocol::wire::{MEETING_GREETING, Purpose};

    /// Nobody proves anything, and it is counted who could.
    struct Waiting(Arc<AtomicUsize>);

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    impl Proving for Waiting {
        type Stream = ();

        fn dial(&self, _: SocketAddr) -> Boxed<Result<(), Failure>> {
            Box::pin(std::future::pending())
        }

        fn prove(&self, tcp: TcpStream) -> Boxed<Result<(), Failure>> {
            self.0.fetch_add(1, SeqCst);
            let counted = Counted(self.0.clone());
            Box::pin(async move {
                let _holds = (tcp, counted);
                std::future::pending().await
            })
        }
    }

    #[tokio::test]
    async fn a_flood_of_connections_at_a_meetings_port_is_bounded_and_the_newest_gets_its_turn() {
        let hub = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (switchboard, mut said) = Switchboard::new(1);
        switchboard.set_hub(hub.local_addr().unwrap());
        let (switchboard, waiting) = (Arc::new(switchboard), Arc::new(AtomicUsize::new(0)));
        let target = Target { peer: PublicKey([7; 32]), direct: None, meets: true, purpose: Purpose::Private };
        let (out, _reached) = mpsc::channel(2);
        tokio::spawn(race(switchboard.clone(), target, Arc::new(Waiting(waiting.clone())), out));
        let Some(ToHub::Meet(meet)) = said.recv().await else { panic!("the hub is asked") };
        let tokens = Tokens { half: "0".repeat(32), second: String::new() };
        switchboard.answered(meet.ask, Ok(Met { meeting: 1, tokens, relays: false, no_relay: None }));
        let (_half, from) = hub.accept().await.unwrap();
        let port = SocketAddr::from(([127, 0, 0, 1], from.port()));
        let mut flood = Vec::new();
        for _ in 0..5 * UNPROVED {
            flood.push(tokio::net::TcpStream::connect(port).await.unwrap());
        }
        let mut greeting = [0; MEETING_GREETING.len()];
        // The first one is let go, and the last one has its turn.
        let (mut first, mut last) = (flood.remove(0), flood.pop().unwrap());
        last.read_exact(&mut greeting).await.unwrap();
        let _ = first.read_to_end(&mut Vec::new()).await;
        assert!((1..=UNPROVED).contains(&waiting.load(SeqCst)), "{waiting:?}");
    }
}
