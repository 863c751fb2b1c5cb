//! The machines in simulation: hundreds of random runs, each from its seed.

#[path = "../support/seeds.rs"]
mod seeds;

mod files;
mod hub;
mod parcels;
mod people;
mod private;
mod reach;
mod swarm;
mod trouble;
