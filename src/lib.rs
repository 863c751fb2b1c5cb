//! Potluck: a hub and its clients in one binary. This page is for whoever reads or changes the code; how the
//! program is used stands in `README.md`.
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
//! to others), [`core::swarm`] (which chunk from whom) and [`core::batch`] (which small file of a folder from whom).
//! They are driven by real sockets in [`io`] and by a virtual clock in [`sim`], and cannot tell which. How
//! a machine is driven is the drain contract, written once in [`core`].
//!
//! # One message from end to end
//! Erin types `offer notes.txt`:
//!
//! 1. `cli/join.rs` reads the line, from the editor or the pipe, and hands it to [`io::drive::client`], whose loop gives
//!    it to [`core::Session::handle`] as `Input::Line`.
//! 2. [`protocol::line::parse`] makes a request of it: by serde if it starts with `{`, else by clap
//!    ([`protocol::human`], after [`protocol::old_spellings`] has made today's words of a line of old). What depends on
//!    the lines before, [`protocol::Speaker`] remembers; at a terminal, [`ui::talk`] says what is a command at all.
//!    From here on nobody knows which it was.
//! 3. `core/session/requests.rs` queues it. When its turn has come and a folder has been chosen, the session asks
//!    for hashing: `Output::Hash`.
//! 4. [`io::offers`] and [`io::content::hash`] read the file on a thread, unless [`io::content::hash_cache`] remembers its hash;
//!    [`io::data`]'s shelf can serve it from now on. The content comes back as `Input::Hashed`. From now on
//!    [`io::offers::watch`] looks whether it changes: that comes as `Input::FilesChanged`, and is published anew.
//! 5. The session sends a `publish` ([`protocol::wire::Ask`]) into its [`core::Link`], which numbers it and keeps
//!    it until it is acknowledged. [`io::net::connection`] writes it to the connection.
//! 6. At the hub, [`io::drive::hub`] hands the line to [`core::Hub::handle`]; `core/hub/clients.rs` takes the frame
//!    apart, `core/hub/requests.rs` checks the offers, puts them into the table under a new revision and answers
//!    with `offer-acked`.
//! 7. 20 ms later at most, `core/hub/telling.rs` tells each client that can take it one `table-updated`: all that
//!    changed between the revision that this client has and the newest ([`core::ledger`]).
//! 8. Each session (`core/session/answers.rs`) updates its replica and tells its user. Erin's gets the answer too,
//!    and gives it the `id` of her request and `"final": true`.
//! 9. [`io::drive::queued`] puts events into an outbox ([`core::outbox`]), where states merge and facts wait;
//!    [`io::drive::output`] numbers and writes them, as JSON or through [`ui::human::render`].
//!
//! Dora types `get notes.txt`. It goes to the hub like the offer. `core/hub/locate.rs` answers with `located`: who has
//! that content or a part of it, with their addresses and keys. `core/session/transfers/starting.rs` queues it and makes a
//! `FetchPlan` of it; [`io::data::fetch`] dials the holders on blocking threads, each in a lane that takes chunks from
//! the [`core::swarm`], and every chunk is verified against the content's hash before it counts. What happens comes
//! back as `TransferNote`s, which the session tells as `transfer-started`, `transfer-progress` and, as the answer,
//! `transfer-completed`; at a terminal, [`ui::bars`] draws a bar of them. Erin's side is [`io::data`]'s server: it
//! serves keys that are in the roster and files that are on the shelf, and nothing else.
//!
//! What Dora has got is on her own shelf at once. Her session tells the hub in batches (`core/session/transfers/holdings.rs`,
//! `Ask::Have`), and the hub tells those who are fetching the same (`core/hub/holders.rs`, `sources-updated`).
//!
//! `get albums/` is answered by Dora's own copy of the table (`core/session/transfers/folders.rs`); [`io::data::fetch_folder`]
//! fetches the small files of it as a stream, whose order [`core::batch`] decides. A `push` waits at the hub
//! (`core/hub/pushes.rs`) until its receiver accepts it, and is then fetched like anything else.
//!
//! What the hub serves itself, and what it keeps for others, goes the same way: [`io::drive::hub::HubShelf`] offers a folder by
//! the same means as a client, and makes the copies that `core/hub/copies.rs` wants (`Output::Copy`), fetched as anybody
//! fetches. `offer-kept` is said when the copy and its record are on disk.
//!
//! # One thing said, from end to end
//! Erin types `message dora soup is ready`. It goes to the hub as above, and there:
//!
//! 1. `core/hub/messages.rs` checks it, gives it its number and says `Output::Persist`. What follows is *held*
//!    (`core/hub/held.rs`) until the driver says `Input::Committed`: nobody is told of what a crash could take back.
//! 2. [`io::store::writer`] writes it, with everything else that has gathered meanwhile, in one transaction of
//!    [`io::store`].
//! 3. `core/hub/feed.rs` gives it to Dora's client, if that keeps up. A client that does not, or is not there, gets it
//!    later: from the newest messages that the hub has in memory, or from the store (`Output::Query`). So the hub holds
//!    no queue for anybody.
//! 4. Dora's session (`core/session/inbox.rs`) tells her, once. When standard output has taken it
//!    ([`io::drive::client::Reporting`]), this machine remembers the number ([`io::state::inbox`]) and the session confirms it with a
//!    `received`. By its number the message is recognized if it comes again, whatever was lost meanwhile.
//! 5. This confirmation is what `delivered` in Erin's `message-acked` means; if it takes longer than that answer can
//!    wait, she gets `message-delivered` when it comes.
//!
//! If the hub dies on the way, Erin's client asks again, with the name that its process gave itself and its number for
//! the request ([`protocol::record::IdempotencyKey`]): the hub looks whether that is on disk already. If Dora blocks Erin, all
//! of this happens just the same, but what Dora's client gets is `withheld`, without the words.
//!
//! What is said with `private` takes another way: [`core::peers`] opens a link of its own to the other client, and the
//! hub learns of it only if that does not answer. It is acknowledged like the rest: when Dora's standard output has taken
//! it (`core/peers/receipts.rs`), while the link's own acknowledgement says only that her program lives. If `focus` holds it
//! back, that is said at once, and that it has arrived when it has.
//!
//! # Code map
//! | part | holds | may know |
//! |---|---|---|
//! | [`protocol`] | words: requests, events, frames, error codes, limits | nobody |
//! | [`core`] | decisions | `protocol` |
//! | [`ui`] | speech: human text, the line editor | `protocol` |
//! | [`sim`] | practice: the machines under a virtual clock, a seeded network and a crashing hub | `core`, `protocol` |
//! | [`io`] | motion: sockets, disk, store, clock, signals | `core`, `protocol` |
//! | [`cli`] | doors: one file or folder for each subcommand | all |
//!
//! # What is never done where
//! - `protocol`, `core` and `sim` read no clock, open no file or socket, draw no random number, start no thread and
//!   print nothing. Time and seeds are passed in, so that a run can be repeated to the letter.
//! - `ui` makes text of events and log lines and of nothing else, so that `potluck replay` shows what was shown. What is
//!   drawn and taken away again, [`ui::bars`], is made of events too; [`ui::screen`] keeps account of where it stands.
//!   Only the editor and its completion touch the terminal and local folders.
//! - Nothing waits for a reader of events, in any part. What is not read waits in a bounded outbox.
//! - The hub waits for no client, and for the disk only with what must not be said before it is there: the machine
//!   says `Output::Persist`, and what depends on it is held until `Input::Committed`. Passwords are checked
//!   on threads of their own (`Output::Verify`).
//! - File contents are not touched by async code: they are read, hashed, sent and written on blocking threads.
//! - Matches on our own enums have no catch-all where a new word must be thought about.
//! - What may be said, and how much of it, is limited in [`protocol::limits`]; error codes have their sentence,
//!   advice and exit code in one table ([`protocol::ErrorCode`]). Neither is written a second time.
//!
//! `tests/tidy.rs` scans the sources for the first two and for who knows whom.
//!
//! # How to add a request
//! Five edits; what is forgotten does not compile, or fails a test that names it.
//!
//! 1. `protocol/request/mod.rs`: its row and its struct. The row says who answers it, when it starts, which events and
//!    errors answer it. The JSON form, the schema, the command, its help, its completion, its place in the order of
//!    requests, and how the hub's answer goes back to the program follow from it. If the answer is a new event: its row
//!    and struct in `protocol/event/`; the row says whether each one counts or only the newest, and what it weighs.
//! 2. Its handler, where the row says that it is answered: `core/hub/requests.rs` (`HubRequest`), or
//!    `core/session/requests.rs` (`ClientRequest`). The compiler points there. Only if the client must remember or
//!    translate the hub's answer: `core/session/answers.rs` (`user_answered`).
//! 3. `ui/human.rs`: the phrase of a new event (`render`; the compiler again).
//! 4. Its test: the decision in `core`, its page in `tests/transcripts`, its fields in `tests/adversary/words.rs`.
//! 5. Its row in `README.md` (`tests/readme.rs` misses it otherwise, and compares the answers).
//!
//! Generated: `POTLUCK_BLESS=1 cargo test --test schemas` writes the schemas and `schemas/answers.json`, and
//! `INSTA_UPDATE=always cargo test --lib ui` the glossary of both faces in `snapshots/`: read the difference as a user would.
//!
//! # How to find a failing seed
//! `cargo test --test adversary` gives each machine of `core` random, well-formed input in any order; a new request must be
//! taught to it (`tests/adversary/words.rs`). `POTLUCK_RUNS=1000000` lets it play for hours.
//!
//! `cargo test --test sim` plays hundreds of random runs, each from its seed: delays, broken and silent connections, a
//! hub that crashes. A run that fails prints its seed; `POTLUCK_SEED=<seed> cargo test --test sim people::` plays that one
//! alone, the same way each time. `POTLUCK_LOG=debug` shows the diagnostics of the real program on standard error.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cli;
pub mod core;
pub mod io;
pub mod protocol;
pub mod sim;
pub mod ui;
