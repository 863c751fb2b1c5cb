//! Macros that declare the kinds of messages: each kind is one row of a list, from which its code is generated.
//!
//! A *word* is one kind of message, such as the request `publish`. Its *body* is a serde struct; in JSON, the fields of
//! the body stand beside the word's name in one object. A *vocabulary* is an enum with a variant for each word.
//!
//! - `vocabulary!` takes rows of the form `Word(Body) = "name", example;`. It generates the enum, the names, the
//!   reader, and [`Word`]s, from which schemas and tests are made. The doc comment of a row is the word's meaning.
//! - `event_table!` declares the events. Its rows also say how an event is delivered.
//! - `request_table!` declares the requests. Its rows also say who answers a request, when it may start, and which
//!   events and errors can answer it.
//!
//! To add a request or an event, declare its body (`requests!` or `bodies!`), and add a row to the table in
//! `protocol/request` or `protocol/event`; the compiler then names each `match` that lacks it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A word of a vocabulary, as schemas, documentation and tests use it.
#[derive(Clone, Copy)]
pub struct Word {
    /// The name in JSON.
    pub name: &'static str,
    /// The meaning in one sentence.
    pub about: &'static str,
    /// An example of the body: a JSON object without the name.
    pub example: &'static str,
    /// The JSON Schema of the body.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Checks that a JSON text is a valid body of this word.
    pub reads: fn(&str) -> Result<(), serde_json::Error>,
}

/// An operation that works on the body of any word, usually writing it as JSON.
pub trait Visitor {
    /// The result of the operation.
    type Output;

    /// Called once, with the word's name and its body.
    fn visit<B: Serialize>(self, name: &'static str, body: &B) -> Self::Output;
}

pub(super) fn schema_of<B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    B::json_schema(generator)
}

pub(super) fn reads<B: DeserializeOwned>(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<B>(text).map(drop)
}

macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        pub enum $Vocabulary:ident {
            $(
                #[doc = $about:literal] $(#[$word_meta:meta])*
                $Word:ident($Body:ty) = $name:literal, $example:literal;
            )*
        }
    ) => {
        $(#[$meta])*
        pub enum $Vocabulary {
            $( #[doc = $about] $(#[$word_meta])* $Word($Body), )*
        }

        impl $Vocabulary {
            /// All words of this vocabulary.
            pub const WORDS: &'static [$crate::protocol::vocabulary::Word] = &[
                $( $crate::protocol::vocabulary::Word {
                    name: $name,
                    about: $about,
                    example: $example,
                    schema: $crate::protocol::vocabulary::schema_of::<$Body>,
                    reads: $crate::protocol::vocabulary::reads::<$Body>,
                } ),*
            ];

            /// The word's name in JSON.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$Word(_) => $name ),* }
            }

            /// Reads the body of the word `name`; `None` if there is no such word.
            pub fn read<'de, D: serde::Deserializer<'de>>(name: &str, body: D) -> Option<Result<Self, D::Error>> {
                match name {
                    $( $name => Some(<$Body as serde::Deserialize>::deserialize(body).map(Self::$Word)), )*
                    _ => None,
                }
            }

            /// Calls the visitor with the name and the body.
            pub fn visit<V: $crate::protocol::vocabulary::Visitor>(&self, visitor: V) -> V::Output {
                match self { $( Self::$Word(body) => visitor.visit($name, body) ),* }
            }
        }

        $( $crate::protocol::vocabulary::into_vocabulary!($Vocabulary, $Word, $Body); )*
    };
}

/// Declares the events: a vocabulary whose rows also say how each event is delivered.
///
/// A row is `Word(Body) = "name", told: CLASS, example;`. The class is a variant of `Told`. Two parts are optional:
/// - `told: State of FIELD`: events with different numbers in this field describe different things, such as transfers;
///   only events with the same number replace each other.
/// - `weighs: |body| BYTES,` before the example: the memory of the body beside its struct. Needed if it has lists.
macro_rules! event_table {
    (
        $(#[$meta:meta])*
        pub enum $Vocabulary:ident {
            $(
                #[doc = $about:literal]
                $Word:ident($Body:ty) = $name:literal, told: $told:ident $(of $field:ident)?,
                $(weighs: $weigh:expr,)? $example:literal;
            )*
        }
    ) => {
        $crate::protocol::vocabulary::vocabulary! {
            $(#[$meta])*
            pub enum $Vocabulary { $( #[doc = $about] $Word($Body) = $name, $example; )* }
        }

        /// The kind of an event: its word, without a body.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $( #[doc = $about] $Word, )* }

        impl Kind {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Kind] = &[$( Kind::$Word ),*];

            /// The event's name in JSON.
            pub fn name(self) -> &'static str {
                match self { $( Self::$Word => $name ),* }
            }

            /// How events of this kind are delivered.
            pub fn told(self) -> Told {
                match self { $( Self::$Word => Told::$told ),* }
            }
        }

        $(
            impl TryFrom<$Vocabulary> for $Body {
                /// The event itself, given back because it is of another kind.
                type Error = $Vocabulary;

                fn try_from(event: $Vocabulary) -> Result<Self, $Vocabulary> {
                    if let $Vocabulary::$Word(body) = event { Ok(body) } else { Err(event) }
                }
            }
        )*

        impl $Vocabulary {
            /// The kind of this event.
            pub fn kind(&self) -> Kind {
                match self { $( Self::$Word(_) => Kind::$Word ),* }
            }

            /// The number of what a state describes, such as a transfer, from the field that its row names; otherwise
            /// 0.
            pub fn state_of(&self) -> u64 {
                match self { $( Self::$Word(_body) => { 0 $( + _body.$field )? } ),* }
            }

            /// The approximate memory in bytes that the event takes beside its struct.
            pub fn weight(&self) -> usize {
                match self { $( Self::$Word(_body) => {
                    0 $( + { let weigh: fn(&$Body) -> usize = $weigh; weigh(_body) } )?
                } ),* }
            }
        }
    };
}

/// Declares the requests: a vocabulary whose rows also give the [`Rules`](crate::protocol::request::Rules) of each.
///
/// A row is `Word(Body) = "name", at: .., starts: .., turn: .., bulk: .., answers: [EVENT, ..], errors: .., example;`,
/// with optional parts between `bulk` and `answers`. Each part sets the field of `Rules` that is documented there.
/// `peer: RULE of FIELD` also names the field of the body with the other client's name.
macro_rules! request_table {
    (
        $(#[$meta:meta])*
        pub enum $Vocabulary:ident {
            $(
                #[doc = $about:literal] $(#[$word_meta:meta])*
                $Word:ident($Body:ident) = $name:literal, at: $at:ident, starts: $starts:ident, turn: $turn:expr,
                bulk: $bulk:ident, $(peer: $direct:ident $(of $peer:ident)?,)? $(changes: $offers:ident,)?
                $(keeps: $outcome:ident,)? $(without_hub: $without_hub:ident,)? $(useless_alone: ($useless:literal, $instead:literal),)?
                $(hub: [$($hub:ident),*],)? answers: [$($answer:ident),*], errors: $errors:expr,
                $example:literal;
            )*
        }
    ) => {
        $crate::protocol::vocabulary::vocabulary! {
            $(#[$meta])*
            pub enum $Vocabulary { $( #[doc = $about] $(#[$word_meta])* $Word($Body) = $name, $example; )* }
        }

        impl $Vocabulary {
            /// The rules of all requests, in the order of [`Self::WORDS`].
            pub const RULES: &'static [&'static Rules] = &[ $( &rules::$Word ),* ];

            /// The rules of this request.
            pub fn rules(&self) -> &'static Rules {
                match self { $( Self::$Word(_) => &rules::$Word ),* }
            }

            /// The name of the client to which this request needs a direct connection, if it needs one.
            pub fn peer(&self) -> Option<&str> {
                match self { $( Self::$Word(_body) => {
                    let peer: Option<&str> = None;
                    $( $( let peer = peer.or(Some(&_body.$peer)); )? )?
                    peer
                } ),* }
            }
        }

        $(
            impl Ask for $Body {
                type Answer = $crate::protocol::vocabulary::answer_type!($($answer),*);
            }
        )*

        #[allow(non_upper_case_globals, reason = "each is called as its request")]
        mod rules {
            use super::*;
            $(
                pub(super) const $Word: Rules = Rules {
                    at: At::$at,
                    starts: Starts::$starts,
                    turn: $turn,
                    bulk: Bulk::$bulk,
                    direct: $crate::protocol::vocabulary::or!(Direct::No $(, Direct::$direct)?),
                    changes_offers: $crate::protocol::vocabulary::or!(false $(, stringify!($offers).len() > 0)?),
                    keeps_outcome: $crate::protocol::vocabulary::or!(false $(, stringify!($outcome).len() > 0)?),
                    without_hub: $crate::protocol::vocabulary::or!(WithoutHub::Refusals $(, WithoutHub::$without_hub)?),
                    one_shot: $crate::protocol::vocabulary::or!(OneShot::Useful $(, OneShot::Useless($useless, $instead))?),
                    hub_answers: $crate::protocol::vocabulary::or!(&[] $(, &[$(Kind::$hub),*])?),
                    answers: &[$( Kind::$answer ),*],
                    errors: $errors,
                };
            )*
        }

        $crate::protocol::vocabulary::split_by_who_answers! {
            $Vocabulary hub [] client [] both [] rows [ $( $at [#[doc = $about] $Word $Body] )* ]
        }
    };
}

/// The value that a row gives, or the default.
macro_rules! or {
    ($usual:expr) => {
        $usual
    };
    ($usual:expr, $said:expr) => {
        $said
    };
}

/// The type of a request's answer: its event, or any event if several can answer it.
macro_rules! answer_type {
    ($answer:ident) => {
        event::$answer
    };
    ($($answer:ident),*) => {
        Event
    };
}

/// Generates `HubRequest` and `ClientRequest`, so that the `match` of the hub and that of the client each cover exactly
/// the requests that they answer. A request that both answer (`at: Both`) is in both enums.
macro_rules! split_by_who_answers {
    ($V:ident hub [$($h:tt)*] client [$($c:tt)*] both [$($b:tt)*] rows [Hub $row:tt $($rest:tt)*]) => {
        $crate::protocol::vocabulary::split_by_who_answers! {
            $V hub [$($h)* $row] client [$($c)*] both [$($b)*] rows [$($rest)*]
        }
    };
    ($V:ident hub [$($h:tt)*] client [$($c:tt)*] both [$($b:tt)*] rows [Client $row:tt $($rest:tt)*]) => {
        $crate::protocol::vocabulary::split_by_who_answers! {
            $V hub [$($h)*] client [$($c)* $row] both [$($b)*] rows [$($rest)*]
        }
    };
    ($V:ident hub [$($h:tt)*] client [$($c:tt)*] both [$($b:tt)*] rows [Both $row:tt $($rest:tt)*]) => {
        $crate::protocol::vocabulary::split_by_who_answers! {
            $V hub [$($h)*] client [$($c)*] both [$($b)* $row] rows [$($rest)*]
        }
    };
    (
        $V:ident
        hub [$([#[doc = $h_about:literal] $h:ident $H:ident])*]
        client [$([#[doc = $c_about:literal] $c:ident $C:ident])*]
        both [$([#[doc = $b_about:literal] $b:ident $B:ident])*]
        rows []
    ) => {
        /// The requests that the hub answers.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum HubRequest { $( #[doc = $h_about] $h($H), )* $( #[doc = $b_about] $b($B), )* }

        /// The requests that the client answers, without the hub or together with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ClientRequest<'a> { $( #[doc = $c_about] $c(&'a $C), )* $( #[doc = $b_about] $b(&'a $B), )* }

        impl $V {
            /// The request for the hub's dispatch; `None` if the hub does not answer it.
            pub fn for_hub(self) -> Option<HubRequest> {
                match self {
                    $( Self::$h(body) => Some(HubRequest::$h(body)), )*
                    $( Self::$b(body) => Some(HubRequest::$b(body)), )*
                    $( Self::$c(_) )|* => None,
                }
            }

            /// The request for the client's dispatch; `None` if the client only forwards it.
            pub fn for_client(&self) -> Option<ClientRequest<'_>> {
                match self {
                    $( Self::$c(body) => Some(ClientRequest::$c(body)), )*
                    $( Self::$b(body) => Some(ClientRequest::$b(body)), )*
                    $( Self::$h(_) )|* => None,
                }
            }
        }
    };
}

/// Implements `From`, so that a handler can write `request::List { .. }.into()`.
macro_rules! into_vocabulary {
    ($Vocabulary:ident, $Word:ident, $Body:ty) => {
        impl From<$Body> for $Vocabulary {
            fn from(body: $Body) -> Self {
                Self::$Word(body)
            }
        }
    };
}

/// Declares the bodies of requests, which users write as JSON or as commands: unknown fields are errors, and the doc
/// comments are the help of the commands.
macro_rules! requests {
    ($( $(#[$meta:meta])* $Name:ident { $( $(#[$field_meta:meta])* $field:ident: $Type:ty, )* } )*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $Name { $( $(#[$field_meta])* pub $field: $Type, )* }
        )*
    };
}

/// Declares bodies that only potluck writes, such as those of events. All fields are public, and readers ignore unknown
/// ones.
macro_rules! bodies {
    ($( $(#[$meta:meta])* $Name:ident { $( $(#[$field_meta:meta])* $field:ident: $Type:ty, )* } )*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $Name { $( $(#[$field_meta])* pub $field: $Type, )* }
        )*
    };
}

pub(crate) use {
    answer_type, bodies, event_table, into_vocabulary, or, request_table, requests, split_by_who_answers, vocabulary,
};
