//! The map from each request to the events and errors that can answer it, for authors of programs.

use serde_json::{Value, json};

use crate::protocol::request::{ANY_REQUEST, At};
use crate::protocol::{ErrorCode, Request};

/// The map as JSON: an object for each request, with its final events and its error codes.
pub fn answers() -> Value {
    let rows = Request::WORDS.iter().zip(Request::RULES);
    let requests = rows.map(|(word, rules)| {
        let answers: Vec<&str> = rules.answers.iter().map(|kind| kind.name()).collect();
        let errors: Vec<&str> = rules.errors.iter().map(|code| code.name()).collect();
        let answered_by = match rules.at {
            At::Hub => "hub",
            At::Client => "client",
            At::Both => "both",
        };
        let row = json!({
            "answered_by": answered_by,
            "may_come_later": rules.turn.waits_for(),
            "answers": answers,
            "errors": errors,
        });
        (word.name.to_owned(), row)
    });
    let requests: serde_json::Map<String, Value> = requests.collect();
    let any: Vec<&str> = ANY_REQUEST.iter().copied().map(ErrorCode::name).collect();
    json!({
        "description": "The final events of each request: one of its `answers`, or an `error` with one of its `errors` or of \
            `any_request`. `may_come_later` says what the answer may wait for while later requests are answered.",
        "requests": requests,
        "any_request": { "answers": ["error"], "errors": any },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::{Kind, Told};

    #[test]
    fn every_request_has_an_answer_that_a_program_is_told() {
        for (word, rules) in Request::WORDS.iter().zip(Request::RULES) {
            assert!(!rules.answers.is_empty(), "{}", word.name);
            for kind in rules.answers {
                assert!(kind.told() == Told::Fact || *kind == Kind::Bye, "{}: {}", word.name, kind.name());
            }
            assert!(rules.hub_answers.is_empty() || rules.at != At::Hub || !rules.passes_back(rules.answers[0]));
            for code in rules.errors {
                assert!(!ANY_REQUEST.contains(code), "{}: {} is said of any request", word.name, code.name());
            }
        }
    }
}
