//! A bot: it greets whoever comes, and says what is offered to who asks.
//!
//! ```text
//! cargo run --example greeter -- HUB NAME
//! ```

use potluck::protocol::{Event, request};
use potluck::{Client, Failure};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hub, name] = arguments.as_slice() else {
        eprintln!("usage: greeter HUB NAME");
        std::process::exit(2);
    };
    let client = Client::connect(hub.as_str()).name(name).await?;
    let mut events = client.events();
    let mut newest = u64::MAX;
    while let Some(line) = events.next().await {
        let (to, text) = match line.event {
            Event::Welcome(welcome) => {
                newest = welcome.number;
                continue;
            }
            // Who came after us has a higher number.
            Event::RosterUpdated(update) => {
                for newcomer in update.clients {
                    if newcomer.number <= newest {
                        continue;
                    }
                    newest = newcomer.number;
                    let text = "Welcome! Write `files` to me to see what is offered.".to_owned();
                    client.request(request::Message { to: newcomer.name, text }).await?;
                }
                continue;
            }
            Event::Message(message) if message.text == "files" => {
                let table = client.request(request::List::default()).await?;
                let files: Vec<_> = table.offers.iter().map(|offer| offer.file.as_str()).collect();
                (message.from, if files.is_empty() { "Nothing yet.".to_owned() } else { files.join(", ") })
            }
            _ => continue,
        };
        client.request(request::Message { to, text }).await?;
    }
    Ok(())
}
