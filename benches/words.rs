//! How long it takes to read and to write a line: `cargo bench --bench words`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use potluck::protocol::schema::{self, Stream};
use potluck::protocol::{EventLine, RequestLine, line, to_json};
use potluck::ui::human::render;
use potluck::ui::style::Style;

/// Long enough that the clock's own cost does not count, short enough to be run often.
const SAMPLE: Duration = Duration::from_millis(50);

/// The best of this many samples is the least disturbed by whatever else the machine does.
const SAMPLES: u32 = 5;

fn main() {
    for name in ["get", "offer", "list"] {
        let text = example(Stream::Requests, name);
        let request = line::parse(text.as_bytes()).ok().flatten().expect("an example is a request");
        report(name, "read JSON", || line::parse(black_box(text.as_bytes())).is_ok());
        report(name, "write JSON", || to_json::<RequestLine>(black_box(&request)));
    }
    report("get", "read human", || line::parse(black_box(b"get notes.txt erin")).is_ok());
    for name in ["offer-acked", "table-updated", "transfer-progress", "error"] {
        let text = example(Stream::Events, name);
        let event = EventLine::parse(&text).ok().flatten().expect("an example is an event");
        report(name, "read JSON", || EventLine::parse(black_box(&text)).is_ok());
        report(name, "write JSON", || to_json(black_box(&event)));
        report(name, "write human", || render(black_box(&event), Style::Plain));
    }
}

fn example(stream: Stream, name: &str) -> String {
    let word = stream.words().iter().find(|word| word.name == name).expect("the word is in the vocabulary");
    schema::example(stream, word)
}

fn report<T>(word: &str, what: &str, mut work: impl FnMut() -> T) {
    let best = (0..SAMPLES).map(|_| sample(&mut work)).min().unwrap_or_default();
    println!("{word:<20}{what:<14}{best:>8} ns");
}

/// Nanoseconds for one time.
fn sample<T>(work: &mut impl FnMut() -> T) -> u128 {
    let (start, mut times) = (Instant::now(), 0u128);
    while start.elapsed() < SAMPLE {
        for _ in 0..100 {
            black_box(work());
        }
        times += 100;
    }
    start.elapsed().as_nanos() / times
}
