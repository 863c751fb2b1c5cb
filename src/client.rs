//! A client inside a program: see [`Client`].

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
use crate::io::drive::client::{ClientDriver, ClientOptions, Message, Ports, UserInput, mailbox, reach};
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

/// Requests that may wait for the client.
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
    /// Dropped, it ends the client.
    _hold: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<u8, Failure>>,
}

impl Client {
    /// A client that is to join a hub: by its [`JoinLink`], or by a text such as `potluck://HOST:PORT/#KEY` or
    /// `HOST:PORT`. Awaiting the builder connects.
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

    /// Asks for something, and waits for its answer. Many requests can be under way at once. If this is cancelled, the
    /// request is made all the same.
    ///
    /// # Errors
    /// Why the request was refused or failed; `interrupted` if the client has ended.
    pub async fn request<R: Ask>(&self, request: R) -> Result<R::Answer, Failure> {
        let mut awaiting = self.answers.await_one();
        let line = RequestLine { id: Some(awaiting.id()), request: request.into() };
        // A client that has ended says so below.
        let _ = self.input.send(UserInput::Request(line)).await;
        let event = awaiting.event().await?;
        let name = event.name();
        R::Answer::try_from(event).map_err(|_| Failure::internal(format!("`{name}` is no answer to this request")))
    }

    /// What the client tells from its start on, but for what [`Client::request`] gives. Whoever calls this twice shares
    /// the events among both.
    pub fn events(&self) -> Events {
        Events::new(self.told.clone(), self.mailbox.clone())
    }

    /// Finishes what was asked, transfers too, and leaves the hub. What was not read by then, the hub keeps.
    ///
    /// # Errors
    /// Why the client ended otherwise, such as [`HubLost`](ErrorCode::HubLost); [`Interrupted`](ErrorCode::Interrupted)
    /// if it had ended before.
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

/// How a client is to be; made by [`Client::connect`]. Awaiting it connects.
#[derive(Debug)]
pub struct ClientBuilder {
    hub: Result<JoinLink, Failure>,
    name: Option<String>,
    data: Option<PathBuf>,
    dir: Option<PathBuf>,
    /// What changes the options from their defaults, in order.
    changes: Changes,
}

type Change = Box<dyn FnOnce(&mut ClientOptions) + Send>;

/// Changes of options that are made once the others are known.
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

    /// The name to go by, if it does not stand in the link: 1 to 32 letters, digits, `_`, `-` or `.`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The password of the name's account.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        let password = Password(password.into());
        self.with(move |options| options.password = Some(password))
    }

    /// The folder with this client's keys and the keys that it knows, as `--data` of the program names it. The default is
    /// `$POTLUCK_HOME`, or the platform's folder for data. A name belongs to its key: who wants to come back under the
    /// same name keeps the folder.
    #[must_use]
    pub fn data(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data = Some(dir.into());
        self
    }

    /// The folder that [`Offer`](crate::protocol::request::Offer) takes files from, until `setdir` says otherwise.
    #[must_use]
    pub fn offer_from(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The folder that downloads go to; the current one by default.
    #[must_use]
    pub fn downloads(self, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        self.with(move |options| options.folders.downloads = dir)
    }

    /// What to do if a downloaded file's name exists; by default the download fails.
    #[must_use]
    pub fn on_conflict(self, what: OnConflict) -> Self {
        self.with(move |options| options.transfers.on_conflict = what)
    }

    /// How many files or folders are fetched at once; others are queued.
    #[must_use]
    pub fn max_transfers(self, most: usize) -> Self {
        self.with(move |options| options.transfers.max_transfers = most.max(1))
    }

    /// Whose pushes are taken without asking; by default nobody's.
    #[must_use]
    pub fn accept_from(self, whom: AcceptFrom) -> Self {
        self.with(move |options| options.transfers.accept_from = whom)
    }

    /// The most bytes a second that are sent to other clients, and that are fetched from them; by default there is no
    /// limit.
    #[must_use]
    pub fn rates(self, up: Option<u64>, down: Option<u64>) -> Self {
        self.with(move |options| (options.transfers.up, options.transfers.down) = (up, down))
    }

    /// The TCP port to serve files on, and the port for direct connections, UDP and TCP; 0, the default, takes a free
    /// one.
    #[must_use]
    pub fn ports(self, files: u16, link: u16) -> Self {
        self.with(move |options| options.ports = Ports { files, link })
    }

    /// How to reach the hub; by default over QUIC, and over TCP where that fails.
    #[must_use]
    pub fn transport(self, choice: TransportChoice) -> Self {
        self.with(move |options| options.transport = choice)
    }

    /// The key that the hub must have; it replaces the one that was pinned.
    #[must_use]
    pub fn hub_key(self, key: PublicKey) -> Self {
        self.with(move |options| options.hub_key = Some(key))
    }

    /// What of the table and the roster is told by itself.
    #[must_use]
    pub fn follow(self, what: Follows) -> Self {
        self.with(move |options| options.follow = what)
    }

    /// Whether messages are taken; by default they are. Who does not take them leaves them for the next time.
    #[must_use]
    pub fn inbox(self, takes: bool) -> Self {
        self.with(move |options| options.inbox = takes)
    }

    /// The timers of the link to the hub.
    #[must_use]
    pub fn link_timers(self, link: LinkConfig) -> Self {
        self.with(move |options| options.patience.link = link)
    }

    /// How long a lost hub is tried again; 60 s by default.
    #[must_use]
    pub fn give_up(self, after: Duration) -> Self {
        self.with(move |options| options.patience.give_up = after)
    }

    /// The options, for a client that keeps its keys in `home`.
    ///
    /// # Errors
    /// `bad-config` if the hub or the name is none.
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
                // Nobody sends: the other end is dropped.
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
            its_answers.end();
            last.end();
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

/// Why a client ended that had not connected yet.
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
    /// [`HubUnreachable`](ErrorCode::HubUnreachable); [`HubKeyChanged`](ErrorCode::HubKeyChanged); what the hub refuses,
    /// such as [`NameTaken`](ErrorCode::NameTaken).
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
