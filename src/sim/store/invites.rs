//! The invites of a store in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::PublicKey;
use crate::protocol::code::Nameplate;
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use crate::protocol::limits::INVITES_SHOWN;
use crate::protocol::name::NameKey;
use crate::protocol::record::MadeInvite;

/// The invites, whom each has let in, and the short codes of some.
#[derive(Debug, Clone, Default)]
pub(super) struct Invites {
    pub(super) all: BTreeMap<InviteDigest, InviteRecord>,
    pub(super) invited: BTreeSet<(InviteDigest, PublicKey)>,
    pub(super) codes: BTreeMap<Nameplate, (CodeRecord, InviteDigest)>,
    pub(super) last_nameplate: Nameplate,
}

impl Invites {
    pub(super) fn spend(&mut self, digest: InviteDigest, key: PublicKey) {
        let fresh = self.invited.insert((digest, key));
        if let Some(invite) = self.all.get_mut(&digest) {
            invite.spent += u64::from(fresh);
        }
    }

    pub(super) fn use_code(&mut self, nameplate: Nameplate, right: u64, answered: bool, void: bool) {
        let Some((code, _)) = self.codes.get_mut(&nameplate) else { return };
        (code.right, code.answered) = (code.right.max(right), answered);
        if void {
            (code.code, code.secret) = (None, String::new());
        }
    }

    pub(super) fn code(&self, nameplate: Nameplate) -> Option<(CodeRecord, InviteRecord)> {
        let (code, digest) = self.codes.get(&nameplate)?;
        Some((code.clone(), self.all.get(digest)?.clone()))
    }

    pub(super) fn add(&mut self, made: &MadeInvite) {
        let MadeInvite { name, digest, uses, until, made: at, maker, code } = made.clone();
        if self.all.contains_key(&digest) {
            return;
        }
        let (uses, until, maker) = (Some(uses), Some(until), Some(maker));
        self.all.insert(digest, InviteRecord { name, digest, uses, spent: 0, until, made: at, maker });
        if let Some((code, secret)) = code {
            let nameplate = code.nameplate();
            self.last_nameplate = self.last_nameplate.max(nameplate);
            let code = CodeRecord { nameplate, code: Some(code), secret, right: 0, answered: false };
            self.codes.insert(nameplate, (code, digest));
        }
    }

    pub(super) fn revoke(&mut self, name: &str) {
        let gone = self.all.extract_if(.., |_, invite| invite.name == name).map(|(digest, _)| digest);
        let gone: Vec<InviteDigest> = gone.collect();
        self.codes.retain(|_, (_, digest)| !gone.contains(digest));
    }

    pub(super) fn made_by(&self, maker: &NameKey) -> Vec<(InviteRecord, Option<CodeRecord>)> {
        let mut theirs: Vec<_> = self.all.values().filter(|invite| invite.maker.as_ref() == Some(maker)).collect();
        theirs.sort_by_key(|invite| (invite.made, &invite.name));
        let code = |invite: &InviteRecord| self.codes.values().find(|(_, digest)| *digest == invite.digest);
        let newest = theirs.len().saturating_sub(INVITES_SHOWN);
        let with_code = |invite: &InviteRecord| (invite.clone(), code(invite).map(|(code, _)| code.clone()));
        theirs.into_iter().skip(newest).map(with_code).collect()
    }
}
