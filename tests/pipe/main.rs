//! The program from outside, by real processes: its input and output, its exit codes, and what surrounds them.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod contract;
mod demo;
mod errors;
mod examples;
mod exec;
mod hosts;
mod hub;
mod hub_address;
mod slow;
mod terminal;
mod tools;
mod user;
mod words;
