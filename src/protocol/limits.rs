//! Every limit in one table. Each is enforced before memory is spent.

use std::time::Duration;

/// A line on standard input, in bytes. A longer one is skipped without being kept.
pub const MAX_LINE: usize = 1 << 20;

/// A line on the link, in bytes. Room for the largest `publish` (see [`PUBLISH_FILES`]) and the largest `have`.
pub const MAX_FRAME: usize = 4 << 20;

/// A line that every connection of the link may keep while it comes, in bytes; twice as much may be on its way. Longer ones
/// need a place.
pub const SHORT_LINE: usize = 32 << 10;

/// The same of a line that needs a place, and one that needs a large place beyond that.
pub const LONG_LINE: usize = 256 << 10;

/// Places for long lines at a hub, in all.
pub const LONG_LINES: usize = 128;

/// Large places for very long ones, up to [`MAX_FRAME`].
pub const VERY_LONG_LINES: usize = 8;

/// The first line on a connection, in bytes: nothing longer is kept for somebody who has not been greeted.
pub const HELLO_BYTES: usize = 4 << 10;

/// An answer of the hub that names files or holders, in bytes of what it names: far less than a frame, whatever is
/// escaped in it.
pub const ANSWER_BYTES: usize = 512 << 10;

/// How many bytes of table or roster changes go into one event. Small enough that a client on a
/// slow line (350 kbit/s) can acknowledge it before the link is taken for lost.
pub const DELTA_BYTES: usize = 64 << 10;

/// A request's `id`, in bytes of text.
pub const MAX_ID: usize = 128;

/// Files in one `offer` or `withdraw`.
pub const FILES_PER_REQUEST: usize = 8_192;

/// Files that a client tells the hub of in one frame; more go in several.
pub const PUBLISH_FILES: usize = 1_024;

/// What a folder holds at most, in files and folders, and how deep it may go.
pub const TREE_ENTRIES: usize = 262_144;
/// The deepest folder below an offered one.
pub const TREE_DEPTH: usize = 64;

/// What one `search` looks for, in bytes of text.
pub const SEARCH_BYTES: usize = 1_024;

/// Files that one `search` finds.
pub const FOUND_FILES: usize = 200;

/// Offers in one `table`; of more, the answer says where to go on.
pub const LIST_OFFERS: usize = 16_384;

/// The same in bytes of what they name.
pub const LIST_BYTES: usize = 8 << 20;

/// Offers that are looked at for one page of an answer. What is looked for may be in the next one.
pub const PAGE_LOOKS: usize = 8_192;

/// Offers that a client follows at most: of larger tables it keeps no copy, and asks the hub. A table of this size
/// takes a second on a fast line, and some tens of megabytes at the client.
pub const FOLLOWED_OFFERS: usize = 65_536;

/// The same in bytes, as [`offer_bytes`] counts them.
pub const FOLLOWED_BYTES: usize = 32 << 20;

/// What an offer takes on the link, about: its names, and as much as the rest has at most.
pub const fn offer_bytes(file: &str, owner: &str) -> usize {
    300 + file.len() + owner.len()
}

/// People of whom a client is told that does not follow the roster: later ones are not taken.
pub const INTRODUCED: usize = 16_384;

/// Files of one folder that is fetched.
pub const FOLDER_FILES: usize = TREE_ENTRIES;

/// Holders of one content that are named at a time.
pub const HOLDERS: usize = 64;

/// Contents that a client can say it has without offering them; later ones are not taken.
pub const HOLDINGS: usize = 65_536;

/// Contents of which a client can say that it has a part.
pub const PARTIAL_HOLDINGS: usize = 256;

/// Contents in one [`Have`](super::wire::Have).
pub const HAVE_CONTENTS: usize = 1_024;

/// Pushes of one client that wait to be accepted.
pub const PUSHES: usize = 256;

/// Pushes to one person that wait to be accepted.
pub const PUSHES_TO_ONE: usize = 1_000;

/// Files or folders that a client fetches at once, unless `--max-transfers` says otherwise.
pub const MAX_TRANSFERS: usize = 4;

/// Requests of one client that may be on their way to the hub at once; more wait at the client.
pub const REQUESTS_IN_FLIGHT: usize = 256;

/// The same in bytes of requests. A single one may be larger.
pub const REQUEST_BYTES_IN_FLIGHT: usize = 1 << 20;

/// Bytes of answers to one client that are on its link, wait for others to leave first, or are being read by the
/// store. While there are more, the hub begins none of its requests.
pub const ANSWERS_WINDOW: usize = 1 << 20;

/// Requests of one client that the hub has begun and not answered. While there are more, it begins none.
pub const ANSWERS_UNDER_WAY: usize = LINK_FRAMES / 2;

/// Requests of one client that wait at the hub until they are begun. Far more than a client has in flight: one that
/// lets more pile up is `too-slow`.
pub const ASIDE_REQUESTS: usize = 4 * REQUESTS_IN_FLIGHT;

/// The same in bytes.
pub const ASIDE_BYTES: usize = 8 << 20;

/// Requests that a session keeps before it stops reading its input.
pub const REQUESTS_WAITING: usize = 1_024;

/// The same in bytes of requests. A single one may be larger.
pub const REQUEST_BYTES_WAITING: usize = 8 << 20;

/// Events that wait for a slow reader of standard output before it gets a `gap`. Answers do not count.
pub const EVENTS_WAITING: usize = 65_536;

/// The same in bytes.
pub const EVENT_BYTES_WAITING: usize = 16 << 20;

/// Bytes of events that may wait for the reader, with the answers that are still to come, when a request begins.
pub const UNREAD_BYTES: usize = 8 << 20;

/// How much of that is set aside for the answer to one request: for one that says one thing,
pub const ANSWER_SMALL: usize = 4 << 10;

/// and for one that lists things.
pub const ANSWER_LARGE: usize = 1 << 20;

/// Unacknowledged frames that a link keeps for the other side.
pub const LINK_FRAMES: usize = 8_192;

/// The same in bytes. A client that lets more pile up is `too-slow`.
pub const LINK_BYTES: usize = 8 << 20;

/// Unacknowledged bytes above which table and roster changes wait: they coalesce meanwhile.
pub const LINK_STATE_BYTES: usize = 256 << 10;

/// Clients that `status` names, the newest ones.
pub const STATUS_CLIENTS: usize = 1_000;

/// Visits of earlier runs that a hub remembers when it starts, the newest ones.
pub const VISITS_LOADED: usize = 1_000;

/// A message's text, in bytes.
pub const MESSAGE_BYTES: usize = 16 << 10;

/// A password, in bytes. Longer ones are refused before they are hashed.
pub const PASSWORD_BYTES: usize = 1_024;

/// Messages in one `history`, if the request does not say.
pub const HISTORY_DEFAULT: usize = 50;

/// Messages in one `history` at most.
pub const HISTORY_MESSAGES: usize = 500;

/// Bytes of text in one `history`. Each may take six in JSON, and all of them fit a frame.
pub const HISTORY_BYTES: usize = 512 << 10;

/// Messages that a hub sends to a client before the client has said that its user has them.
pub const FEED_MESSAGES: usize = 2_048;

/// The same in bytes, as they are sent.
pub const FEED_BYTES: usize = 2 << 20;

/// Clients in a roster that a client keeps; those beyond are not known to it. Some 20 MB.
pub const ROSTER: usize = 65_536;

/// Messages that a client holds back while its user hears only one room. Fewer than [`FEED_MESSAGES`], so that
/// the room is still heard.
pub const HELD_MESSAGES: usize = 1_024;

/// The same in bytes of text.
pub const HELD_BYTES: usize = 1 << 20;

/// The newest messages that a hub has in memory, for clients that are a little behind.
pub const RECENT_MESSAGES: usize = 4_096;

/// The same in bytes, as they are sent.
pub const RECENT_BYTES: usize = 4 << 20;

/// Answers that wait for the hub's disk. While there are more, the hub takes no requests.
pub const COMMITS_WAITING: usize = 16_384;

/// People whom one person may block.
pub const BLOCKS: usize = 1_000;

/// Rooms that one person may be in.
pub const ROOMS_EACH: usize = 256;

/// Rooms up to which others may bring somebody into theirs; into the rest of [`ROOMS_EACH`] one goes by oneself.
pub const ROOMS_BY_OTHERS: usize = 128;

/// Whoever brings somebody into rooms takes at most this part of what others leave of [`ROOMS_BY_OTHERS`]: one key or
/// account the first, one address (one /64 for IPv6; not of loopback) the second.
pub const ROOMS_INVITERS: u64 = 8;
/// See [`ROOMS_INVITERS`].
pub const ROOMS_ADDRESSES: u64 = 2;

/// Whoever sends takes at most this part of the room that others leave in a mailbox.
pub const MAILBOX_SENDERS: u64 = 4;

/// A mailbox of so few messages is not divided,
pub const SMALL_MAILBOX: u64 = 64;

/// nor one of so few bytes.
pub const SMALL_MAILBOX_BYTES: u64 = 64 << 10;

/// Sessions of one key that have no name.
pub const NAMELESS_EACH: usize = 4;

/// People who are named in one `room-create` or `room-invite`.
pub const PEOPLE_PER_REQUEST: usize = 1_000;

/// Direct connections of one client.
pub const PRIVATE_LINKS: usize = 256;

/// Handshakes of direct connections under way at a client over each transport; the oldest makes room. Some 10 KiB each.
pub const PRIVATE_HANDSHAKES: usize = 256;

/// Direct connections to a client that have not said whose they are; the oldest makes room.
pub const PRIVATE_STRANGERS: usize = 64;

/// A line on a direct connection, in bytes: a message of [`MESSAGE_BYTES`] of which each is escaped, and its frame.
pub const PRIVATE_LINE: usize = 6 * MESSAGE_BYTES + 1_024;

/// Bytes of messages on their way on a direct connection; the others wait. So few that they can be acknowledged
/// within the ack timeout on a slow line (500 kbit/s).
pub const PRIVATE_WINDOW: usize = 32 << 10;

/// Bytes of messages that somebody's program has on a direct connection and has not been able to show them; the others
/// wait at their sender.
pub const PRIVATE_UNREAD: usize = 256 << 10;

/// Private messages to one person that are under way at once; who reads nothing is sent no more.
pub const PRIVATE_EACH: usize = 64;

/// How many may measure the way to one client at once.
pub const PINGS: usize = 64;

/// Private messages that are under way at once.
pub const PRIVATE_UNDER_WAY: usize = 1_024;

/// Logins that wait to be checked; each holds a password. More are told to wait.
pub const LOGINS_WAITING: usize = 256;

/// The same of one key,
pub const LOGINS_WAITING_OF_KEY: usize = 8;

/// and of one address (one /64 for IPv6; not of loopback).
pub const LOGINS_WAITING_OF_ADDRESS: usize = 64;

/// Keys by which an account is known; from further ones its password is asked for each time.
pub const KEYS_OF_ACCOUNT: usize = 64;

/// New names that are counted for the addresses which took them; the oldest are forgotten.
pub const NEWCOMERS_COUNTED: usize = 100_000;

/// Sessions that were ended because their access was taken back, and that are told so when they come again.
pub const REVOKED_REMEMBERED: usize = 1_024;

/// Names and addresses whose failed logins are counted; the oldest are forgotten.
pub const FAILURES_COUNTED: usize = 10_000;

/// What a hub allows. The fields are its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLimits {
    /// Clients at once, those within their grace included.
    pub clients: usize,
    /// The same of one key.
    pub clients_per_key: usize,
    /// The same of one address (one /64 for IPv6). Loopback is everybody on one machine, and has no share.
    pub clients_per_address: usize,
    /// Names that one key may take.
    pub names_per_key: usize,
    /// Names that one address (one /64 for IPv6; not loopback) may take in a day.
    pub names_per_address: usize,
    /// Offers of one client.
    pub offers: usize,
    /// Connections that have not said hello yet.
    pub strangers: usize,
    /// Messages that one client may send in a second, on average.
    pub message_rate: u32,
    /// Requests of any kind that one client may make in a second, on average. Bursts of [`BURST`] seconds' worth
    /// are taken, of both.
    pub request_rate: u32,
    /// Messages to one person that are kept until they have them.
    pub mailbox: u64,
    /// The same in bytes of text.
    pub mailbox_bytes: u64,
    /// Rooms.
    pub rooms: usize,
    /// Rooms that one key or account has made.
    pub rooms_per_key: usize,
    /// Members of one room.
    pub members: usize,
}

/// How long the end of a session waits for somebody to take what it pushes, when nothing else is left.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(30);

/// How many seconds' worth of messages or requests a client may send at once.
pub const BURST: u32 = 10;

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            clients: 5_000,
            clients_per_key: 16,
            clients_per_address: 256,
            names_per_key: 16,
            names_per_address: 256,
            offers: 65_536,
            strangers: 1_024,
            message_rate: 100,
            request_rate: 1_000,
            mailbox: 10_000,
            mailbox_bytes: 16 << 20,
            rooms: 1_000,
            rooms_per_key: 32,
            members: 5_000,
        }
    }
}
