//! Sending and receiving without a hub, between the hosts of one home.

use std::process::Command;

use potluck::io::net::identity::Identity;
use potluck::io::net::nearby::{Air, Announcement};
use potluck::io::net::{ListenLimits, Listener};
use potluck::protocol::schema::Stream;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, in_lab};
use crate::support::{Ended, Face, Process, at_once, content};

/// Set for a process that is a false sender.
const FALSE_SENDER: &str = "POTLUCK_FALSE_SENDER";

/// Somebody who sends a file without a hub.
struct Sender {
    process: Process,
    code: String,
    /// Where the code is found, as the sender is told.
    place: String,
}

impl Sender {
    fn start(lab: &Lab, host: &str, name: &str, bytes: &[u8]) -> Self {
        let file = lab.scene.file(&format!("{name}/shared/{name}.bin"), bytes);
        let mut command = lab.scene.command(["send", "--json", "--no-hub", "--data"]);
        command.arg(lab.scene.path(&format!("{name}/data"))).arg(file);
        let mut process = Process::start(name, lab.inside(host, &command), Face::Json(Stream::Events));
        let ready = process.then("parcel-ready");
        let text = |field: &str| ready[field].as_str().unwrap().to_owned();
        Self { code: text("code"), place: text("hub"), process }
    }

    /// The number of the code.
    fn number(&self) -> &str {
        self.code.split('-').next().unwrap()
    }

    /// It ends because the receiver has everything.
    fn ends(mut self) {
        self.process.then("parcel-sent");
        assert_eq!(self.process.exit(), 0);
    }
}

/// Whoever types a code, or a host and a code.
fn receive(lab: &Lab, host: &str, name: &str, code: &str) -> Process {
    receive_with(lab, host, name, &[code])
}

fn receive_with(lab: &Lab, host: &str, name: &str, args: &[&str]) -> Process {
    let mut command = lab.scene.command(["receive", "--json", "--all-events", "--data"]);
    command.arg(lab.scene.path(&format!("{name}/data"))).arg("--downloads").arg(lab.scene.place(name).downloads());
    command.args(args);
    lab.scene.place(name).start(lab.inside(host, &command), name)
}

/// They have what was sent, straight from whoever sent it. Returns the end of the transfer.
fn has(lab: &Lab, mut receiver: Process, sender: &str, bytes: &[u8]) -> Value {
    let came = receiver.find("the end of the transfer", |event| event["event"] == "transfer-completed");
    assert_eq!(came["sources"][0]["route"], "direct", "{came}");
    receiver.then("parcel-received");
    assert_eq!(receiver.exit(), 0);
    assert!(lab.scene.place(&receiver.name).got(&format!("{sender}.bin")) == bytes, "{sender}.bin has other bytes");
    came
}

/// Whoever types the code is told that nothing came of it.
fn is_refused(receiver: Process, code: &str) -> Ended {
    let ended = receiver.finish();
    assert_eq!(ended.code, 4, "{}", ended.said());
    assert!(ended.said().contains(code), "{}", ended.said());
    ended
}

#[test]
fn two_hosts_of_one_home_need_no_hub() {
    // With IPv4 alone, with both, with IPv6 alone; and where nothing comes into the receiver that it did not ask for.
    let v4 = ["-4", "address", "flush", "dev", "eth0"];
    let cases: [(&str, &[&str], bool); 4] = [
        ("--a cone", &[], false),
        ("--a cone+v6", &[], false),
        ("--a symmetric+v6", &v4, false),
        ("--a firewall", &[], true),
    ];
    at_once(cases, |(options, change, has_firewall)| {
        in_lab(two_hosts_of_one_home_need_no_hub, options, |lab| {
            for host in ["a", "a2"].into_iter().filter(|_| !change.is_empty()) {
                lab.outside("ip", &[&["-n", host], change].concat());
            }
            if has_firewall {
                raise_firewall(lab, "a2");
            }
            let bytes = content("near", 3 << 20);
            let sender = Sender::start(lab, "a", "erin", &bytes);
            let receiver = receive(lab, "a2", "dora", &sender.code);
            has(lab, receiver, "erin", &bytes);
            sender.ends();
        });
    });
}

/// A host takes nothing but answers and multicast DNS.
fn raise_firewall(lab: &Lab, host: &str) {
    let rules = "table inet own {
            chain input {
                type filter hook input priority filter; policy drop;
                iifname lo accept
                ct state established,related accept
                icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
                udp dport 5353 accept
            }
        }";
    let file = lab.scene.file("firewall.nft", rules);
    lab.outside("nsenter", &[&format!("--net=/run/netns/{host}"), "nft", "-f", file.to_str().unwrap()]);
}

#[test]
fn a_receiver_that_was_killed_finds_the_sender_again_and_goes_on() {
    in_lab(a_receiver_that_was_killed_finds_the_sender_again_and_goes_on, "--a cone+v6", |lab| {
        let bytes = content("near", 3 << 20);
        let sender = Sender::start(lab, "a", "erin", &bytes);
        let mut receiver = receive_with(lab, "a2", "dora", &["--down", "500k", &sender.code]);
        receiver.then_where("some of it", |event| {
            event["event"] == "transfer-progress" && event["bytes"].as_u64().is_some_and(|bytes| bytes > 200_000)
        });
        receiver.kill();
        let receiver = receive(lab, "a2", "dora", &sender.code);
        let came = has(lab, receiver, "erin", &bytes);
        assert!(came["resumed"].as_u64().is_some_and(|resumed| resumed > 0), "{came}");
        sender.ends();
    });
}

#[test]
fn three_senders_at_once_each_find_their_receiver() {
    in_lab(three_senders_at_once_each_find_their_receiver, "--a cone+v6", |lab| {
        lab.change(&["roam", "b", "a"]);
        let names = ["erin", "frank", "gina"];
        let mut senders: Vec<Sender> = Vec::new();
        for (host, name) in ["a", "a", "a2"].into_iter().zip(names) {
            // Numbers are drawn at random, so that two may be alike; their receivers would be told.
            let mut draws = std::iter::repeat_with(|| Sender::start(lab, host, name, &content(name, 100_000)));
            let sender = draws.find(|new| senders.iter().all(|other| other.number() != new.number()));
            senders.extend(sender);
        }
        let receivers: Vec<_> = senders
            .iter()
            .zip(["b", "a2", "a"])
            .map(|(sender, host)| receive(lab, host, &format!("{}-s-friend", sender.process.name), &sender.code))
            .collect();
        for (receiver, name) in receivers.into_iter().zip(names) {
            has(lab, receiver, name, &content(name, 100_000));
        }
        senders.into_iter().for_each(Sender::ends);
    });
}

#[test]
fn a_false_sender_beside_the_right_one_gets_no_guess_and_its_place_is_told() {
    in_lab(a_false_sender_beside_the_right_one_gets_no_guess_and_its_place_is_told, "--a cone", |lab| {
        lab.change(&["roam", "b", "a"]);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "near::false_sender", "--ignored", "--nocapture"]).env(FALSE_SENDER, "yes");
        let mut mallory = Process::start("mallory", lab.inside("a2", &command), Face::Text);
        let port = mallory.text("announced at ").split(' ').next_back().unwrap().to_owned();
        let bytes = content("near", 100_000);
        let sender = Sender::start(lab, "a", "erin", &bytes);

        let said = is_refused(receive(lab, "b", "dora", &sender.code), "several-found").said();
        assert!(said.contains(&format!("10.99.1.3:{port}")) && said.contains(&sender.place), "{said}");
        let words = sender.code.split_once('-').unwrap().1;
        assert!(said.contains("potluck receive HOST:PORT/") && !said.contains(words), "{said}");
        // The code is as good as before.
        let receiver = receive(lab, "b", "dora", &format!("{}/{}", sender.place, sender.code));
        has(lab, receiver, "erin", &bytes);

        let number: u32 = sender.number().parse().unwrap();
        let heard = mallory.transcript();
        let heard: Vec<&str> =
            heard.lines().filter_map(|line| line.split_once("heard ").map(|(_, said)| said)).collect();
        let question = json!({"seek": "potluck-seek/1", "nameplate": number});
        let is_question = |line: &&str| serde_json::from_str::<Value>(line).is_ok_and(|line| line == question);
        assert!(!heard.is_empty() && heard.iter().all(is_question), "{heard:#?}");
        sender.ends();
    });
}

/// Announces itself, says yes to every number, and tells every line that anybody says to it.
#[tokio::test]
#[ignore = "another test starts it, in a host of its own"]
async fn false_sender() {
    if std::env::var_os(FALSE_SENDER).is_none() {
        return;
    }
    let identity = Identity::ephemeral().unwrap();
    let mut listener = Listener::bind("[::]:0".parse().unwrap(), &identity, ListenLimits::default()).unwrap();
    let port = listener.local_addr().port();
    let _announcement = Announcement::start(Air::NETWORK, port, identity.key).unwrap();
    println!("announced at {port}");
    loop {
        let mut conn = listener.accept().await;
        while let Ok(Some(line)) = conn.reader.next().await {
            println!("heard {}", String::from_utf8_lossy(line));
            let _ = conn.writer.write_all(b"{\"opened\":true}\n").await;
            let _ = conn.writer.flush().await;
        }
    }
}

#[test]
fn who_has_ended_is_not_found_any_more() {
    in_lab(who_has_ended_is_not_found_any_more, "--a cone", |lab| {
        let mut sender = Sender::start(lab, "a", "erin", b"never mind");
        sender.process.signal(Signal::INT);
        assert_eq!(sender.process.exit(), 130);
        let said = is_refused(receive(lab, "a2", "dora", &sender.code), "no-such-code").said();
        assert!(said.contains("nobody announces anything here"), "{said}");
        assert!(said.contains("Both must be in the same network"), "{said}");
    });
}
