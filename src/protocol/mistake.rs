//! A reader of JSON values whose errors name the wrong field and say in plain words what it should hold.

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use super::spelling::mistakes;

/// The field that is wrong, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Says in one sentence what is wrong.
    pub what: String,
    /// Suggests a value that was probably meant, if one is close.
    pub hint: Option<String>,
    /// The steps from the root to the wrong value, innermost first.
    path: Vec<String>,
}

impl Mistake {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, path: Vec::new() }
    }

    fn within(mut self, step: impl Display) -> Self {
        self.path.push(step.to_string());
        self
    }

    /// The place of the wrong value, as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        self.path.iter().rev().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Mistake {}

/// What a type expects, in plain words instead of Rust's names.
fn wanted(expected: &dyn Expected) -> String {
    let name = expected.to_string();
    match name.as_str() {
        "a string" | "a borrowed string" | "string" => "a text".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        name if name.starts_with("struct ") || name == "a map" => "an object".to_owned(),
        name => name.to_owned(),
    }
}

/// What was found instead, in plain words.
#[allow(clippy::wildcard_enum_match_arm, reason = "the rest is no JSON")]
fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(_) | Unexpected::Char(_) => "a text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        _ => "something else".to_owned(),
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl de::Error for Mistake {
    fn custom<T: Display>(said: T) -> Self {
        Self::new(said.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("It is {}, and must be {}.", found(&unexpected), wanted(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("It has {length} values, and must be {}.", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let choice = listed(expected).replace(" and ", " or ");
        Self::new(format!("It is `{}`, and must be {choice}.", shown(variant)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let name = field.to_lowercase();
        let near = expected.iter().filter_map(|known| Some((mistakes(known, &name, 2)?, *known))).min();
        let hint = match (near, expected) {
            (_, []) => "It takes no fields.".to_owned(),
            (Some((mistakes, meant)), _) if mistakes < meant.len() => {
                format!("Did you mean `{meant}`?")
            }
            _ => format!("It takes {}.", listed(expected)),
        };
        Self { hint: Some(hint), ..Self::new(format!("There is no field `{}` in it.", shown(field))) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("The field `{field}` is missing.")).within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("The field `{field}` stands twice."))
    }
}

/// Deserializes from a JSON value that has been parsed already.
pub struct Reader(pub Value);

impl<'de> Deserializer<'de> for Reader {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items { next: 0, items: items.into_iter() }),
            Value::Object(map) => visitor.visit_map(Fields { fields: map.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if let Value::String(text) = self.0 {
            return visitor.visit_enum(Word(text));
        }
        let choice = listed(variants).replace(" and ", " or ");
        Err(Mistake::new(format!("It is {}, and must be {choice}.", found(&kind(&self.0)))))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn kind(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Unexpected::Unsigned(number),
            (None, Some(number)) => Unexpected::Signed(number),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

struct Items {
    next: usize,
    items: std::vec::IntoIter<Value>,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|mistake| mistake.within(self.next - 1))
    }
}

struct Fields {
    fields: <Map<String, Value> as IntoIterator>::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.fields.next() else { return Ok(None) };
        let name: StrDeserializer<'_, Mistake> = key.as_str().into_deserializer();
        let read = seed.deserialize(name).map_err(|mistake| mistake.within(&key))?;
        self.value = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mistake> {
        let (key, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Reader(value)).map_err(|mistake| mistake.within(key))
    }
}

/// Reads the name of an enum's variant.
struct Word(String);

impl<'de> EnumAccess<'de> for Word {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.0.as_str().into_deserializer();
        seed.deserialize(name).map(|read| (read, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Mistake> {
        Err(Mistake::new(format!("`{}` alone is not enough.", shown(&self.0))))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mistake> {
        Err(Mistake::new(format!("`{}` alone is not enough.", shown(&self.0))))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Mistake> {
        Err(Mistake::new(format!("`{}` alone is not enough.", shown(&self.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, to_json};
    use super::*;

    fn mistake(name: &str, body: &str) -> (String, String, String) {
        let mistake = Request::read(name, Reader(serde_json::from_str(body).unwrap())).unwrap().unwrap_err();
        (mistake.pointer(), mistake.what.clone(), mistake.hint.unwrap_or_default())
    }

    #[test]
    fn every_example_is_read() {
        for word in Request::WORDS {
            let read = Request::read(word.name, Reader(serde_json::from_str(word.example).unwrap())).unwrap().unwrap();
            assert!(to_json(&super::super::RequestLine { id: None, request: read }).len() > 10, "{}", word.name);
        }
    }

    #[test]
    fn mistakes_are_told_in_words() {
        for (name, body, pointer, what) in [
            ("offer", r#"{"files":{}}"#, "/files", "It is an object, and must be a list."),
            ("offer", r#"{"files":["a",{}]}"#, "/files/1", "It is an object, and must be a text."),
            (
                "cancel",
                r#"{"transfer":-1}"#,
                "/transfer",
                "It is the number -1, and must be a whole number of at least 0.",
            ),
            (
                "cancel",
                r#"{"transfer":1.5}"#,
                "/transfer",
                "It is the number 1.5, and must be a whole number of at least 0.",
            ),
            ("cancel", r#"{"transfer":"3"}"#, "/transfer", "It is a text, and must be a whole number of at least 0."),
            ("quit", r#"{"now":"yes"}"#, "/now", "It is a text, and must be `true` or `false`."),
            ("get", r#"{}"#, "/file", "The field `file` is missing."),
            (
                "get",
                r#"{"file":"a","on_conflict":"ask"}"#,
                "/on_conflict",
                "It is `ask`, and must be `fail`, `rename` or `overwrite`.",
            ),
            (
                "get",
                r#"{"file":"a","on_conflict":7}"#,
                "/on_conflict",
                "It is the number 7, and must be `fail`, `rename` or `overwrite`.",
            ),
            ("login", r#"{"name":"erin","password":7}"#, "/password", "It is the number 7, and must be a text."),
        ] {
            let (at, told, _) = mistake(name, body);
            assert_eq!((at.as_str(), told.as_str()), (pointer, what), "{name} {body}");
        }
        assert!(mistake("offer", r#"{"files":["a"],"chunks":4294967296}"#).1.contains("from 0 to 4294967295"));
    }

    #[test]
    fn fields_that_are_not_there_have_neighbours() {
        let (at, told, hint) = mistake("get", r#"{"file":"a","fro":"erin"}"#);
        assert_eq!(
            (at.as_str(), told.as_str(), hint.as_str()),
            ("/fro", "There is no field `fro` in it.", "Did you mean `from`?")
        );
        assert_eq!(mistake("list", r#"{"Owner":"a"}"#).2, "Did you mean `owner`?");
        assert_eq!(mistake("list", r#"{"colour":"a"}"#).2, "It takes `owner`, `match`, `after` and `limit`.");
        assert_eq!(
            mistake("wait", r#"{"a/~b":1}"#),
            ("/a~1~0b".into(), "There is no field `a/~b` in it.".into(), "It takes no fields.".into())
        );
    }
}
