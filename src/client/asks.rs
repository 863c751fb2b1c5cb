//! The answer to each request, as a type.

use crate::protocol::{Event, Request, event, request};

/// A request that a [`Client`](super::Client) can make, with the type of its answer.
///
/// It is implemented for every struct of [`request`].
pub trait Ask: Into<Request> {
    /// The event with which a successful request is answered.
    type Answer: TryFrom<Event>;
}

/// Declares the answer of each request.
macro_rules! asks {
    ($( $Request:ident => $Answer:ident, )*) => {
        $( impl Ask for request::$Request { type Answer = event::$Answer; } )*
    };
}

/// Declares how an answer is taken out of its event.
macro_rules! answers {
    ($( $Answer:ident, )*) => {
        $(
            impl TryFrom<Event> for event::$Answer {
                /// The event, if it was another one.
                type Error = Event;

                fn try_from(event: Event) -> Result<Self, Event> {
                    if let Event::$Answer(answer) = event { Ok(answer) } else { Err(event) }
                }
            }
        )*
    };
}

asks! {
    Register => Welcome,
    Login => Welcome,
    Dereg => Deregistered,
    Rereg => Welcome,
    Status => Status,
    Who => Roster,
    Setdir => DirSet,
    Withdraw => Withdrawn,
    List => Table,
    Search => Found,
    Chunks => Chunks,
    Get => TransferCompleted,
    Push => TransferCompleted,
    Accept => TransferCompleted,
    Decline => Declined,
    Transfers => Transfers,
    Cancel => Cancelled,
    Message => MessageAcked,
    Broadcast => MessageAcked,
    PrivateOpen => PrivateOpened,
    Ping => Pong,
    Private => MessageAcked,
    PrivateClose => PrivateClosed,
    Block => Blocked,
    Unblock => Unblocked,
    Blocks => Blocks,
    History => History,
    RoomCreate => RoomCreated,
    Rooms => Rooms,
    RoomJoin => RoomJoined,
    RoomInvite => RoomInvited,
    RoomLeave => RoomLeft,
    Members => Members,
    Say => MessageAcked,
    Focus => Focused,
    Unfocus => Unfocused,
    Wait => Waited,
    Help => Help,
    Quit => Bye,
}

/// Answered by `offer-acked`, or, with `keep`, by the `offer-kept` that follows it.
impl Ask for request::Offer {
    type Answer = Event;
}

answers! {
    Welcome, Deregistered, Status, Roster, DirSet, Withdrawn, Table, Found, Chunks, TransferCompleted, Declined,
    Transfers, Cancelled, MessageAcked, Pong, PrivateOpened, PrivateClosed, Blocked, Unblocked, Blocks, History,
    RoomCreated, Rooms, RoomJoined, RoomInvited, RoomLeft, Members, Focused, Unfocused, Waited, Help, Bye,
}
