//! The speed of simulated sources, so that a transfer takes time and its progress can be shown.

use std::time::Duration;

use super::giving::{send, sends, tell_progress};
use super::{Step, WAY, sizes};
use crate::core::fetch::{Input, Lane};
use crate::sim::{Happening, Sim};

/// A source is asked for a chunk or file. Over one lane it sends one after the other, each in its share of the whole
/// time. It arrives in two halves.
pub(super) fn ask(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, piece: u32) {
    let (all, way) = (sim.config.sending, Duration::from_millis(WAY));
    if all.is_zero() {
        return sim.step_later(2 * WAY, client, transfer, Step::Asked(lane, piece));
    }
    let asked = sim.now + way;
    let Some(fetching) = sim.fetching(client, transfer) else { return };
    let Some(wire) = fetching.lanes.get_mut(&lane) else { return };
    let (bytes, total) = sizes(&fetching.plan, fetching.machine.small(), wire.job, piece);
    let takes = match total {
        0 => all,
        total => Duration::from_nanos((all.as_nanos() * u128::from(bytes) / u128::from(total)) as u64),
    };
    let begins = wire.free.max(asked);
    wire.free = begins + takes;
    sim.later(begins, Happening::Transfer(client, transfer, Step::Begins(lane, piece)));
    sim.later(begins + takes / 2 + way, Happening::Transfer(client, transfer, Step::Moved(lane, piece)));
    sim.later(begins + takes + way, Happening::Transfer(client, transfer, Step::Asked(lane, piece)));
}

/// A source starts to send a chunk or file.
pub(super) fn begins(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, piece: u32) -> Option<Input> {
    let from = sends(sim, client, transfer, lane, piece)?;
    send(sim, client, transfer, from, 0);
    None
}

/// The first half of a chunk or file arrives.
pub(super) fn moved(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, piece: u32) -> Option<Input> {
    // If the source leaves, that is noticed when the rest does not arrive.
    let (source, job) = sends(sim, client, transfer, lane, piece)?;
    let fetching = sim.fetching(client, transfer)?;
    let bytes = sizes(&fetching.plan, fetching.machine.small(), job, piece).0 / 2;
    fetching.lanes.get_mut(&lane)?.moved = bytes;
    send(sim, client, transfer, (source, job), bytes);
    tell_progress(sim, client, transfer, (source, job));
    Some(Input::Moved { lane, bytes })
}
