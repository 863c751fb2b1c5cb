//! The guide to the code, for whoever reads or changes it. How the program is used stands in `README.md`.
//!
//! # From above
//! A **hub** knows who is there and what is offered. A **client** stands between its user and the hub: it passes
//! requests on, adds what is local (folders, hashing, transfers), and keeps a replica of the hub's table and
//! roster. Files never pass through the hub: a client that wants one is told who has it, and pulls it from there.
//!
//! Everything that is said has one definition: the structs of [`protocol::request`] and [`protocol::event`]. The
//! JSON form, the schemas, the commands that people type, their help, and the frames between hub and client all
//! follow from them.
//!
//! Everything that is decided is decided by machines without I/O: [`core::Hub`], [`core::Session`] (a client),
//! [`core::Link`] (one end of a connection that survives its transport), [`core::Peers`] (a client's direct connections
//! to others) and [`core::Fetch`] (one download: a file, some chunks of one, or a folder).
//! [`core::reach`] decides by which way one client comes to a connection with another one, whatever routers are between:
//! straight, by dialling each other at the same moment, or through the hub, where both meet (`core/hub/meetings`).
//! They are driven by real sockets in [`io`] and by a virtual clock in [`sim`], and cannot tell which. How
//! a machine is driven is the drain contract, written once in [`core`].
//!
//! # One file from end to end
//! Erin types `offer notes.txt`, and Dora `get notes.txt`:
//!
//! 1. **The line.** `cli/join.rs` reads it and hands it to [`io::drive::client`], whose loop gives it to
//!    [`core::Session`]. [`protocol::line::parse`] makes a request of it, by serde if it starts with `{`, else by clap;
//!    from here on nobody knows which it was. At a terminal, [`ui::talk`] says what is a command at all.
//! 2. **Hashing.** When the request's turn has come (`core/session/turns.rs`), the session says `Output::Hash`.
//!    [`io::content`] hashes the file on a thread, unless its cache knows the hash; from now on the content can be served
//!    ([`io::content::store`]), and [`io::offers::watch`] looks whether the file changes.
//! 3. **To the hub.** The session publishes the content over its [`core::Link`], which numbers what it carries and keeps
//!    it until it is acknowledged. [`io::net::connection`] writes it to the connection.
//! 4. **The table.** [`io::drive::hub`] hands the line to [`core::Hub`]; `core/hub/requests.rs` checks the offer, and a
//!    record puts it into the table of the hub's state (`core/hub/state`). 20 ms later at most, `core/hub/cx/telling.rs`
//!    tells each client what has changed since the revision that it has.
//! 5. **Who has it.** Dora's `get` goes the same way. `core/hub/files/locate.rs` answers with `located`: who has that content
//!    or a part of it, with their addresses and keys. `core/session/transfers` makes a plan of it.
//! 6. **The download.** [`io::transfer`] drives a [`core::Fetch`] with that plan. The machine decides who is dialled
//!    ([`io::net::reach`] finds the way), over how many lanes, which chunk is asked of whom, and who is dropped; each lane is a thread that does what it is
//!    told. Every chunk is verified against the content's hash before it counts. A folder is the same machine with
//!    another plan: its small files come as a stream, many for each request.
//! 7. **The other end.** Erin's side is [`io::transfer`]'s server. It serves keys that are in the roster, and contents
//!    that are in its store, and nothing else. What Dora has got is in her own store at once, and the hub tells those who
//!    are fetching the same (`core/hub/files/holders.rs`).
//! 8. **Told.** The machine's news come back as `TransferNote`s, which the session tells as events.
//!    [`io::drive::queued`] puts them into an outbox ([`core::outbox`]), where states merge and facts wait;
//!    [`io::drive::output`] writes them, as JSON or through [`ui::human::render`].
//!
//! A `push` waits in the hub's state until its receiver accepts it, and is then fetched like anything else. What the hub
//! serves itself, and the copies that it keeps for others, go the same way: [`io::drive::hub`] offers, and fetches
//! (`Output::Copy`), as a client does.
//!
//! # One message from end to end
//! Erin types `message dora soup is ready`. It goes to the hub as above, and there:
//!
//! 1. **Judged.** `core/hub/feeds/proposing.rs` makes a proposal of the request. `State::decide` judges it by the state as it is
//!    when its turn comes, changes nothing, and gives the records that come of it.
//! 2. **Applied.** `State::apply` takes each record, which cannot fail. What is replayed from its records, read from a
//!    snapshot or loaded from the store is the same state, and has the same digest.
//! 3. **Kept.** `Output::Persist`: [`io::store::writer`] writes the records of one decision together, with everything
//!    else that has gathered meanwhile, in one transaction of [`io::store`].
//! 4. **Held until then.** What rests on a record waits in `core/hub/journal/commits.rs` for `Input::Committed`: nobody is told
//!    of what a crash could take back, and nobody waits for what has nothing to do with them.
//! 5. **Fed.** `core/hub/feeds/mod.rs` gives the message to Dora's client, if that keeps up. A client that does not, or is not
//!    there, gets it later: from the newest messages that the hub has in memory, or from the store (`Output::Query`).
//! 6. **Read.** Dora's session (`core/session/inbox.rs`) tells her, once. When standard output has taken it, her machine
//!    remembers the number ([`io::state::inbox`]) and confirms it. By its number a message is recognized if it comes again.
//! 7. **Delivered.** This confirmation is what `delivered` in Erin's `message-acked` means; if it takes longer than that
//!    answer can wait, she gets `message-delivered` when it comes.
//! 8. **Asked again.** If the hub dies on the way, Erin's client asks again, with the name that its process gave itself
//!    and its number for the request ([`protocol::record::IdempotencyKey`]). The answer was written down together with
//!    what it is about, so it is answered the same, and nothing is done twice.
//!
//! If Dora blocks Erin, all of this happens just the same, but Dora's client gets `withheld`, without the words. What is
//! said with `private` takes another way: [`core::peers`] opens a link of its own to the other client.
//!
//! # One parcel from end to end
//! Erin types `potluck send notes.txt`, tells Dora the code on the phone, and Dora types `potluck receive 8-…`:
//!
//! 1. **No name.** Both run the ordinary client with one request (`parcel-send`, `parcel-receive`), in a session that is in
//!    no roster ([`core::session::Entry`]): Erin's as a member of the hub, Dora's as a guest, who can do nothing else there.
//! 2. **The number.** Erin's client hashes the file, as for an offer, but serves it to nobody. It asks the hub for a number
//!    ([`protocol::wire::OpenCode`]; `core/hub/handovers`) and makes the words itself: the hub never learns them.
//! 3. **The exchange.** Dora's client knocks at that number. From now on the hub carries what the two say to each other and
//!    understands none of it. [`core::handover`] has the decisions of both sides: with [`core::exchange`] each proves that it
//!    knows the words, and binds the keys that the hub has named. A wrong word, or whatever else goes wrong here, ends the
//!    code, and is told on both sides.
//! 4. **The parcel.** Erin's client seals what it sends (names, sizes, hashes), and admits Dora's key: now her client may
//!    fetch, and the hub lets the two meet. Dora's keeps a ticket on its disk, with which it may come back by itself.
//! 5. **The transfer** is an ordinary one, from a source that is known by its key (`core/session/parcels`,
//!    `core/session/transfers`), by whatever way [`core::reach`] finds.
//! 6. **Told.** When everything is on the disk, Dora's client says so, sealed; Erin's hangs up, and both end. If they lose
//!    each other on the way, or the hub is started anew, Dora's knocks again, without another exchange.
//!
//! # Code map
//! | part | holds | may know |
//! |---|---|---|
//! | [`protocol`] | words: requests, events, frames, records, error codes, limits | nobody |
//! | [`core`] | decisions | `protocol` |
//! | [`ui`] | speech: human text, the line editor | `protocol` |
//! | [`sim`] | practice: the machines under a virtual clock, a seeded network, a log and a hub that crashes | `core`, `protocol` |
//! | [`io`] | motion: sockets, disk, store, clock, signals | `core`, `protocol` |
//! | [`crate::hub`], [`crate::client`] | the library's doors | `io`, `protocol` |
//! | [`crate::cli`] | the program: one file or folder for each subcommand | all |
//!
//! | machine of `core` | decides |
//! |---|---|
//! | [`core::hub`] | what clients are answered and told. `state` is what all would share if there were several hubs; `journal` is the log between it and the sessions; `sessions` is who is connected to this process; `entrance` says who may enter, `feeds` brings what is said to whom it is for, `files` knows who has what, `meetings` and `handovers` bring two together. Each owns what it holds, and works with a `Cx`: the moment, the sessions, the journal, and what is to be done outside |
//! | [`core::session`] | what a client asks, tells and fetches; each part owns its fields |
//! | [`core::fetch`] | one download: a file, some chunks of one, or a folder |
//! | [`core::peers`] | direct connections between clients |
//! | [`core::reach`] | the way to a peer: one race for a connection, and the side that was asked to come |
//! | [`core::handover`] | what the sender and the receiver of a parcel do, who trust neither each other nor the hub |
//! | [`core::happy_eyeballs`] | which address of a hub is tried when, over which transport |
//! | [`core::nearby`] | which of the hubs that announce themselves in this network has a code's number |
//! | [`core::link`] | one end of a connection that survives its transport |
//! | [`core::exchange`] | how two sides that know a short code come to a key, each by itself; the hub's half of it, with the store, is in `core/hub/entrance/codes.rs`, and the client's in `io/drive/client/code.rs` |
//!
//! The rooms of `io` stand in one order, and each may know only those before it: `os`, `fs`, `content`, `net`,
//! `transfer`, `offers`, `store`, `state`, `drive`. `tests/tidy` reads every import and fails on an arrow against it.
//!
//! # What is never done where
//! - `protocol`, `core` and `sim` read no clock, open no file or socket, draw no random number, start no thread and
//!   print nothing. Time and seeds are passed in, so that a run can be repeated to the letter.
//! - `ui` makes text of events and log lines and of nothing else, so that `potluck replay` shows what was shown. What is
//!   drawn and taken away again, [`ui::bars`], is made of events too; [`ui::screen`] keeps account of where it stands.
//!   Only the editor and its completion touch the terminal and local folders.
//! - Nothing waits for a reader of events, in any part. What is not read waits in a bounded outbox.
//! - The hub waits for no client, and for the disk only with what must not be said before it is there: the machine
//!   says `Output::Persist`, and what rests on it is held until `Input::Committed`. Passwords are checked on threads of
//!   their own (`Output::Verify`).
//! - The hub's state changes only by records. `apply` reads no limits, no configuration, no clock and no tables of
//!   Unicode: those are looked at where a proposal is judged, so that a record means the same in every version.
//! - File contents are not touched by async code: they are read, hashed, sent and written on blocking threads.
//! - Matches on our own enums have no catch-all where a new word must be thought about.
//! - What may be said, and how much of it, is limited in [`protocol::limits`]; error codes have their sentence,
//!   advice and exit code in one table ([`protocol::ErrorCode`]). Neither is written a second time.
//!
//! `tests/tidy.rs` scans the sources for the first two and for who knows whom.
//!
//! # How to add a request
//! Five files; what is forgotten does not compile, or fails a test that names it. `whois NAME` was added so, in one commit:
//!
//! 1. `protocol/request/mod.rs`: its row and its struct (larger structs stand in the files beside it). The row says who
//!    answers it, when it starts, which events and errors answer it, whether its outcome is kept on disk. The JSON form,
//!    the schema, the command, its help, its completion, its place in the order of requests, how the hub's answer goes
//!    back to the program, and the type that `Client::request` gives, follow from it.
//! 2. Its handler, where the row says that it is answered: `core/hub/requests.rs` (`HubRequest`, and what it costs), or
//!    `core/session/requests.rs` (`ClientRequest`). The compiler points there. Only if the client must remember or
//!    translate the hub's answer: `core/session/answers.rs` (`user_answered`).
//! 3. Its test: its page in `tests/transcripts`; a larger decision has tests in `core`, too. The adversary says it by
//!    itself, as the row's example does. Whatever the tests ask, an answer that the row does not allow fails them
//!    ([`sim::Asked`]).
//! 4. Its row in `README.md` (`tests/readme.rs` misses it otherwise, and compares the answers).
//! 5. Its line in `CHANGELOG.md`.
//!
//! `whois` is answered with an event that was there. An event of its own takes its row and struct in `protocol/event/`
//! (the row says whether each one counts or only the newest, and what it weighs), and its phrase in `ui/human.rs`
//! (`render`; the compiler again).
//!
//! Generated: `POTLUCK_BLESS=1 cargo test --test schemas` writes the schemas and `schemas/answers.json`, and
//! `INSTA_UPDATE=always cargo test --test transcripts` (`--lib ui` for a new event) the pages in `snapshots/`: read the
//! difference as a user would.
//!
//! # How to find a failing seed
//! `cargo test --test adversary` gives each machine of `core` random, well-formed input in any order; a request whose
//! example says too little is taught to it in `tests/adversary/words.rs`. `POTLUCK_RUNS=1000000` lets it play for hours.
//!
//! `cargo test --test sim` plays hundreds of random runs, each from its seed: delays, broken and silent connections, a
//! hub that crashes. A run that fails prints its seed; `POTLUCK_SEED=<seed> cargo test --test sim people::` plays that one
//! alone, the same way each time. `POTLUCK_LOG=debug` shows the diagnostics of the real program on standard error.
//!
//! # How to try a network
//! `cargo test --test natlab` runs hubs and clients behind routers of six kinds, in network namespaces: two homes, each with
//! two hosts, and a hub between them. It needs Linux, iproute2, nftables and root (or user namespaces), and says in one
//! line if it cannot run; `POTLUCK_NATLAB=required` makes that a failure, `POTLUCK_NATLAB=all` plays every combination.
//! Who sends without a hub is found in the network of one home, by multicast DNS: [`io::net::nearby`] announces and
//! listens, [`crate::cli`] runs the hub. `POTLUCK_NEARBY=loopback:PORT` keeps that to this machine, and apart from whoever
//! uses another port; it is for tests.
//!
//! `tests/natlab/natlab.sh --a cone --b symmetric -- bash` opens a shell in one, for a look by hand; its head says how to
//! go into a host, and how to change addresses and cut connections meanwhile.

#[cfg(doc)]
use crate::{cli, core, io, protocol, sim, ui};
