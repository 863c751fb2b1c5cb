//! What a hub knows before a run, and how it is set up.

use std::time::Duration;

use potluck::core::hub::{
    Access, HubConfig, HubFiles, HubKeys, Inviters, LoginPolicy, MeetingConfig, RelayLimits, Retention,
};
use potluck::core::secrets::Secrets;
use potluck::core::{LinkConfig, Rng};
use potluck::protocol::limits::HubLimits;
use potluck::protocol::name::NameKey;
use potluck::protocol::record::{Bringer, CopyRecord, Loaded, NameRecord, RoomRecord, WaitingRecord};
use potluck::protocol::types::RoomAccess;
use potluck::protocol::{PublicKey, Timestamp};

use crate::hub::KEYS;
use crate::words::{self, PEOPLE, ROOMS};

fn key(rng: &mut Rng) -> PublicKey {
    PublicKey([rng.below(KEYS) as u8; 32])
}

pub fn config(rng: &mut Rng) -> HubConfig {
    let access = match rng.below(9) {
        0 | 1 => Access::Invite,
        2 | 3 => Access::Accounts,
        4 => Access::Only(key(rng)),
        _ => Access::Open,
    };
    let files = HubFiles { key: PublicKey([99; 32]), address: [127, 0, 0, 1].into(), port: 9, room: 6 << 20 };
    let small = rng.chance(30);
    let limits = HubLimits {
        clients: if small { 3 } else { 20 },
        pending_connections: if small { 2 } else { 20 },
        offers: if small { 3 } else { 100 },
        rooms: if small { 2 } else { 100 },
        members: if small { 2 } else { 100 },
        mailbox: if small { 2 } else { 100 },
        mailbox_bytes: if small { 20 } else { 10_000 },
        clients_per_key: if small { 1 } else { 16 },
        clients_per_address: if small { 2 } else { 16 },
        names_per_key: if small { 1 } else { 16 },
        names_per_address: if small { 3 } else { 256 },
        rooms_per_key: if small { 1 } else { 16 },
        request_rate: if small { 2 } else { 1_000 },
        ..HubLimits::default()
    };
    let relay = RelayLimits { streams_each: 2, streams: 3, day: if small { 20_000 } else { u64::MAX } };
    HubConfig {
        meetings: MeetingConfig { secret: [3; 32], at_once: 4, relay: rng.chance(80).then_some(relay) },
        link: LinkConfig::hub(),
        grace: Duration::from_secs(30),
        limits,
        access,
        logins: LoginPolicy::default(),
        files: rng.chance(50).then_some(files),
        keep: [None, Some(Retention::Bytes(1_000)), Some(Retention::For(Duration::from_secs(60)))]
            [rng.below(3) as usize],
        inviters: Inviters::All,
        keys: HubKeys {
            link: "potluck://h:1/".parse().unwrap(),
            key: PublicKey([99; 32]),
            secrets: Secrets::new([7; 32]),
        },
        run: 7,
        epoch: Timestamp(1_700_000_000_000),
    }
}

/// Names as the store may have them: some, with some keys.
pub fn names(rng: &mut Rng) -> Vec<NameRecord> {
    let some: Vec<&str> = PEOPLE.into_iter().filter(|name| *name != "nobody" && rng.chance(50)).collect();
    let mut names: Vec<NameRecord> = some
        .into_iter()
        .map(|name| {
            let keys = (0..rng.below(3)).map(|_| key(rng)).collect();
            let credential = rng.chance(40).then(|| rng.below(4));
            let (received, unread) = (rng.below(4), rng.below(4));
            NameRecord { name: name.into(), name_key: NameKey::of(name), keys, credential, since: 5, received, unread }
        })
        .collect();
    names.sort_by(|a, b| a.name_key.cmp(&b.name_key));
    names
}

pub fn loaded(rng: &mut Rng) -> Loaded {
    let names = names(rng);
    let keys: Vec<NameKey> = names.iter().map(|name| name.name_key.clone()).collect();
    let pairs = keys.iter().flat_map(|by| keys.iter().map(move |whom| (by.clone(), whom.clone())));
    let blocks = pairs.filter(|(by, whom)| by != whom).filter(|_| rng.chance(10)).collect();
    let rooms: Vec<RoomRecord> = (1..=2)
        .filter_map(|room| {
            let members: Vec<(NameKey, u64, Option<Bringer>)> =
                keys.iter().filter(|_| rng.chance(50)).map(|name_key| (name_key.clone(), 1, None)).collect();
            let access = if rng.chance(50) { RoomAccess::Open } else { RoomAccess::Invite };
            let name = ROOMS[room as usize].to_owned();
            let owner = keys.first().filter(|_| rng.chance(50)).cloned().unwrap_or_default();
            (!members.is_empty()).then_some(RoomRecord {
                room,
                name_key: NameKey::of(&name),
                name,
                access,
                owner,
                members,
            })
        })
        .collect();
    let copies = keys.iter().filter(|_| rng.chance(20)).map(|name_key| name_key.to_owned()).collect::<Vec<_>>();
    let copies = copies.into_iter().map(|name_key| {
        let content = words::content(rng);
        CopyRecord { owner: name_key.to_string(), name_key, content }
    });
    let copies = copies.collect();
    let mut waiting = Vec::new();
    for number in 1..=4 {
        if let Some(name_key) = keys.first().filter(|_| rng.chance(30)) {
            let (bytes, withheld) = (rng.below(9), rng.chance(20));
            waiting.push(WaitingRecord { name_key: name_key.clone(), number, from: name_key.clone(), bytes, withheld });
        }
    }
    Loaded { names, blocks, rooms, copies, waiting, last_message: 4, last_room: 2, ..Loaded::default() }
}
