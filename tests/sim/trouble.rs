//! What befalls the clients and the hub in every random run.

use std::time::Duration;

use potluck::core::Rng;
use potluck::sim::{ClientId, Sim};

/// A run in which it may happen.
pub trait Trouble {
    fn parts(&mut self) -> (&mut Sim, &mut Rng);

    /// Time passes: less than this, in milliseconds.
    fn pause(&mut self, most: u64) {
        let (sim, rng) = self.parts();
        sim.run_for(Duration::from_millis(rng.below(most)));
    }

    /// The hub's machine dies, and is back after a moment.
    fn crash_hub(&mut self) {
        self.parts().0.crash_hub();
        self.pause(300);
        self.parts().0.start_hub();
    }

    /// A client's process or its machine dies.
    fn kill_somehow(&mut self, client: ClientId) {
        let (sim, rng) = self.parts();
        match rng.chance(50) {
            true => sim.kill(client),
            false => sim.power_off(client),
        }
    }

    /// For a while nobody reaches the hub.
    fn cut_all(&mut self) {
        self.parts().0.set_reachable(false);
        self.pause(2_000);
        self.parts().0.set_reachable(true);
    }
}
