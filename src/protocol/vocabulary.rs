//! How a vocabulary is declared: one list of words, from which everything else follows.
//!
//! `vocabulary!` takes a list of `Word(Body) = "name", example;` and makes the enum, the names, the
//! reader and the table that schemas and tests are generated from. A body is an ordinary serde
//! struct; its name stands beside its fields in the same JSON object. Where the enum names a type after a colon, each
//! row says in brackets what that type's `new` takes, and none can be forgotten.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One word of a vocabulary, as schemas, documentation and tests see it.
#[derive(Clone, Copy)]
pub struct Word {
    /// The name as it stands in JSON.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub about: &'static str,
    /// A body as it could be seen, as a JSON object without the name.
    pub example: &'static str,
    /// The JSON Schema of the body.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Whether a JSON text is a body of this word.
    pub reads: fn(&str) -> Result<(), serde_json::Error>,
}

/// Something that can be done with the body of any word: mostly writing it.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Called with the word's name and its body.
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
        pub enum $Vocabulary:ident $(: $Conduct:ident)? {
            $(
                #[doc = $about:literal] $(#[$word_meta:meta])*
                $Word:ident($Body:ty) = $name:literal, $( [$($conduct:expr),+], )? $example:literal;
            )*
        }
    ) => {
        $(#[$meta])*
        pub enum $Vocabulary {
            $( #[doc = $about] $(#[$word_meta])* $Word($Body), )*
        }

        impl $Vocabulary {
            /// Every word of this vocabulary.
            pub const WORDS: &'static [$crate::protocol::vocabulary::Word] = &[
                $( $crate::protocol::vocabulary::Word {
                    name: $name,
                    about: $about,
                    example: $example,
                    schema: $crate::protocol::vocabulary::schema_of::<$Body>,
                    reads: $crate::protocol::vocabulary::reads::<$Body>,
                } ),*
            ];

            /// The word's name as it stands in JSON.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$Word(_) => $name ),* }
            }

            /// Reads the body of the word called `name`; `None` if there is no such word.
            pub fn read<'de, D: serde::Deserializer<'de>>(name: &str, body: D) -> Option<Result<Self, D::Error>> {
                match name {
                    $( $name => Some(<$Body as serde::Deserialize>::deserialize(body).map(Self::$Word)), )*
                    _ => None,
                }
            }

            /// Hands the name and the body to a visitor.
            pub fn visit<V: $crate::protocol::vocabulary::Visitor>(&self, visitor: V) -> V::Output {
                match self { $( Self::$Word(body) => visitor.visit($name, body) ),* }
            }
        }

        $( $crate::protocol::vocabulary::into_vocabulary!($Vocabulary, $Word, $Body); )*
        $crate::protocol::vocabulary::conduct!($Vocabulary $(: $Conduct)? { $( $Word $( [$($conduct),+] )? )* });
    };
}

/// What a row says of its word beside the name and the body.
macro_rules! conduct {
    ($Vocabulary:ident { $( $Word:ident )* }) => {};
    ($Vocabulary:ident: $Conduct:ident { $( $Word:ident [$($conduct:expr),+] )* }) => {
        impl $Vocabulary {
            /// The conduct of every word, in the order of [`Self::WORDS`].
            pub const CONDUCT: &'static [$Conduct] = &[ $( $Conduct::new($($conduct),+) ),* ];

            /// What holds for this word.
            pub fn conduct(&self) -> $Conduct {
                match self { $( Self::$Word(_) => const { $Conduct::new($($conduct),+) } ),* }
            }
        }
    };
}

/// Lets a handler say `request::List { .. }.into()`.
macro_rules! into_vocabulary {
    ($Vocabulary:ident, $Word:ident, $Body:ty) => {
        impl From<$Body> for $Vocabulary {
            fn from(body: $Body) -> Self {
                Self::$Word(body)
            }
        }
    };
}

/// Bodies that users write: strict on input, and commands with their help.
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

/// Bodies that are only written by us: plain structs, all of whose fields are public.
macro_rules! bodies {
    ($( $(#[$meta:meta])* $Name:ident { $( $(#[$field_meta:meta])* $field:ident: $Type:ty, )* } )*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $Name { $( $(#[$field_meta])* pub $field: $Type, )* }
        )*
    };
}

pub(crate) use {bodies, conduct, into_vocabulary, requests, vocabulary};
