//! The library's client: see [`Client`].

mod answers;
mod events;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use crate::core::LinkConfig;
pub use crate::core::session::AcceptFrom;
use crate::io::drive::client::{ClientDriver, ClientOptions, Message, Ports, UserInput, Who, mailbox, reach};
use crate::io::drive::output::Output;
use crate::io::drive::queued::BOUNDS;
use crate::io::fs::check_dir;
use crate::io::state::home::Home;
pub use crate::protocol::request::Ask;
use crate::protocol::types::Password;
use crate::protocol::{
    ErrorCode, EventLine, Failure, Follows, JoinLink, OnConflict, PublicKey, RequestLine, TransportChoice,
};
use answers::{Answers, Taking};
pub use events::Events;

/// Requests that may be queued for the client's thread.
const REQUESTS: usize = 64;

/// A client at a hub.
///
/// ```
/// use potluck::protocol::{Event, request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), potluck::Failure> {
/// # let folder = tempfile::tempdir().unwrap();
/// let hub = potluck::Hub::builder().start().await?;
/// # let (dora, erin) = (folder.path().join("dora"), folder.path().join("erin"));
/// let dora = potluck::Client::connect(hub.link()).name("dora").data(dora).await?;
/// let erin = potluck::Client::connect(hub.link()).name("erin").data(erin).await?;
///
/// let mut events = erin.events();
/// let said = request::Message { to: "erin".into(), text: "soup is ready".into() };
/// let answer = dora.request(said).await?;
/// assert!(answer.stored);
/// while let Some(line) = events.next().await {
///     if let Event::Message(message) = line.event {
///         assert_eq!((&*message.from, &*message.text), ("dora", "soup is ready"));
///         break;
///     }
/// }
/// dora.leave().await?;
/// # Ok(())
/// # }
/// ```
///
/// The client runs on threads of its own. Dropping this ends it: transfers are broken off and can be resumed, the hub is
/// told, and the threads end within seconds. [`Client::leave`] finishes what was asked first.
pub struct Client {
    input: mpsc::Sender<UserInput>,
    told: Output<EventLine>,
    mailbox: mpsc::Sender<Message>,
    answers: Answers,
    /// Dropping it ends the client.
    _hold: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<u8, Failure>>,
}

impl Client {
    /// Starts to build a client that joins a hub, which is given as a [`JoinLink`] or as a text such as
    /// `potluck://HOST:PORT/#KEY` or `HOST:PORT`. Awaiting the builder connects.
    pub fn connect<L: TryInto<JoinLink>>(hub: L) -> ClientBuilder
    where
        L::Error: fmt::Display,
    {
        let bad = |e: L::Error| Failure::new(ErrorCode::BadConfig, format!("That names no hub: {e}."));
        ClientBuilder {
            hub: hub.try_into().map_err(bad),
            name: None,
            data: None,
            dir: None,
            changes: Changes::default(),
        }
    }

    /// Makes a request and waits for its answer. Many requests can be in progress at once. Cancelling this does not
    /// cancel the request.
    ///
    /// # Errors
    /// The failure with which the request was answered; `interrupted` if the client has ended.
    pub async fn request<R: Ask>(&self, request: R) -> Result<R::Answer, Failure> {
        let mut awaiting = self.answers.await_one();
        let line = RequestLine { id: Some(awaiting.id()), request: request.into() };
        // If the client has ended, waiting for the answer says so.
        let _ = self.input.send(UserInput::Request(line)).await;
        let event = awaiting.event().await?;
        let name = event.name();
        R::Answer::try_from(event).map_err(|_| Failure::internal(format!("`{name}` is no answer to this request")))
    }

    /// The events of the client since its start, except the answers that [`Client::request`] returns. If this is called
    /// twice, each event goes to one of the two.
    pub fn events(&self) -> Events {
        Events::new(self.told.clone(), self.mailbox.clone())
    }

    /// Finishes all requests, transfers included, and leaves the hub. The hub keeps messages that were not read.
    ///
    /// # Errors
    /// The reason if the client ended otherwise, such as [`HubLost`](ErrorCode::HubLost);
    /// [`Interrupted`](ErrorCode::Interrupted) if it had ended before.
    pub async fn leave(self) -> Result<(), Failure> {
        let _ = self.input.send(UserInput::End).await;
        match self.ended.await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))? {
            0 | 1 => Ok(()),
            code => Err(self
                .answers
                .wrong()
                .filter(|wrong| wrong.code.exit() == code)
                .unwrap_or_else(|| ErrorCode::Interrupted.into())),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The options of a client, made by [`Client::connect`]. Awaiting it connects.
#[derive(Debug)]
pub struct ClientBuilder {
    hub: Result<JoinLink, Failure>,
    name: Option<String>,
    data: Option<PathBuf>,
    dir: Option<PathBuf>,
    /// The changes to the default options, in order.
    changes: Changes,
}

type Change = Box<dyn FnOnce(&mut ClientOptions) + Send>;

/// Changes to options that are applied once the defaults are known.
#[derive(Default)]
struct Changes(Vec<Change>);

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changes", self.0.len())
    }
}

impl ClientBuilder {
    fn with(mut self, change: impl FnOnce(&mut ClientOptions) + Send + 'static) -> Self {
        self.changes.0.push(Box::new(change));
        self
    }

    /// The client's name, if it is not part of the link: 1 to 32 letters, digits, `_`, `-` or `.`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The password of the name's account.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        let given = Password(password.into());
        self.with(move |options| {
            if let Who::Named { password, .. } = &mut options.who {
                *password = Some(given);
            }
        })
    }

    /// The folder with this client's key and the keys that it has pinned, like `--data` of the program. The default is
    /// `$POTLUCK_HOME`, or the platform's data folder. A name belongs to a key, so the same folder is needed to come
    /// back under the same name.
    #[must_use]
    pub fn data(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data = Some(dir.into());
        self
    }

    /// The folder that [`Offer`](crate::protocol::request::Offer) takes files from, until `setdir` changes it.
    #[must_use]
    pub fn offer_from(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The folder that downloads are saved in; the current one by default.
    #[must_use]
    pub fn downloads(self, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        self.with(move |options| options.folders.downloads = dir)
    }

    /// What happens if a downloaded file's name exists; by default the download fails.
    #[must_use]
    pub fn on_conflict(self, what: OnConflict) -> Self {
        self.with(move |options| options.transfers.on_conflict = what)
    }

    /// How many files or folders are fetched at once. Further ones are queued.
    #[must_use]
    pub fn max_transfers(self, most: usize) -> Self {
        self.with(move |options| options.transfers.max_transfers = most.max(1))
    }

    /// The people whose pushes are accepted without asking; nobody by default.
    #[must_use]
    pub fn accept_from(self, whom: AcceptFrom) -> Self {
        self.with(move |options| options.transfers.accept_from = whom)
    }

    /// The limits for sending to other clients and for fetching from them, in bytes a second; without limits by
    /// default.
    #[must_use]
    pub fn rates(self, up: Option<u64>, down: Option<u64>) -> Self {
        self.with(move |options| (options.transfers.up, options.transfers.down) = (up, down))
    }

    /// The TCP port to serve files on, and the port (UDP and TCP) for direct connections. The default is 0: any free
    /// port.
    #[must_use]
    pub fn ports(self, files: u16, link: u16) -> Self {
        self.with(move |options| options.ports = Ports { files, link, ..options.ports })
    }

    /// The transport to the hub; by default QUIC, or TCP where QUIC fails.
    #[must_use]
    pub fn transport(self, choice: TransportChoice) -> Self {
        self.with(move |options| options.transport = choice)
    }

    /// The key that the hub must prove. It replaces a pinned one.
    #[must_use]
    pub fn hub_key(self, key: PublicKey) -> Self {
        self.with(move |options| options.hub_key = Some(key))
    }

    /// Which changes of the table and the roster are told without asking.
    #[must_use]
    pub fn follow(self, what: Follows) -> Self {
        self.with(move |options| options.follow = what)
    }

    /// Whether the client takes messages, as it does by default. If not, the hub keeps them for the next time.
    #[must_use]
    pub fn inbox(self, takes: bool) -> Self {
        self.with(move |options| options.inbox = takes)
    }

    /// The timers of the link to the hub.
    #[must_use]
    pub fn link_timers(self, link: LinkConfig) -> Self {
        self.with(move |options| options.patience.link = link)
    }

    /// How long the client tries to reach a lost hub; 60 s by default.
    #[must_use]
    pub fn give_up(self, after: Duration) -> Self {
        self.with(move |options| options.patience.give_up = after)
    }

    /// The options of a client that keeps its key in `home`.
    ///
    /// # Errors
    /// `bad-config` if the hub's address or the name is invalid.
    pub(crate) fn options(self, home: Home) -> Result<ClientOptions, Failure> {
        let link = self.hub?;
        let name = self.name.or_else(|| link.name.clone());
        let name = name.ok_or_else(|| Failure::new(ErrorCode::BadConfig, "A name is needed."))?;
        let mut options = ClientOptions::new(link, name, home);
        options.folders.dir = self.dir;
        self.changes.0.into_iter().for_each(|change| change(&mut options));
        Ok(options)
    }

    async fn start(mut self) -> Result<Client, Failure> {
        self.dir = self.dir.as_deref().map(check_dir).transpose()?;
        let home = Home::open(self.data.as_deref())?;
        let options = self.options(home)?;
        let (told, answers) = (Output::polled(BOUNDS), Answers::default());
        let (mailbox, messages) = mailbox();
        let (input, requests) = mpsc::channel(REQUESTS);
        let (hold, held) = oneshot::channel::<()>();
        let (tell_entered, entered) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let taking = Taking::new(answers.clone(), tell_entered, mailbox.clone());
        let (its_told, its_answers, its_mailbox) = (told.clone(), answers.clone(), mailbox.clone());
        let live = async move {
            let reach = reach(&options.hub, options.patience.timeout).await;
            let ending = its_mailbox.clone();
            tokio::spawn(async move {
                // Nothing is ever sent: this ends when the other end is dropped.
                let _ = held.await;
                let _ = ending.send(Message::Interrupt(0)).await;
            });
            let driver = ClientDriver::new(options, reach, its_told.clone(), (its_mailbox, messages), taking)?;
            Ok(driver.run(requests).await)
        };
        let last = told.clone();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let ended: Result<u8, Failure> =
                runtime.map_err(Failure::internal).and_then(|runtime| runtime.block_on(live));
            its_answers.end_all();
            last.end_polling();
            let _ = tell_ended.send(ended);
        };
        std::thread::Builder::new().name("client".into()).spawn(run).map_err(Failure::internal)?;
        match entered.await {
            Ok(entered) => entered?,
            Err(_) => return Err(cannot_start(ended.await)),
        }
        Ok(Client { input, told, mailbox, answers, _hold: hold, ended })
    }
}

/// The reason why a client ended before it had connected.
fn cannot_start(ended: Result<Result<u8, Failure>, oneshot::error::RecvError>) -> Failure {
    ended.ok().and_then(Result::err).unwrap_or_else(|| ErrorCode::Internal.into())
}

impl IntoFuture for ClientBuilder {
    type Output = Result<Client, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Connects, and enters the hub.
    ///
    /// # Errors
    /// [`BadConfig`](ErrorCode::BadConfig), if the link, the name or a folder cannot be used;
    /// [`HubUnreachable`](ErrorCode::HubUnreachable); [`HubKeyChanged`](ErrorCode::HubKeyChanged); or the hub's
    /// refusal, such as [`NameTaken`](ErrorCode::NameTaken).
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
