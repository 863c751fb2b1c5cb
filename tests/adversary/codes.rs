//! Exchanges of short codes for invites, by clients who know the words and clients who do not.

use potluck::core::exchange::Typist;
use potluck::core::hub::Input;
use potluck::core::secrets::Secrets;
use potluck::protocol::code::Nameplate;
use potluck::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use potluck::protocol::record::Found;
use potluck::protocol::wire::ExchangeStart;
use potluck::protocol::{Code, Timestamp, to_json};

use crate::hub::World;

impl World {
    /// A client says hello, or now and then begins an exchange.
    pub fn begin(&mut self, who: usize) {
        match self.rng.chance(3) {
            true => self.exchange(who),
            false => self.hello(who),
        }
    }

    /// A line of an exchange by a code, on a connection that has said hello, or anything, or nothing.
    pub fn exchange(&mut self, who: usize) {
        let Some(conn) = self.clients[who] else { return };
        let line = match self.rng.below(4) {
            0 => format!(r#"{{"confirmation":"{}"}}"#, "ab".repeat(32)),
            1 => r#"{"exchange":"potluck-exchange/1","nameplate":0,"share":""}"#.to_owned(),
            _ => {
                let code = Code::new(1 + self.rng.below(2) as u32, 1);
                let share = Typist::start(&code, &mut Secrets::new([3; 32])).1;
                let start = ExchangeStart {
                    exchange: "potluck-exchange/1".into(),
                    nameplate: code.nameplate(),
                    share: share.into(),
                };
                to_json(&start)
            }
        };
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    /// What the store says of a code.
    pub fn code(&mut self, nameplate: Nameplate) -> Found {
        let (code, times) = (Code::new(nameplate, self.rng.below(2) as u16), self.rng.below(3));
        let code = CodeRecord {
            nameplate,
            code: self.rng.chance(90).then_some(code),
            secret: "secret".into(),
            right: self.rng.below(2),
            answered: self.rng.chance(10),
        };
        let (name, digest, made) = ("i".to_owned(), InviteDigest::of("secret"), Timestamp(1));
        let invite = InviteRecord { name, digest, uses: Some(times), spent: 0, until: None, made, maker: None };
        Found::Code(self.rng.chance(90).then(|| Box::new((code, invite))))
    }
}
