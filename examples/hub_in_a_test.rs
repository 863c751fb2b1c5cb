//! A hub inside a test: two clients, and a file that goes from one to the other.
//!
//! ```text
//! cargo test --example hub_in_a_test
//! ```

fn main() {
    println!("This is a test: cargo test --example hub_in_a_test");
}

#[cfg(test)]
mod tests {
    use potluck::protocol::request;
    use potluck::{Client, Failure, Hub};

    #[tokio::test]
    async fn a_file_goes_from_erin_to_dora() -> Result<(), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::create_dir(place("shared")).unwrap();
        std::fs::write(place("shared/notes.txt"), "soup at eight").unwrap();

        let hub = Hub::builder().start().await?;
        let erin = Client::connect(hub.link()).name("erin").data(place("erin")).offer_from(place("shared")).await?;
        let dora = Client::connect(hub.link()).name("dora").data(place("dora")).downloads(place("got")).await?;

        erin.request(request::Offer { files: vec!["notes.txt".into()], ..Default::default() }).await?;
        let got = dora.request(request::Get::new("notes.txt")).await?;
        assert_eq!(got.path.as_deref(), place("got/notes.txt").to_str());
        assert_eq!(std::fs::read_to_string(place("got/notes.txt")).unwrap(), "soup at eight");

        let refused = dora.request(request::Get::new("nothing.txt")).await.unwrap_err();
        assert_eq!(refused.code, potluck::ErrorCode::NotOffered);

        dora.leave().await?;
        erin.leave().await?;
        hub.stop().await
    }
}
