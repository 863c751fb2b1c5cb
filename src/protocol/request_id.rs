//! Reads the `id` of a request whose other fields cannot be read, so that the error can carry it.

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny};
use serde_json::Value;

use super::Id;
use super::limits::MAX_ID;

/// The `id` of a malformed request, if it stands before the malformed part.
pub(super) fn readable_id(text: &str) -> Option<Id> {
    struct Head<'a>(&'a mut Option<Id>);
    impl<'de> serde::de::Visitor<'de> for Head<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a request")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if key == "id" && self.0.is_none() {
                    *self.0 = Id::deserialize(map.next_value::<Value>()?).ok().filter(is_short);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut id = None;
    // The error has been found already; only the id is wanted here.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(Head(&mut id));
    id
}

/// Whether an id is short enough to be repeated on every event of its request.
pub(super) fn is_short(id: &Id) -> bool {
    match id {
        Id::Text(text) => text.len() <= MAX_ID,
        Id::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{parse, pointer_at};
    use super::*;

    #[test]
    fn a_mark_is_read_whatever_is_wrong_behind_it() {
        let id = |line: &[u8]| parse(line).unwrap_err().id;
        let seven = Some(Id::Number(7));
        for line in [
            &br#"{"id":7,"request":"get","file":}"#[..],
            br#"{"id":7,"request":"get""#,
            br#"{"request":"list","owner":["#,
            br#"{"id":7 "request":"list"}"#,
            br#"{"request":"list","id":7,"id":8}"#,
            br#"{"request":"list","owner":"a","owner":"b","id":7}"#,
            b"{\"id\":7,\"request\":\"get\",\"file\":\"\xff\"}",
            br#"{"id":7} {"id":8}"#,
            br#"{"id":7}"#,
            br#"{"id":7,"request":[]}"#,
        ] {
            let expected = if line.starts_with(br#"{"request":"list","owner":["#) { None } else { seven.clone() };
            assert_eq!(id(line), expected, "{}", String::from_utf8_lossy(line));
        }
        // An `id` that is malformed itself is not reported.
        for bad in
            ["{}", "[]", "1.5", "1e3", "true", "null", "99999999999999999999", &format!("\"{}\"", "x".repeat(129))]
        {
            let line = format!(r#"{{"id":{bad},"request":"list"}}"#);
            let wrong = parse(line.as_bytes()).unwrap_err();
            assert_eq!((wrong.id, wrong.failure.at), (None, Some(pointer_at("/id"))), "{line}");
            assert_eq!(id(line.replace(r#""list"}"#, r#""list""#).as_bytes()), None);
        }
    }
}
