//! Real processes behind real routers: hubs and clients in a laboratory of two homes (`natlab.sh`, read its head), each
//! in network namespaces of its own.
//!
//! Where there can be no laboratory, these tests leave everything out and say so in one line. `POTLUCK_NATLAB=required`
//! makes that a failure; `POTLUCK_NATLAB=all` is the same, and plays every combination instead of a choice of them.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod best;
mod changes;
mod homes;
mod hostile;
mod lab;
mod left_out;
mod near;
mod pairs;
mod routers;
mod running;
mod sending;
mod talking;
mod words;
