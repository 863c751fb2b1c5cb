//! The limits of what others may send, in one table. Each is checked before memory is spent.

mod parcels;

use std::time::Duration;

pub use parcels::*;

/// The longest line on standard input, in bytes. Longer lines are skipped without being stored.
pub const MAX_LINE: usize = 1 << 20;

/// The longest line on a link, in bytes: room for the largest `publish` (see [`PUBLISH_FILES`]) and the largest `have`.
pub const MAX_FRAME: usize = 4 << 20;

/// The longest line that any connection of a link may buffer, in bytes; twice as much may be in flight. Longer lines
/// need one of the [`LONG_LINES`] places.
pub const SHORT_LINE: usize = 32 << 10;

/// The longest line that needs only a place for long lines, in bytes. A longer one needs one of the [`VERY_LONG_LINES`]
/// places, too.
pub const LONG_LINE: usize = 256 << 10;

/// Places for long lines at a hub, for all connections together.
pub const LONG_LINES: usize = 128;

/// Places for very long lines, of up to [`MAX_FRAME`] bytes, for all connections together.
pub const VERY_LONG_LINES: usize = 8;

/// The longest first line of a connection, in bytes: little, because its sender has not proven anything yet.
pub const HELLO_BYTES: usize = 4 << 10;

/// Exchanges of short codes for invites that may be under way at a hub. Each takes a few round trips.
pub const EXCHANGES: usize = 64;

/// Codes that may be guessed wrong from one address within a day. Each guess voids a code, and is right once in 65,536.
pub const CODE_GUESSES: usize = 20;

/// Invites that one member may make within a day.
pub const INVITES: usize = 100;

/// Invites that `invite-list` shows: the newest.
pub const INVITES_SHOWN: usize = 1_000;

/// The longest time for which an invite of a member may be good.
pub const INVITE_SPAN: Duration = Duration::from_secs(366 * 86_400);

/// How many keys one invite of a member may let in.
pub const INVITE_TIMES: u64 = 1_000;

/// The names of files and holders in one answer of the hub, in bytes. It is so far below [`MAX_FRAME`] that escaping
/// them cannot exceed the frame.
pub const ANSWER_BYTES: usize = 512 << 10;

/// Bytes of table or roster changes in one event. A client on a slow line (350 kbit/s) can acknowledge that much before
/// its link counts as lost.
pub const DELTA_BYTES: usize = 64 << 10;

/// The longest `id` of a request, in bytes of text.
pub const MAX_ID: usize = 128;

/// Files in one `offer` or `withdraw`.
pub const FILES_PER_REQUEST: usize = 8_192;

/// Files that a client publishes in one frame. It sends more of them in several frames.
pub const PUBLISH_FILES: usize = 1_024;

/// Files and folders below an offered folder.
pub const TREE_ENTRIES: usize = 262_144;
/// The deepest folder below an offered folder.
pub const TREE_DEPTH: usize = 64;

/// The text of one `search`, in bytes.
pub const SEARCH_BYTES: usize = 1_024;

/// Files in the answer to one `search`.
pub const FOUND_FILES: usize = 200;

/// Offers in one `table`. If there are more, the answer says where to continue.
pub const LIST_OFFERS: usize = 16_384;

/// The names in one `table`, in bytes.
pub const LIST_BYTES: usize = 8 << 20;

/// Offers that the hub examines for one page of an answer, whether they match or not. The next page continues from
/// there.
pub const PAGE_LOOKS: usize = 8_192;

/// Offers in a table that a client follows. Of a larger table the client keeps no copy and asks the hub instead. A
/// table of this size takes a second on a fast line, and some tens of megabytes at the client.
pub const FOLLOWED_OFFERS: usize = 65_536;

/// Bytes of a table that a client follows, as [`offer_bytes`] counts them.
pub const FOLLOWED_BYTES: usize = 32 << 20;

/// The approximate size of an offer on the link, in bytes: its names, and a constant for everything else.
pub const fn offer_bytes(file: &str, owner: &str) -> usize {
    300 + file.len() + owner.len()
}

/// Hosts in one join link.
pub const LINK_HOSTS: usize = 8;

/// People of whom the hub tells a client that does not follow the roster. It does not remember more.
pub const INTRODUCED: usize = 16_384;

/// Other keys than a verified one of which a client tells its user in one session. Only a hub that makes them up shows
/// more.
pub const ALARMS: usize = 256;

/// Files in one folder that is fetched.
pub const FOLDER_FILES: usize = TREE_ENTRIES;

/// Holders of a content that the hub names in one answer.
pub const HOLDERS: usize = 64;

/// Contents that a client may say it has without offering them. Further ones are ignored.
pub const HOLDINGS: usize = 65_536;

/// Contents of which a client may say that it has a part.
pub const PARTIAL_HOLDINGS: usize = 256;

/// Contents in one [`Have`](super::wire::Have).
pub const HAVE_CONTENTS: usize = 1_024;

/// Pushes of one client that nobody has accepted yet.
pub const PUSHES: usize = 256;

/// Pushes to one person that they have not accepted yet.
pub const PUSHES_TO_ONE: usize = 1_000;

/// Files or folders that a client fetches at once, unless `--max-transfers` says otherwise.
pub const MAX_TRANSFERS: usize = 4;

/// Requests of one client that are on their way to the hub. Further ones wait at the client.
pub const REQUESTS_IN_FLIGHT: usize = 256;

/// Bytes of requests of one client that are on their way to the hub. A single request may be larger.
pub const REQUEST_BYTES_IN_FLIGHT: usize = 1 << 20;

/// Bytes of answers to one client that are on its link, wait for their turn, or are being read from the store. While
/// there are more, the hub starts none of the client's requests.
pub const ANSWERS_WINDOW: usize = 1 << 20;

/// Requests of one client that the hub has started and not answered. While there are as many, it starts none.
pub const ANSWERS_UNDER_WAY: usize = LINK_FRAMES / 2;

/// Requests of one client that the hub has received and not started. It is far more than a client keeps in flight, so a
/// client that exceeds it is misbehaving: `too-slow`.
pub const ASIDE_REQUESTS: usize = 4 * REQUESTS_IN_FLIGHT;

/// Bytes of requests of one client that the hub has received and not started.
pub const ASIDE_BYTES: usize = 8 << 20;

/// Requests that a session has read and not started. At this limit it stops reading its input.
pub const REQUESTS_WAITING: usize = 1_024;

/// Bytes of requests that a session has read and not started. A single request may be larger.
pub const REQUEST_BYTES_WAITING: usize = 8 << 20;

/// Events that wait for a slow reader of standard output. Beyond that, facts are dropped and told as a `gap`. Answers
/// do not count.
pub const EVENTS_WAITING: usize = 65_536;

/// Bytes of events that wait for a slow reader of standard output.
pub const EVENT_BYTES_WAITING: usize = 16 << 20;

/// Bytes of events that wait for the reader, plus what is reserved for pending answers. A request starts only below
/// this limit.
pub const UNREAD_BYTES: usize = 8 << 20;

/// Bytes that are reserved for the answer to a request that says one thing.
pub const ANSWER_SMALL: usize = 4 << 10;

/// Bytes that are reserved for the answer to a request that lists things.
pub const ANSWER_LARGE: usize = 1 << 20;

/// Frames that a link keeps because the other side has not acknowledged them.
pub const LINK_FRAMES: usize = 8_192;

/// Bytes of unacknowledged frames on a link. A client that exceeds it is disconnected as `too-slow`.
pub const LINK_BYTES: usize = 8 << 20;

/// Unacknowledged bytes above which table and roster changes wait. Meanwhile newer changes replace older ones.
pub const LINK_STATE_BYTES: usize = 256 << 10;

/// Clients in the answer to `status`: the newest ones.
pub const STATUS_CLIENTS: usize = 1_000;

/// Visits of earlier runs that a hub loads at its start: the newest ones.
pub const VISITS_LOADED: usize = 1_000;

/// The text of a message, in bytes.
pub const MESSAGE_BYTES: usize = 16 << 10;

/// A password, in bytes. Longer ones are refused before any work is spent on hashing them.
pub const PASSWORD_BYTES: usize = 1_024;

/// Messages in the answer to a `history` without a limit.
pub const HISTORY_DEFAULT: usize = 50;

/// Messages in the answer to one `history`.
pub const HISTORY_MESSAGES: usize = 500;

/// Bytes of text in the answer to one `history`. Escaping makes it at most six times as long, which still fits a frame.
pub const HISTORY_BYTES: usize = 512 << 10;

/// Messages that a hub has sent to a client and whose receipt the client has not confirmed.
pub const FEED_MESSAGES: usize = 2_048;

/// Bytes of messages, as sent, whose receipt a client has not confirmed.
pub const FEED_BYTES: usize = 2 << 20;

/// Clients in a roster that a client keeps, some 20 MB. It ignores further ones.
pub const ROSTER: usize = 65_536;

/// Messages that a client holds back while its user hears only one room. It is less than [`FEED_MESSAGES`], so that
/// messages of the room still arrive.
pub const HELD_MESSAGES: usize = 1_024;

/// Bytes of text that a client holds back while its user hears only one room.
pub const HELD_BYTES: usize = 1 << 20;

/// Messages that a hub keeps in memory, the newest ones, for clients that are slightly behind.
pub const RECENT_MESSAGES: usize = 4_096;

/// Bytes of messages, as sent, that a hub keeps in memory.
pub const RECENT_BYTES: usize = 4 << 20;

/// Answers that wait for the hub's disk. While there are as many, the hub starts no requests.
pub const COMMITS_WAITING: usize = 16_384;

/// Addresses that one side of a meeting may be reached at: those of its interfaces, and those that the hub saw.
pub const MEETING_PLACES: usize = 4;

/// How long a meeting waits for its halves and for a connection, and after that is over.
pub const MEETING_TIME: Duration = Duration::from_secs(10);

/// Meetings of each pair of clients in a minute: those that one of them has asked for.
pub const MEETINGS_OF_A_PAIR: u32 = 10;

/// Meetings in a minute that clients of one key have asked for.
pub const MEETINGS_OF_ASKER: u32 = 120;

/// Meetings in a minute that clients of one key were asked for.
pub const MEETINGS_OF_ASKED: u32 = 600;

/// Meetings of one client that wait for their connections.
pub const MEETINGS_AT_ONCE: usize = 32;

/// Clients whose relayed bytes of a day are counted. Further ones have nothing relayed on that day.
pub const RELAY_PAYERS: usize = 65_536;

/// People whom one person may block.
pub const BLOCKS: usize = 1_000;

/// Rooms that one person may be a member of.
pub const ROOMS_EACH: usize = 256;

/// Rooms that a person may be a member of by invitation. The rest of [`ROOMS_EACH`] is left for rooms that they join
/// themselves.
pub const ROOMS_BY_OTHERS: usize = 128;

/// Divides a person's [`ROOMS_BY_OTHERS`] among inviters: one key or account fills at most one part in this many of what
/// other inviters have left.
pub const ROOMS_INVITERS: u64 = 8;
/// The same as [`ROOMS_INVITERS`] for all inviters of one address (one /64 for IPv6; loopback is exempt).
pub const ROOMS_ADDRESSES: u64 = 2;

/// Divides a mailbox among senders: one sender fills at most one part in this many of what other senders have left.
pub const MAILBOX_SENDERS: u64 = 4;

/// A mailbox of at most this many messages is not divided among senders,
pub const SMALL_MAILBOX: u64 = 64;

/// nor is a mailbox of at most this many bytes.
pub const SMALL_MAILBOX_BYTES: u64 = 64 << 10;

/// Sessions of one key that have not registered a name.
pub const NAMELESS_EACH: usize = 4;

/// People named in one `room-create` or `room-invite`.
pub const PEOPLE_PER_REQUEST: usize = 1_000;

/// Direct connections of one client.
pub const PRIVATE_LINKS: usize = 256;

/// Handshakes of direct connections at a client, counted for each transport; a new one replaces the oldest. One takes
/// some 10 KiB.
pub const PRIVATE_HANDSHAKES: usize = 256;

/// Direct connections to a client that have not proven whose they are yet; a new one replaces the oldest.
pub const PRIVATE_PENDING: usize = 64;

/// The longest line on a direct connection, in bytes: a message of [`MESSAGE_BYTES`], all escaped, and its frame.
pub const PRIVATE_LINE: usize = 6 * MESSAGE_BYTES + 1_024;

/// Bytes of messages in flight on a direct connection; further ones wait. So little can be acknowledged within the
/// timeout even on a slow line (500 kbit/s).
pub const PRIVATE_WINDOW: usize = 32 << 10;

/// Bytes of messages on a direct connection that the receiving program has and its user does not, because it holds them
/// back. Further ones wait at their sender.
pub const PRIVATE_UNREAD: usize = 256 << 10;

/// Private messages to one person that have not been answered yet.
pub const PRIVATE_EACH: usize = 64;

/// Pings to one client that have not been answered yet.
pub const PINGS: usize = 64;

/// Private messages of one client that have not been answered yet.
pub const PRIVATE_UNDER_WAY: usize = 1_024;

/// Logins that wait for their password to be checked. Beyond that, clients are told to retry later.
pub const LOGINS_WAITING: usize = 256;

/// Logins of one key that wait for their check,
pub const LOGINS_WAITING_OF_KEY: usize = 8;

/// and logins from one address (one /64 for IPv6; loopback is exempt).
pub const LOGINS_WAITING_OF_ADDRESS: usize = 64;

/// Keys that an account remembers. A login with a further key forgets one, which needs the password again.
pub const KEYS_OF_ACCOUNT: usize = 64;

/// New names that are counted by the address that took them; the oldest counts are forgotten.
pub const NEWCOMERS_COUNTED: usize = 100_000;

/// Sessions that ended because access was revoked, and that are told so if they return.
pub const REVOKED_REMEMBERED: usize = 1_024;

/// Names and addresses whose failed logins are counted; the oldest counts are forgotten.
pub const FAILURES_COUNTED: usize = 10_000;

/// What a hub allows. The fields are options of `potluck serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLimits {
    /// Clients that are registered, including those that are away and within their grace period.
    pub clients: usize,
    /// Registered clients of one key.
    pub clients_per_key: usize,
    /// Registered clients of one address (one /64 for IPv6; loopback is exempt, since everybody on the machine shares
    /// it).
    pub clients_per_address: usize,
    /// Names that one key may own.
    pub names_per_key: usize,
    /// Names that one address (one /64 for IPv6; loopback is exempt) may take in a day.
    pub names_per_address: usize,
    /// Offers of one client.
    pub offers: usize,
    /// Connections that have not said hello yet.
    pub pending_connections: usize,
    /// Messages of one client, in messages a second on average.
    pub message_rate: u32,
    /// Requests of one client, in requests a second on average. Both rates allow bursts of [`BURST`] seconds' worth.
    pub request_rate: u32,
    /// Messages that are kept for one person until they have them.
    pub mailbox: u64,
    /// Bytes of text that are kept for one person until they have it.
    pub mailbox_bytes: u64,
    /// Rooms at this hub.
    pub rooms: usize,
    /// Rooms that one key or account has created.
    pub rooms_per_key: usize,
    /// Members of one room.
    pub members: usize,
}

/// How long the end of a session waits for receivers to accept its pushes, if nothing else is left to wait for.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(30);

/// The burst that a rate allows, in seconds: this many seconds' worth of messages or requests may come at once.
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
            pending_connections: 1_024,
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
