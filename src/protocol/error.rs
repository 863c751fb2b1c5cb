//! The table of error codes. Each row has the code's name, whether a retry can help, the exit code, a sentence and an
//! advice.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plain::plain;

/// Whether sending the same request again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// No: it will be refused again.
    Never,
    /// Yes, at another time.
    Later,
    /// Yes, once the user has changed what the hint names.
    AfterChange,
}

/// The place in the input where the mistake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum At {
    /// A line of the input, counted from 1.
    Line(u64),
    /// A JSON pointer (RFC 6901) into the request.
    Pointer(String),
}

/// A place in a request, as a JSON pointer.
pub fn pointer_at(pointer: &str) -> At {
    At::Pointer(pointer.to_owned())
}

macro_rules! error_codes {
    ($( $Code:ident, $name:literal, $retry:ident, exit $exit:literal, $sentence:literal, $advice:literal; )*) => {
        /// A stable name for one kind of failure. The table in this file is the only place that says its name,
        /// sentence, advice and exit code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorCode {
            $(
                #[doc = $sentence]
                #[serde(rename = $name)]
                $Code,
            )*
        }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$( ErrorCode::$Code ),*];

            /// The code's name in JSON, such as `name-taken`.
            pub fn name(self) -> &'static str {
                match self { $( Self::$Code => $name ),* }
            }

            /// The name in words, for people who have been told the rest: `name taken`.
            pub fn in_short(self) -> String {
                self.name().replace('-', " ")
            }

            /// Says in one sentence what went wrong.
            pub fn sentence(self) -> &'static str {
                match self { $( Self::$Code => $sentence ),* }
            }

            /// Says what the user can do about it; empty if there is nothing.
            pub fn advice(self) -> &'static str {
                match self { $( Self::$Code => $advice ),* }
            }

            /// Whether sending the same request again can help.
            pub fn retry(self) -> Retry {
                match self { $( Self::$Code => Retry::$retry ),* }
            }

            /// The exit code of a program that ends because of this failure.
            pub fn exit(self) -> u8 {
                match self { $( Self::$Code => $exit ),* }
            }
        }
    };
}

error_codes! {
    // Input that cannot be understood.
    BadJson, "bad-json", AfterChange, exit 1, "The line is not valid JSON.", "Write one JSON object on one line.";
    BadUtf8, "bad-utf8", AfterChange, exit 1, "The line is not valid UTF-8.", "Send text as UTF-8.";
    LineTooLong, "line-too-long", AfterChange, exit 1, "The line is longer than 1 MiB.", "Split it into several requests.";
    UnknownRequest, "unknown-request", AfterChange, exit 1, "There is no such request.", "`help` lists what can be asked.";
    BadRequest, "bad-request", AfterChange, exit 1, "The request has a wrong field.", "`potluck schema show NAME` says what a request takes.";
    BadCommand, "bad-command", AfterChange, exit 1, "The command cannot be understood.", "`help COMMAND` shows how it is written.";
    BadName, "bad-name", AfterChange, exit 1, "The name is not allowed.", "Names have no control, bidirectional or invisible characters; people and rooms have 1 to 32 letters, digits, `_`, `-` or `.`; files are relative and without `..`.";

    // Access to the hub.
    NameTaken, "name-taken", AfterChange, exit 4, "The name is taken.", "Choose another one with --name.";
    HubFull, "hub-full", Later, exit 4, "The hub is full.", "Try again when somebody has left.";
    AccessDenied, "access-denied", AfterChange, exit 4, "The hub does not let you in.", "Ask the hub's keeper for an invite: `potluck invite add` prints a join link.";
    AccessRevoked, "access-revoked", AfterChange, exit 4, "The hub has taken your access back.", "With a new password, join again with --password; otherwise ask whoever runs the hub.";
    NoNameInTime, "no-name-in-time", Later, exit 4, "You were here without a name for too long.", "Join again, and enter with `register NAME` or `login NAME`.";
    WrongProtocol, "wrong-protocol", AfterChange, exit 4, "The other side speaks another version of potluck.", "Use the same version at both ends.";
    NotRegistered, "not-registered", AfterChange, exit 1, "You are not registered at the hub.", "`register NAME` enters, or `login NAME` with an account; `rereg` comes back after `dereg`.";
    AlreadyRegistered, "already-registered", Never, exit 1, "You are registered already.", "`dereg` leaves first.";

    NoSuchInvite, "no-such-invite", AfterChange, exit 1, "There is no such invite.", "`potluck invite list` shows them.";
    NotAllowed, "not-allowed", AfterChange, exit 4, "You may not make invites at this hub.", "Ask the hub's keeper: `potluck invite add` makes one, and `potluck serve --may-invite NAME` lets you.";
    WrongCode, "wrong-code", AfterChange, exit 4, "The code was wrong, and is void now.", "Ask whoever made it for another one.";
    CodeVoid, "code-void", AfterChange, exit 4, "The code is not good any more.", "Ask whoever made it for another one.";
    NoSuchCode, "no-such-code", AfterChange, exit 4, "There is no code of that number here.", "Check the number, and the address of the hub; or ask whoever made it for another one.";
    SeveralFound, "several-found", AfterChange, exit 4, "Several hubs in this network say that they have that code.", "Ask the sender for its address, and write `potluck receive HOST:PORT/CODE`. The code is as good as before.";
    CodeBusy, "code-busy", Later, exit 4, "Somebody is using that code just now.", "Try again in a moment.";
    BadCode, "bad-code", Never, exit 2, "That is no code.", "A code is a number and two words, such as 7-crossover-clockwork.";
    CodeGuessed, "code-guessed", AfterChange, exit 4, "Somebody has tried the code with wrong words, so it is void. Nothing was sent to them.", "Send it again, for another code.";
    ParcelGone, "parcel-gone", AfterChange, exit 6, "The sender has ended before everything was here.", "What has arrived is kept. Ask them to send it again.";
    LoginRequired, "login-required", AfterChange, exit 4, "The name belongs to an account.", "`login NAME` asks for the password at a terminal; or join with --password or --password-file.";
    BadLogin, "bad-login", AfterChange, exit 4, "The name or the password is wrong.", "Check both; after a few failures the account is locked for a while.";
    LockedOut, "locked-out", Later, exit 4, "There were too many failed logins.", "Wait, then log in with the right password.";

    // Reaching the hub.
    HubUnreachable, "hub-unreachable", Later, exit 3, "The hub cannot be reached.", "Check the address, and that `potluck serve` runs there.";
    HubKeyChanged, "hub-key-changed", AfterChange, exit 4, "The hub's key is not the one that was expected.", "If the hub was set up anew, join with its new link or with --hub-key, or after `potluck forget HOST:PORT`; if not, someone may be in between.";
    HubLost, "hub-lost", Later, exit 5, "The hub does not answer any more.", "Join again when it is back.";
    HubStopping, "hub-stopping", Later, exit 5, "The hub is being stopped.", "Join again when it is back.";
    TimedOut, "timed-out", Later, exit 7, "It took longer than it may.", "Ask again, with a longer --timeout or without.";
    TooSlow, "too-slow", Later, exit 5, "The hub ended the session because it was not read for too long.", "Read what potluck writes, or join again.";
    TooManyOffers, "too-many-offers", AfterChange, exit 1, "That is more than one client may offer.", "Withdraw something, or offer fewer files.";
    SlowDown, "slow-down", Later, exit 1, "That is more than the hub takes at a time.", "Wait, then ask again.";

    // Connections through the hub.
    RelayOff, "relay-off", AfterChange, exit 6, "The hub relays nothing.", "Make the other side reachable, or ask the hub's keeper for `potluck serve --relay on`.";
    RelayFull, "relay-full", Later, exit 6, "The hub relays no more at the moment.", "Try again later, or make the other side reachable.";

    // People and messages.
    NoSuchPerson, "no-such-person", AfterChange, exit 1, "Nobody of that name is known here.", "`who` shows who is there.";
    NotOnline, "not-online", Later, exit 1, "They are not there.", "`message NAME TEXT` is kept for them until they come.";
    Yourself, "yourself", Never, exit 1, "That is you.", "Name somebody else.";
    NotRead, "not-read", Later, exit 1, "They are there, but their program's output is not read.", "Ask again later; `message NAME TEXT` is kept for them by the hub.";
    MessageTooLong, "message-too-long", AfterChange, exit 1, "The message is longer than 16 KiB.", "Split it, or offer it as a file.";
    MailboxFull, "mailbox-full", Later, exit 1, "No more messages are kept for that person.", "Try again when they have been here.";
    AlreadyBlocked, "already-blocked", Never, exit 1, "You block them already.", "`blocks` shows whom you block.";
    NotBlocked, "not-blocked", Never, exit 1, "You do not block them.", "`blocks` shows whom you block.";
    TooMany, "too-many", AfterChange, exit 1, "That is more than is allowed.", "Ask for less at a time, or give up something of it first.";
    BadTime, "bad-time", AfterChange, exit 1, "The time cannot be understood.", "Write 2026-01-02T03:04:05Z, 02/01/2026 03:04:05 (UTC), or 10m for ten minutes ago (s, m, h, d).";
    AlreadyOpen, "already-open", Never, exit 1, "There is a direct connection already.", "`private NAME TEXT` uses it.";
    NotOpen, "not-open", AfterChange, exit 1, "There is no direct connection.", "`private-open NAME` opens one.";
    RoomExists, "room-exists", AfterChange, exit 1, "There is such a room already.", "`rooms` shows the rooms that you can join.";
    NoSuchRoom, "no-such-room", AfterChange, exit 1, "There is no such room.", "`rooms` shows the rooms that you can join.";
    NotAMember, "not-a-member", AfterChange, exit 1, "You are not in that room.", "`room-join ROOM` joins an open room; a member can bring you into another.";
    AlreadyAMember, "already-a-member", Never, exit 1, "They are in that room already.", "`members ROOM` shows who is.";
    RoomClosed, "room-closed", AfterChange, exit 1, "That room is not open to everybody.", "Ask a member for `room-invite`.";
    NotFocused, "not-focused", Never, exit 1, "You hear everything already.", "`focus ROOM` hears only one room.";

    // Offers.
    NoDir, "no-dir", AfterChange, exit 1, "No folder has been chosen.", "Choose the folder to offer from: with --dir DIR when potluck is started, or in a session with `setdir DIR`.";
    NoSuchDir, "no-such-dir", AfterChange, exit 1, "There is no such folder.", "Check the path; nothing was changed.";
    NotADir, "not-a-dir", AfterChange, exit 1, "That is not a folder.", "Name a folder; nothing was changed.";
    NoSuchFile, "no-such-file", AfterChange, exit 1, "There is no such file in the folder.", "Names are relative to the folder of --dir or `setdir`; without one, `push` looks where potluck was started.";
    NotAFile, "not-a-file", AfterChange, exit 1, "That is not a regular file.", "Links, devices and pipes cannot be offered, and only a single file can be pushed.";
    NotReadable, "not-readable", AfterChange, exit 1, "The file cannot be read.", "Check its permissions.";
    NotOffered, "not-offered", AfterChange, exit 1, "The file is not offered, or not by that owner.", "`list` shows what is offered.";
    Ambiguous, "ambiguous", AfterChange, exit 1, "Several people offer different files of that name.", "Name the owner too.";
    OwnFile, "own-file", Never, exit 1, "You offer that file yourself.", "Name another owner.";

    EmptyDir, "empty-dir", AfterChange, exit 1, "There is nothing in that folder to offer.", "Put files into it, or offer it with --watch; hidden files need --hidden.";
    NoSuchChunk, "no-such-chunk", AfterChange, exit 1, "The file has no such chunk.", "`chunks FILE` shows how many there are, counted from 0.";
    KeepsNothing, "keeps-nothing", Never, exit 1, "The hub keeps no copies.", "It is offered all the same; the hub needs --keep-files SIZE.";
    NoRoom, "no-room", Later, exit 1, "The hub has no room for a copy.", "It is offered all the same; withdraw what the hub keeps for you, or ask for more room.";

    // Pushes.
    NoSuchPush, "no-such-push", Never, exit 1, "There is no such push, or not any more.", "`transfers` shows what waits for you, each with its number.";
    NotTaken, "not-taken", Later, exit 6, "Nobody has taken the file.", "Push it again when they are there; it waits for them for as long as you stay.";
    PushDeclined, "push-declined", Never, exit 6, "They do not want the file.", "Ask them why.";

    // Transfers.
    Exists, "exists", AfterChange, exit 6, "A file of that name exists.", "Use --to, or --on-conflict rename or overwrite; the old file is untouched.";
    NotWritable, "not-writable", AfterChange, exit 6, "The target cannot be written.", "Check the permissions of the download folder.";
    DiskFull, "disk-full", AfterChange, exit 6, "There is no room on the disk.", "Make room and `get` again: it goes on from what is there.";
    DiskFailed, "disk-failed", Later, exit 6, "The disk reported an error.", "Look at the disk; `get` again goes on from what is there.";
    SourceChanged, "source-changed", Later, exit 6, "The source changed the file while it was being sent.", "`get` again once it is offered anew.";
    SourceTooSlow, "source-too-slow", Later, exit 6, "The source has sent next to nothing for a minute.", "`get` again goes on from what is there; `chunks FILE` shows who else has it.";
    SourceGone, "source-gone", Later, exit 6, "The source does not have the file any more.", "`search NAME` shows who has it.";
    BadChunk, "bad-chunk", Never, exit 6, "The source sent other bytes than it promised.", "Nothing wrong was kept; get it from somebody else.";
    PeerUnreachable, "peer-unreachable", Later, exit 6, "The other client cannot be reached.", "It may have left, or nothing lets it through; with its --port open it can be dialled.";
    PeerRefused, "peer-refused", Later, exit 6, "The other client does not serve you.", "Both must be registered at the same hub.";
    PeerKeyChanged, "peer-key-changed", AfterChange, exit 6, "The other client's key is not the one that is known for it.", "Ask its owner; `potluck forget NAME@HUB` accepts the new key.";
    VerifiedKeyChanged, "verified-key-changed", AfterChange, exit 6, "Somebody whom you have verified shows another key.", "Trust nothing under this name until you have asked them in another way; `verify NAME` shows the number of the new key.";
    NumberDiffers, "number-differs", Never, exit 1, "The safety number is not the same at both ends.", "Somebody may be in between, or one of you reads an old number: let both ask `verify` again.";
    PeerBroke, "peer-broke", Later, exit 6, "The other client broke off or broke the protocol.", "`get` again goes on from what is there.";
    Interrupted, "interrupted", Later, exit 6, "It was broken off.", "Ask again.";
    NoSuchTransfer, "no-such-transfer", Never, exit 1, "There is no such transfer under way.", "`transfers` lists them.";

    // The user's own machine.
    PortInUse, "port-in-use", AfterChange, exit 9, "The port is in use.", "Choose another with --port; --port 0 takes a free one.";
    BadConfig, "bad-config", AfterChange, exit 2, "The settings cannot be used.", "`potluck --help` and `potluck COMMAND --help` say what can be set.";
    StoreLocked, "store-locked", Later, exit 9, "Another hub uses the same data.", "Stop it, or choose another --data.";
    StoreCorrupt, "store-corrupt", Never, exit 9, "The hub's data is damaged.", "Restore it from a copy, or start with another --data; nothing was changed.";
    StoreFull, "store-full", Later, exit 1, "The hub's disk is full: nothing new can be kept.", "Ask again later: it goes on by itself once there is room on the hub's disk.";
    StoreBusy, "store-busy", Later, exit 1, "Another program holds the hub's data: nothing new can be kept.", "Ask again later: it goes on by itself once that program lets go.";
    StoreUnavailable, "store-unavailable", Later, exit 1, "The hub's disk cannot be written: nothing new can be kept.", "Ask again later: it goes on by itself once the hub's disk can be written; its log says more.";
    StoreFailed, "store-failed", Later, exit 9, "The hub's data cannot be written.", "Check the disk and its permissions.";
    OutputLost, "output-lost", AfterChange, exit 8, "Standard output cannot be written.", "Make room, or let it go somewhere else; `history` has what was said.";
    Internal, "internal", Later, exit 1, "Something went wrong inside potluck.", "Please report it with what you did.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure, as users are told of it: its code, and what is particular to this case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub code: ErrorCode,
    /// What went wrong; the code's sentence if nothing more is known.
    pub message: Cow<'static, str>,
    /// What to do about it, if the code's advice does not fit this case.
    pub hint: Option<Cow<'static, str>>,
    /// The place in the request where the mistake is.
    pub at: Option<At>,
    /// The time in milliseconds after which a retry may succeed, if it is known.
    pub wait: Option<u64>,
}

impl Failure {
    /// A failure with its own message instead of the code's sentence.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), hint: None, at: None, wait: None }
    }

    /// The failure `exists`: another file already has the name `target`, which is relative to the download folder.
    pub fn exists(target: &str) -> Self {
        Self::new(ErrorCode::Exists, format!("{target} exists and is another file."))
    }

    /// The failure `internal`: something failed that the user did not cause. `said` is what the system reported.
    pub fn internal(said: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Internal, format!("Something went wrong inside potluck: {}.", plain(&said.to_string())))
    }

    /// Sets the hint, which replaces the code's advice.
    pub fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Sets the time, in milliseconds, after which a retry may succeed.
    pub fn wait(self, millis: u64) -> Self {
        Self { wait: Some(millis), ..self }
    }

    /// Sets the place in the request.
    pub fn at(self, at: At) -> Self {
        Self { at: Some(at), ..self }
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.sentence())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let names: std::collections::BTreeSet<_> = ErrorCode::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(code.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{code}");
            assert!(code.sentence().ends_with('.') && code.advice().ends_with('.'), "{code}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
